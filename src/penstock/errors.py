"""Every exception Penstock raises, on one screen.

The tree splits by who has to act: the operator (ConfigError, MissingExtra), the author of the application
(ApplicationError), the two ends of a connection (ProtocolError, ours or theirs), and the handler that wants a
certain response (HTTPError). A message says what was wrong, where, what was expected and what to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class PenstockError(Exception):
    """The root: `except PenstockError` catches whatever the package raises on purpose."""


class ConfigError(PenstockError):
    """A setting is wrong. The message is one clear line; the command line exits with code 2."""


class ServerUnreachable(PenstockError):
    """No server runs or answers where one was looked for; the command line exits with code 1."""


class ApplicationError(PenstockError):
    """The application is put together wrongly; found at start-up, before the first request."""


class BrokenPromise(PenstockError):
    """A handler returned what its response model does not allow: a required field is missing, or, with
    `validate_response`, a value does not fit. A 500, and logged.
    """


class RouteConflict(ApplicationError):
    """Two routes claim the same method and path."""


class MissingExtra(PenstockError, ImportError):
    """A feature needs a package that is not installed; the message names the extra to install."""


class StoreError(PenstockError):
    """A store cannot be asked or does not answer as it should. Who uses it goes on without."""


class StoreRefused(StoreError):
    """The store works and did not take this: it is full, or the value too large."""


class ClientDisconnected(PenstockError):
    """The client has gone: nobody will read what would be written, and no more content comes."""


class ConnectionLost(ClientDisconnected, OSError):
    """ClientDisconnected for ASGI and WSGI applications, which know it as an OSError."""


class WebSocketDisconnect(ClientDisconnected):
    """A WebSocket connection is over. `code` and `reason` are the client's (1005: it gave none), those it was
    closed with from here, or 1006 when it broke.
    """

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason or 'no reason'}"


class WebSocketRefused(PenstockError):
    """A test client asked for a WebSocket and got `reply`, an ordinary one."""

    def __init__(self, reply: Any) -> None:
        super().__init__(reply)
        self.reply = reply

    def __str__(self) -> str:
        return f"the WebSocket was refused: {self.reply!r}"


class ProtocolError(PenstockError):
    """A rule of HTTP was broken. `status` is the answer it deserves, `detail` says which rule and where."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule."""

    def __init__(self, status: int = 400, detail: str = "malformed message") -> None:
        super().__init__(status, detail)


class LocalProtocolError(ProtocolError):
    """The application broke a rule: what it asked to send is not HTTP."""

    def __init__(self, status: int = 500, detail: str = "the response cannot be rendered") -> None:
        super().__init__(status, detail)


class HTTPError(PenstockError):
    """Raised by a handler: becomes a problem+json response (RFC 9457) with this status.

    `extensions` become further members of the problem object; `headers` are added to the response. A subclass
    may have a `type` and a `title` of its own, those of every occurrence.

    >>> str(HTTPError(404, "no such user", user_id=7))
    '404: no such user'
    """

    type: str = "about:blank"
    """A URI that names the kind of problem, for programs (RFC 9457 §3.1.1)."""
    title: str | None = None
    """What the kind is called; None: the phrase of the status."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        title: str | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        **extensions: object,
    ) -> None:
        if not 400 <= status <= 599:
            msg = f"HTTPError takes a status from 400 to 599, not {status}; return a Response for the others"
            raise ValueError(msg)
        super().__init__(status, detail)
        self.status = int(status)
        self.detail = detail
        if title is not None:
            self.title = title
        if type is not None:
            self.type = type
        self.headers = headers
        self.extensions = extensions

    def __str__(self) -> str:
        return f"{self.status}: {self.detail or self.title or 'no detail'}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt by calling the class with `args`, which subclasses do not take.
        return _restored, (type(self), self.args), self.__dict__


class ValidationError(HTTPError):
    """The request was understood and its values are wrong: 422, naming every fault.

    Each fault is `{"loc": ["query", "page"], "msg": "expected an integer", "type": "int"}`.
    """

    def __init__(
        self, errors: Iterable[Mapping[str, object]], detail: str = "the request has invalid values"
    ) -> None:
        self.errors: list[dict[str, object]] = [dict(error) for error in errors]
        super().__init__(422, detail, errors=self.errors)


def _restored(kind: type[HTTPError], args: tuple[object, ...]) -> HTTPError:
    """Return what a worker process sent back; its attributes follow."""
    error = kind.__new__(kind)
    error.args = args
    return error


class _StatusError(HTTPError):
    """An HTTPError whose status is that of its class."""

    status = 500

    def __init__(
        self,
        detail: str | None = None,
        *,
        title: str | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        **extensions: object,
    ) -> None:
        super().__init__(self.status, detail, title=title, type=type, headers=headers, **extensions)

    def _add_field(self, name: str, value: str) -> None:
        given = self.headers or ()
        self.headers = [*(given.items() if hasattr(given, "items") else given), (name, value)]


class BadRequest(_StatusError):
    """400: the request cannot be understood."""

    status = 400


class Malformed(BadRequest, ValueError):
    """400: octets of the request are not what they were read as, by `request.json()` for one."""

    def __str__(self) -> str:
        return self.detail or ""


class Unauthorized(_StatusError):
    """401: nobody has said who this is, or not convincingly. `challenge` says how to (RFC 9110 §11.6.1)."""

    status = 401

    def __init__(self, detail: str | None = None, *, challenge: str = "Bearer", **options: Any) -> None:
        super().__init__(detail, **options)
        self._add_field("WWW-Authenticate", challenge)


class Forbidden(_StatusError):
    """403: whoever this is may not."""

    status = 403


class NotFound(_StatusError):
    """404: there is no such thing, or nobody is to know."""

    status = 404


class MethodNotAllowed(_StatusError):
    """405: not with this method; `allow` names those that will do (RFC 9110 §15.5.6)."""

    status = 405

    def __init__(self, detail: str | None = None, *, allow: Iterable[str], **options: Any) -> None:
        super().__init__(detail, **options)
        self._add_field("Allow", ", ".join(allow))


class NotAcceptable(_StatusError):
    """406: there is nothing the client would take."""

    status = 406


class Conflict(_StatusError):
    """409: what is there does not allow it."""

    status = 409


class Gone(_StatusError):
    """410: there was such a thing, and will not be again."""

    status = 410


class PreconditionFailed(_StatusError):
    """412: it is not as the client thinks."""

    status = 412


class ContentTooLarge(_StatusError):
    """413: more content than is taken."""

    status = 413


class UnsupportedMediaType(_StatusError):
    """415: content of another type than is taken."""

    status = 415


class _LaterError(_StatusError):
    """May do later: after `retry_after_s` seconds, when that is given."""

    def __init__(
        self, detail: str | None = None, *, retry_after_s: float | None = None, **options: Any
    ) -> None:
        super().__init__(detail, **options)
        if retry_after_s is not None:
            self._add_field("Retry-After", str(max(0, -int(-retry_after_s // 1))))  # rounded up


class TooManyRequests(_LaterError):
    """429: too much in too short a time."""

    status = 429


class ServiceUnavailable(_LaterError):
    """503: not now."""

    status = 503


def status_errors() -> list[type[_StatusError]]:
    """Return the subclasses of HTTPError that stand for one status each."""
    return [
        *(kind for kind in _StatusError.__subclasses__() if kind.status != 500),
        *_LaterError.__subclasses__(),
    ]
