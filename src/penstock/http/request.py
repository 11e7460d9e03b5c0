"""The request a handler gets: the very object the wire made, nothing copied or wrapped.

The wire fills in what it matched (`method`, `raw_path`, `raw_query`, `headers`, `framing`); everything derived is made when
first asked for. One request belongs to one handler at a time, so laziness needs no lock.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from penstock.http.framing import Framing
from penstock.http.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.handler import BodyStream, ConnectionView, ServerView
    from penstock.http.query import Query


class Request:
    """One HTTP request. `body` is complete and within the limit before a handler sees it, unless it asked for a stream."""

    __slots__ = (
        "_cookies",
        "_path",
        "_query",
        "_state",
        "_trace_id",
        "authority",
        "body",
        "connection",
        "framing",
        "headers",
        "method",
        "path_params",
        "raw_params",
        "raw_path",
        "raw_query",
        "route",
        "stream",
        "trailers",
        "version",
    )

    def __init__(
        self, method: str, raw_path: bytes, raw_query: bytes, version: bytes, headers: Headers, framing: Framing
    ) -> None:
        # PERF: every slot is set here; a class-level default would need an instance dict, 0.1 us dearer per request.
        self.method = method
        self.raw_path = raw_path
        """The path as it came, still percent-encoded; `*` for asterisk-form."""
        self.raw_query = raw_query
        self.version = version
        """b"1" for HTTP/1.1, b"0" for HTTP/1.0: the minor version digit."""
        self.headers = headers
        self.framing = framing
        self.body = b""
        self.authority: bytes | None = None
        """From an absolute-form or authority-form target; it beats the Host field (RFC 9112 §3.2.2)."""
        self.trailers: Headers | None = None
        self.connection: ConnectionView | None = None
        self.stream: BodyStream | None = None
        self.route: str | None = None
        """The template of the route that matched, such as `/users/{user_id}`."""
        self.raw_params: tuple[str, ...] = ()
        self.path_params: dict[str, object] | None = None
        self._path: str | None = None
        self._query: Query | None = None
        self._cookies: dict[str, str] | None = None
        self._trace_id: str | None = None
        self._state: SimpleNamespace | None = None

    @classmethod
    def build(
        cls,
        method: str = "GET",
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (("host", "test"),),
        body: bytes = b"",
    ) -> Request:
        """Return a request made by hand, for tests and tools. `target` is origin-form and percent-encoded.

        >>> Request.build(target="/a%20b?x=1").path
        '/a b'
        """
        path, _, query = target.encode("ascii").partition(b"?")
        request = cls(
            method, path, query, b"1", Headers.from_pairs(headers), Framing(content_length=len(body) if body else None)
        )
        request.body = body
        return request

    @property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8. `%2F` has become `/` here: match on `raw_path`. ValueError when not UTF-8."""
        if self._path is None:
            if b"%" in self.raw_path:
                from penstock.http.query import decode_segment

                self._path = decode_segment(self.raw_path)
            else:
                self._path = self.raw_path.decode("ascii")
        return self._path

    @property
    def query(self) -> Query:
        """The parsed query. ValueError when its octets are not UTF-8 after decoding."""
        if self._query is None:
            from penstock.http.query import parse_query

            self._query = parse_query(self.raw_query)
        return self._query

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies the client sent; the first of a repeated name wins."""
        if self._cookies is None:
            from penstock.http.cookies import parse_cookies

            self._cookies = parse_cookies(self.headers.get("cookie", ""))
        return self._cookies

    def text(self) -> str:
        """Return the body as UTF-8 text. UnicodeDecodeError, a ValueError, when it is not."""
        return self.body.decode()

    def json(self) -> object:
        """Return the body parsed as JSON. ValueError with the place when it is not JSON."""
        from penstock.http.json import loads

        return loads(self.body)

    @property
    def http_version(self) -> str:
        return "1.1" if self.version == b"1" else "1.0"

    @property
    def target(self) -> str:
        """Path and query as they came."""
        raw = self.raw_path + b"?" + self.raw_query if self.raw_query else self.raw_path
        return raw.decode("ascii")

    @property
    def host(self) -> str:
        """Host and port the client addressed, from the target when it names one, else from Host; "" in HTTP/1.0 without."""
        if self.authority is not None:
            return self.authority.decode("ascii")
        return self.headers.get("host", "")

    @property
    def scheme(self) -> str:
        return self.connection.scheme if self.connection is not None else "http"

    @property
    def url(self) -> str:
        """The absolute URL the client asked for."""
        return f"{self.scheme}://{self.host}{self.target}"

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the peer, or None for a request that came over no TCP socket."""
        return self.connection.client if self.connection is not None else None

    @property
    def server(self) -> ServerView | None:
        """The server this request came through: pools, drain state. None in process, as in tests."""
        return self.connection.server if self.connection is not None else None

    @property
    def trace_id(self) -> str:
        """32 lower-case hex digits: from `traceparent` (W3C Trace Context) when valid, else random, the same all request long."""
        if self._trace_id is None:
            from penstock.http.trace import trace_id_of

            self._trace_id = trace_id_of(self.headers.get("traceparent", ""))
        return self._trace_id

    @property
    def state(self) -> SimpleNamespace:
        """A place for what hooks and handlers hand on to each other during this request."""
        if self._state is None:
            self._state = SimpleNamespace()
        return self._state

    def __repr__(self) -> str:
        # The query may carry secrets; it stays out.
        return f"<Request {self.method} {self.raw_path.decode('ascii')}>"
