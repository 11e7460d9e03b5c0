"""A form put together from octets as they come: `begin_form`, `feed`, `finish`. No I/O, but for what the
stores of files do with theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from penstock.errors import MissingExtra
from penstock.http.form import (
    MULTIPART,
    URLENCODED,
    FormData,
    FormLimits,
    check_charset,
    media_type_of,
    parse_urlencoded,
    too_much,
    wrong_type,
)
from penstock.http.multipart import MultipartReader, PartHead, malformed, parse_parameters
from penstock.http.upload import InMemory, UploadFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.upload import Run, Store


class Builder(Protocol):
    """Makes one form."""

    def feed(self, data: bytes) -> None:
        """Take octets; HTTPError 400 or 413."""
        ...

    def finish(self) -> FormData:
        """Return the form; HTTPError 400 when it is not whole."""
        ...

    def close(self) -> None:
        """Give it up."""
        ...


def begin_form(
    content_type: str,
    limits: FormLimits,
    new_store: Callable[[], Store] = InMemory,
    run: Run | None = None,
) -> Builder:
    """Return what makes a form of this Content-Type; HTTPError 415 when it is none."""
    kind = media_type_of(content_type)
    if kind == URLENCODED:
        return _Urlencoded(content_type, limits)
    if kind == MULTIPART:
        try:
            return _Multipart(content_type, limits, new_store, run)
        except MissingExtra:
            raise wrong_type(takes_multipart=False) from None
    raise wrong_type()


class _Urlencoded:
    def __init__(self, content_type: str, limits: FormLimits) -> None:
        if content_type != URLENCODED:  # mostly it is
            try:
                check_charset(parse_parameters(content_type)[1])
            except ValueError as error:
                raise malformed(f"its Content-Type: {error}") from None
        self._limits = limits
        self._octets = bytearray()

    def feed(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > self._limits.fields_bytes:
            raise too_much("fields_bytes", f"fields of more than {self._limits.fields_bytes} octets together")

    def finish(self) -> FormData:
        return parse_urlencoded(bytes(self._octets), self._limits)

    def close(self) -> None:
        self._octets.clear()


class _Multipart:
    def __init__(
        self, content_type: str, limits: FormLimits, new_store: Callable[[], Store], run: Run | None
    ) -> None:
        self._reader = MultipartReader(content_type, limits)
        self._new_store = new_store
        self._run = run
        self._fields: list[tuple[str, str]] = []
        self._files: dict[str, list[UploadFile]] = {}
        self._head: PartHead | None = None
        self._text = bytearray()
        self._store: Store | None = None
        self._size = 0

    def feed(self, data: bytes) -> None:
        for event in self._reader.feed(data):
            if isinstance(event, bytes):
                if self._store is None:
                    self._text += event
                else:
                    self._store.write(event)
                    self._size += len(event)
            elif event is None:
                self._end_part()
            else:
                self._head = event
                self._store = self._new_store() if event.is_file else None
                self._size = 0

    def _end_part(self) -> None:
        head, store = self._head, self._store
        assert head is not None  # noqa: S101 - a part has a head
        if store is not None:
            self._files.setdefault(head.name, []).append(UploadFile(head, store, self._size, self._run))
            self._store = None
            return
        try:
            self._fields.append((head.name, self._text.decode()))
        except UnicodeDecodeError as error:
            raise malformed(f"a field that is no UTF-8, at its octet {error.start}") from None
        self._text.clear()

    def finish(self) -> FormData:
        self._reader.end()
        for files in self._files.values():
            for file in files:
                file.settle()
        return FormData(self._fields, self._files)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        for files in self._files.values():
            for file in files:
                file.close()
