"""`Session`: what an application remembers of one client from request to request, as a handler sees it.

A mapping of JSON values that is read when it is first asked for. Whether it changed is found by comparison
with what was read, so `session["cart"].append(7)` counts; a session that was not asked for costs nothing and
is never written. Where it is kept, and for how long, is the matter of the hook that opened it
(`penstock.app.sessions`).
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from penstock.http.json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.http.request import Request

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_TIME_BYTES = 5


class SessionOpener(Protocol):
    """What opens the session of a request when it is asked for."""

    def open_session(self, request: Request, /) -> Session: ...


class Kept(NamedTuple):
    """A session as it is kept: two times in seconds since the epoch, and its values as a JSON object."""

    begun_s: int
    """When it began: first written, or rotated."""
    renewed_s: int
    octets: bytes

    def packed(self) -> bytes:
        return self.begun_s.to_bytes(_TIME_BYTES) + self.renewed_s.to_bytes(_TIME_BYTES) + self.octets

    @classmethod
    def unpacked(cls, packed: bytes) -> Kept:
        begun, renewed = packed[:_TIME_BYTES], packed[_TIME_BYTES : 2 * _TIME_BYTES]
        return cls(int.from_bytes(begun), int.from_bytes(renewed), packed[2 * _TIME_BYTES :])


class Session(MutableMapping[str, Any]):
    """The session of one client. Values are those of JSON: text, numbers, booleans, None, lists, and dicts
    with text for keys.
    """

    __slots__ = ("_data", "_is_sealed", "_is_set", "_read", "is_lost", "is_rotated", "kept", "owner")

    def __init__(self, read: Callable[[Session], Kept | None], owner: object) -> None:
        self._read = read
        self._data: dict[str, Any] | None = None
        self._is_set = False
        """A key was set or deleted, or might have been."""
        self._is_sealed = False
        self.owner = owner
        """The hook that opened it, and will write it."""
        self.kept: Kept | None = None
        """As it was read; None when there was none, or none that may be used."""
        self.is_rotated = False
        self.is_lost = False
        """True when it was looked for and its store could not be asked: it is empty, and will not be kept."""

    # What handlers use, beside what every mapping has.

    @property
    def is_new(self) -> bool:
        """True when the client brought no session, or one that is not valid or over."""
        self._values()
        return self.kept is None

    def rotate(self) -> None:
        """Go on as a new session with the same values: for the moment somebody logs in or gains rights, so
        that whoever knew the session before does not know it now.
        """
        self._changing()
        self.is_rotated = True

    def clear(self) -> None:
        """Forget everything; what is put in after this is a new session."""
        self._changing().clear()
        self.is_rotated = True

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"the keys of a session are text, not {type(key).__name__}")
        self._changing()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or `default`."""
        return self._values().get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        # Values may be secret; they stay out.
        shown = "unread" if self._data is None else ", ".join(self._data) or "empty"
        return f"<Session {shown}>"

    # What the hook that opened it uses.

    @property
    def is_touched(self) -> bool:
        """True once somebody asked for a value or set one: the response may tell what is in it."""
        return self._data is not None

    def changed(self) -> bytes | None:
        """Return the values to write, or None when they are as they were. TypeError or ValueError for what is
        not JSON.
        """
        data, kept = self._data, self.kept
        if data is None:
            return None
        before = kept.octets if kept is not None else b"{}"
        # PERF: without a container inside, nothing changes but by setting a key; encoding takes 2.5 us.
        if not self._is_set and before.count(b"{") == 1 and b"[" not in before:
            return None
        try:
            octets = _encode(data).encode()
            if octets == before and not self.is_rotated:
                return None
            loads(octets)  # what is written can be read
        except (TypeError, ValueError, RecursionError):
            raise _no_json(data) from None
        return octets

    def upon(self, there: bytes, own: bytes) -> bytes:
        """Return the values `own` of this request, changed from what it read, put upon those that are `there`
        by now: of each key the one that changed.
        """
        before = self.kept.octets if self.kept is not None else b"{}"
        if there == before:
            return own
        values, changed, known = _parsed(there), _parsed(own), _parsed(before)
        for key in known.keys() - changed.keys():
            values.pop(key, None)
        for key, value in changed.items():
            if key not in known or _encode(known[key]) != _encode(value):
                values[key] = value
        return _encode(values).encode()

    def seal(self) -> None:
        """Refuse changes from now on: the response is on its way."""
        self._is_sealed = True

    def _values(self) -> dict[str, Any]:
        data = self._data
        if data is None:
            data = {}
            try:
                kept = self._read(self)
                if kept is not None:
                    data = _parsed(kept.octets)
                    self.kept = kept
            except ValueError:  # what another program keeps in the same place
                pass
            self._data = data
        return data

    def _changing(self) -> dict[str, Any]:
        if self._is_sealed:
            raise RuntimeError("the session has been written: change it before the response begins")
        self._is_set = True
        return self._values()


def touched_session(request: Request) -> Session | None:
    """Return the session of a request if somebody asked it for a value: the answer may then be meant for one
    client alone.
    """
    session = request.opened_session
    return session if session is not None and session.is_touched else None


def _parsed(octets: bytes) -> dict[str, Any]:
    values = loads(octets)
    if not isinstance(values, dict):
        raise ValueError("no object")  # noqa: TRY004 - caught where a broken text is
    return values


def _no_json(values: dict[str, Any]) -> Exception:
    """Return the exception that names the key whose value is no JSON."""
    for key, value in values.items():
        try:
            loads(_encode({key: value}).encode())
        except RecursionError:
            return ValueError(f"session[{key!r}] is nested too deep")
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            return kind(f"session[{key!r}]: {error}; a session holds JSON values only")
    return ValueError("the values of the session are nested too deep, or no JSON")
