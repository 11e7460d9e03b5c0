"""Forms (`application/x-www-form-urlencoded`, `multipart/form-data`) as values: fields, files, limits.

Text is UTF-8 and nothing else: another charset is refused by its name (415), octets that are no UTF-8 as
malformed (400). Too much of anything is 413, with the name of the limit as the member `limit` of the
problem. Files are there only in multipart; what parses that is `http/multipart.py`, what holds one is
`http/upload.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from penstock.errors import ApplicationError, HTTPError
from penstock.http.query import Query, parse_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.http.request import Request
    from penstock.http.upload import UploadFile

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FormLimits:
    """How much of each thing a form may hold, in octets unless said otherwise."""

    fields: int = 1_000
    """How many parts are no files. Django, PHP and Starlette: 1000."""
    files: int = 100
    """How many parts are files. Django: 100."""
    field_bytes: int = 1_048_576
    """One field. busboy and Starlette: 1 MiB."""
    fields_bytes: int = 2_621_440
    """All fields together. Django: 2.5 MiB."""
    file_bytes: int | None = None
    """One file; None: only `total_bytes` counts."""
    total_bytes: int = 33_554_432
    """Content of a route that takes files, unless its `body_limit` says otherwise. Kestrel: 30 MB."""
    headers: int = 8
    """How many lines a part has before its content. RFC 7578 §4 knows three; multipart: 8."""
    header_bytes: int = 4_096
    """One such line. multipart: 4 KiB."""
    memory_bytes: int = 16_777_216
    """Held in memory before files go to the disk, in one form, as long as all forms of the process hold less
    than 64 MiB. Go: 32 MB; Starlette: 1 MiB a file.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name == "file_bytes":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ApplicationError(f"FormLimits: {field.name}={value!r}; expected a number, 0 or more")


DEFAULT_LIMITS: Final = FormLimits()


def too_much(limit: str, detail: str) -> HTTPError:
    """Return the refusal of a form that is beyond a limit."""
    return HTTPError(413, detail, limit=limit)


def beyond_total(error: HTTPError) -> HTTPError:
    """Return what the server refuses content with, naming the limit when that is too long."""
    if error.status == 413:
        error.extensions.setdefault("limit", "total_bytes")
    return error


def wrong_type(*, takes_multipart: bool = True) -> HTTPError:
    """Return the refusal of content that is no form."""
    accepted = f"{URLENCODED}, {MULTIPART}" if takes_multipart else URLENCODED
    return HTTPError(415, f"the content must be {accepted.replace(',', ' or')}", headers={"Accept": accepted})


class FormData(Query):
    """What a form says: its fields, read like a query, and its `files`.

    >>> form = FormData([("user", "ada"), ("role", "admin"), ("role", "owner")])
    >>> form["user"], form.get_all("role"), form.get("none"), form.file("photo")
    ('ada', ['admin', 'owner'], None, None)
    """

    __slots__ = ("files",)

    def __init__(
        self, pairs: Iterable[tuple[str, str]] = (), files: Mapping[str, list[UploadFile]] | None = None
    ) -> None:
        super().__init__(pairs)
        self.files: Mapping[str, list[UploadFile]] = files or {}
        """The files by name, in order."""

    def file(self, name: str) -> UploadFile | None:
        """Return the first file of that name."""
        files = self.files.get(name)
        return files[0] if files else None

    def close(self) -> None:
        """Let go of the files."""
        for files in self.files.values():
            for file in files:
                file.close()

    def __repr__(self) -> str:
        return f"FormData({self.keys()!r}, files={list(self.files)!r})"  # without values: one may be a secret


def media_type_of(content_type: str) -> str:
    """Return the essence of a Content-Type, in lower case."""
    return content_type.partition(";")[0].strip(" \t").lower()


def parse_urlencoded(raw: bytes, limits: FormLimits = DEFAULT_LIMITS) -> FormData:
    """Return the fields of an urlencoded form; HTTPError 400 when it is malformed, 413 beyond a limit.

    >>> parse_urlencoded(b"name=J%C3%BCrgen+M&tag=a&tag=b").items()
    [('name', 'Jürgen M'), ('tag', 'a'), ('tag', 'b')]
    """
    if len(raw) > limits.fields_bytes:
        raise too_much("fields_bytes", f"fields of more than {limits.fields_bytes} octets together")
    if raw.count(b"&") >= limits.fields:
        raise too_much("fields", f"a form of more than {limits.fields} fields")
    try:
        form = FormData(parse_query(raw).items())
    except ValueError as error:
        raise HTTPError(400, f"the form is malformed: {str(error).removeprefix('query: ')}") from None
    if len(raw) > limits.field_bytes:
        for name, value in form.items():
            if len(name) + len(value) > limits.field_bytes:
                raise too_much("field_bytes", f"a field of more than {limits.field_bytes} octets")
    return form


def check_charset(parameters: Mapping[str, str]) -> None:
    """HTTPError 415 for text that is declared as something else than UTF-8."""
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in _CHARSETS:
        raise HTTPError(415, "a form is taken in UTF-8 only", headers={"Accept-Charset": "utf-8"})


def read_form(request: Request, limits: FormLimits) -> FormData:
    """Return the form that is the whole body of a request; HTTPError 415 when it is none, 400 when it is
    malformed, 413 beyond a limit.

    A request without content and without a Content-Type is a form without fields.
    """
    if request.stream is not None:
        raise RuntimeError("this handler takes its content as a stream, so there is no whole body to read")
    content_type = request.headers.get("content-type", "")
    if not content_type and not request.body:
        return FormData()
    from penstock.http.building import begin_form

    builder = begin_form(content_type, limits)
    try:
        builder.feed(request.body)
        return builder.finish()
    except BaseException:
        builder.close()
        raise
