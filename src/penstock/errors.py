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
    """A handler returned what its response model does not allow (`validate_response`): a 500, and logged."""


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

    `extensions` become further members of the problem object; `headers` are added to the response.

    >>> str(HTTPError(404, "no such user", user_id=7))
    '404: no such user'
    """

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        title: str | None = None,
        type: str = "about:blank",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        **extensions: object,
    ) -> None:
        if not 400 <= status <= 599:
            msg = f"HTTPError takes a status from 400 to 599, not {status}; return a Response for the others"
            raise ValueError(msg)
        super().__init__(status, detail)
        self.status = int(status)
        self.detail = detail
        self.title = title
        self.type = type
        self.headers = headers
        self.extensions = extensions

    def __str__(self) -> str:
        return f"{self.status}: {self.detail or self.title or 'no detail'}"


class ValidationError(HTTPError):
    """The request was understood and its values are wrong: 422, naming every fault.

    Each fault is `{"loc": ["query", "page"], "msg": "expected an integer", "type": "int"}`.
    """

    def __init__(
        self, errors: Iterable[Mapping[str, object]], detail: str = "the request has invalid values"
    ) -> None:
        self.errors: list[dict[str, object]] = [dict(error) for error in errors]
        super().__init__(422, detail, errors=self.errors)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from `args`, here (status, detail); a worker process sends this one back.
        return type(self), (self.errors, self.detail), self.__dict__
