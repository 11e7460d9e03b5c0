"""The response family. A response is data: status, fields and content, or an iterator of content.

Framing (Content-Length, chunked, Connection) and Date belong to the wire and are added when the response is
rendered. A response may be kept and returned many times; nothing about one connection is stored in it.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING

from penstock.http.cookies import render_set_cookie
from penstock.http.headers import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Literal

    from penstock.http.handler import Pulse, Source

    Fields = Mapping[str, str] | Iterable[tuple[str, str]]

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
OCTETS = "application/octet-stream"


class Response:
    """A complete response. `str` content is UTF-8 text/plain, `bytes` application/octet-stream, unless
    `media_type` says otherwise.
    """

    __slots__ = ("body", "media_type", "own_headers", "status")

    is_stream = False
    is_kept = False
    """True: its octets are rendered once for each Date (`http.kept_response`)."""

    def __init__(
        self,
        content: bytes | str = b"",
        status: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
    ) -> None:
        if type(content) is bytes:
            self.body: bytes = content
            self.media_type = media_type or (OCTETS if content else None)
        elif isinstance(content, str):
            self.body = content.encode()
            self.media_type = media_type or TEXT
        elif isinstance(content, (bytes, bytearray, memoryview)):
            self.body = bytes(content)
            self.media_type = media_type or OCTETS
        else:
            kind = type(content).__name__
            msg = f"content must be bytes or str, not {kind}; for other values use JSONResponse"
            raise TypeError(msg)
        self.status = status
        self.own_headers: MutableHeaders | None = None if headers is None else MutableHeaders(headers)
        """The fields the application set, None as long as nobody asked for them: such a head is rendered
        ahead.
        """

    @property
    def headers(self) -> MutableHeaders:
        """The fields the application set. Content-Type comes from `media_type` unless it is set here."""
        if self.own_headers is None:
            self.own_headers = MutableHeaders()
        return self.own_headers

    def keep(self) -> Response:
        """Return one to be sent many times: its octets are rendered once for each Date. It stays as this one
        is now.

        >>> HOME = HTMLResponse("<h1>Welcome</h1>").keep()
        """
        from penstock.http.kept_response import KeptResponse

        if self.is_stream:
            raise TypeError(f"a {type(self).__name__} cannot be kept: its content is made each time")
        fields = None if self.own_headers is None else self.own_headers.lines()
        return KeptResponse(Response(self.body, self.status, fields, self.media_type), may_be_coded=True)

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        expires: datetime | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = False,
        same_site: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Add one Set-Cookie field (RFC 6265). LocalProtocolError when a part could end the field early."""
        self.headers.append(
            "Set-Cookie",
            render_set_cookie(
                name,
                value,
                max_age=max_age,
                expires=expires,
                path=path,
                domain=domain,
                secure=secure,
                http_only=http_only,
                same_site=same_site,
                partitioned=partitioned,
            ),
        )

    def delete_cookie(
        self, name: str, *, path: str | None = "/", domain: str | None = None, secure: bool = False
    ) -> None:
        """Ask the client to forget a cookie; `path`, `domain` and `secure` must be those it was set with."""
        self.set_cookie(name, "", max_age=0, expires=0, path=path, domain=domain, secure=secure)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.media_type}>"


class TextResponse(Response):
    """text/plain in UTF-8."""

    __slots__ = ()

    def __init__(
        self, content: str = "", status: int = 200, headers: Fields | None = None, media_type: str = TEXT
    ) -> None:
        super().__init__(content.encode(), status, headers, media_type)


class HTMLResponse(TextResponse):
    """text/html in UTF-8."""

    __slots__ = ()

    def __init__(
        self, content: str = "", status: int = 200, headers: Fields | None = None, media_type: str = HTML
    ) -> None:
        super().__init__(content, status, headers, media_type)


class JSONResponse(Response):
    """A value as compact JSON. TypeError or ValueError at once when it cannot be encoded."""

    __slots__ = ()

    def __init__(
        self, value: object, status: int = 200, headers: Fields | None = None, media_type: str = JSON
    ) -> None:
        from penstock.http.json import dumps

        super().__init__(dumps(value), status, headers, media_type)


class RedirectResponse(Response):
    """A redirect; 307 keeps method and content (RFC 9110 §15.4.8). `location` is percent-encoded where it
    must be.
    """

    __slots__ = ()

    def __init__(self, location: str, status: int = 307, headers: Fields | None = None) -> None:
        super().__init__(b"", status, headers)
        from urllib.parse import quote

        # What is legal in a URI stays; `%` too, so that an encoded location is not encoded twice.
        self.headers["Location"] = quote(location, safe="%/:?#[]@!$&'()*+,;=~")


class StreamResponse(Response):
    """Content made piece by piece: an iterable or async iterable of bytes or str, sent as it comes.

    HTTP/1.1 gets chunked coding unless a Content-Length is set; HTTP/1.0 gets the content up to the close.
    The iterator is closed when the client leaves. `trailers` are sent after chunked content; a callable is
    asked once the content is sent.
    """

    __slots__ = ("content", "context", "pulse", "trailers")

    is_stream = True

    def __init__(
        self,
        content: Iterable[bytes | str] | AsyncIterable[bytes | str],
        status: int = 200,
        headers: Fields | None = None,
        media_type: str = OCTETS,
        trailers: Fields | Callable[[], Fields] | None = None,
    ) -> None:
        super().__init__(b"", status, headers, media_type)
        self.content = content
        self.trailers = trailers
        self.context = copy_context()
        """Where the content is made: the iterator sees the context variables of whoever made the response."""
        self.pulse: Pulse | None = None
        """What is sent when the iterator has nothing for long; None: nothing is."""


class PushResponse(StreamResponse):
    """A stream whose pieces come when their source has them, not when they are asked for. On the loop only.

    `source.begin(sink)` is called when the head is sent; the source then calls `sink.send`, and in the end
    `sink.end`. Framing and trailers are those of a StreamResponse.
    """

    __slots__ = ("source",)

    def __init__(
        self,
        source: Source,
        status: int = 200,
        headers: Fields | None = None,
        media_type: str = OCTETS,
        trailers: Fields | Callable[[], Fields] | None = None,
    ) -> None:
        super().__init__((), status, headers, media_type, trailers)
        self.source = source
