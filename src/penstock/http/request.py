"""The request a handler gets: the very object the wire made, nothing copied or wrapped.

The wire fills in what it matched (`method`, `raw_path`, `raw_query`, `headers`, `framing`); everything
derived is made when first asked for. One request belongs to one handler at a time, so laziness needs no lock.
"""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.errors import Malformed
from penstock.http.cookies import cookies_of
from penstock.http.framing import Framing
from penstock.http.headers import Headers
from penstock.http.traced import TracedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.http.form import FormData, FormLimits
    from penstock.http.handler import BodyStream, ConnectionView, Draining, Ending, ServerView
    from penstock.http.query import Query
    from penstock.http.response import Response
    from penstock.http.session import Session, SessionOpener


T = TypeVar("T")

_VERSIONS = {b"0": "1.0", b"1": "1.1", b"2": "2", b"3": "3"}

NO_PARAMS: Mapping[str, object] = MappingProxyType({})


class Request(TracedRequest):
    """One HTTP request. `body` is complete and within the limit before a handler sees it, unless it asked for
    a stream.
    """

    __slots__ = (
        "_rest",
        "body",
        "connection",
        "framing",
        "headers",
        "method",
        "path_params",
        "raw_path",
        "raw_query",
        "route",
        "version",
    )

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        version: bytes,
        headers: Headers,
        framing: Framing,
    ) -> None:
        # PERF: one per request, so every slot costs 10 ns; what few requests need shares the dict `_rest`.
        self.method = method
        self.raw_path = raw_path
        """The path as it came, still percent-encoded; `*` for asterisk-form."""
        self.raw_query = raw_query
        self.version = version
        """b"1" for HTTP/1.1, b"0" for HTTP/1.0; behind another server b"2" and b"3" for HTTP/2 and HTTP/3."""
        self.headers = headers
        self.framing = framing
        self.body = b""
        self.connection: ConnectionView | None = None
        self.route: str | None = None
        """The template of the route that matched, such as `/users/{user_id}`."""
        self.path_params: Mapping[str, object] = NO_PARAMS
        """What the template's parameters matched, converted; empty for a literal path."""
        self._rest: dict[str, Any] | None = None

    def _keep(self, name: str, value: Any) -> Any:
        """Keep a derived value for the next question."""
        if self._rest is None:
            self._rest = {}
        self._rest[name] = value
        return value

    def _kept(self, name: str) -> Any:
        return self._rest.get(name) if self._rest is not None else None

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
            method,
            path,
            query,
            b"1",
            Headers.from_pairs(headers),
            Framing(content_length=len(body) if body else None),
        )
        request.body = body
        return request

    @property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8. `%2F` has become `/` here: match on `raw_path`. Malformed, a
        ValueError that is answered 400, when not UTF-8.
        """
        path: str | None = self._kept("path")
        if path is None:
            if 0x25 in self.raw_path:  # "%"; PERF: 0.01 us, b"%" takes 0.14
                from penstock.http.query import decode_segment

                try:
                    path = decode_segment(self.raw_path)
                except ValueError as error:
                    raise Malformed(f"the path: {error}") from None
            else:
                path = self.raw_path.decode("ascii")
            self._keep("path", path)
        return path

    @property
    def query(self) -> Query:
        """The parsed query. Malformed, a ValueError answered with 400, when it is not UTF-8 once decoded."""
        query: Query | None = self._kept("query")
        if query is None:
            from penstock.http.query import parse_query

            try:
                query = self._keep("query", parse_query(self.raw_query))
            except ValueError as error:
                raise Malformed(str(error)) from None
        return query

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies the client sent; the first of a repeated name wins."""
        cookies: dict[str, str] | None = self._kept("cookies")
        if cookies is None:
            cookies = self._keep("cookies", cookies_of(self.headers.get("cookie", "")))
        return cookies

    @property
    def authority(self) -> bytes | None:
        """What an absolute-form or authority-form target names; it beats the Host field (RFC 9112 §3.2.2)."""
        authority: bytes | None = self._kept("authority")
        return authority

    @authority.setter
    def authority(self, value: bytes | None) -> None:
        self._keep("authority", value)

    @property
    def is_plain(self) -> bool:
        """True as long as nothing is known of it but what its head says: no prefix, no other authority."""
        return self._rest is None

    @property
    def trailers(self) -> Headers | None:
        """The trailer section of chunked content, empty when there was none; None for other content."""
        trailers: Headers | None = self._kept("trailers")
        return trailers

    @trailers.setter
    def trailers(self, value: Headers | None) -> None:
        self._keep("trailers", value)

    @property
    def stream(self) -> BodyStream | None:
        """The content as it arrives, for a handler that asked for it; else None."""
        stream: BodyStream | None = self._kept("stream")
        return stream

    @stream.setter
    def stream(self, value: BodyStream | None) -> None:
        self._keep("stream", value)

    def text(self) -> str:
        """Return the body as UTF-8 text. Malformed, a ValueError that is answered 400, when it is not."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"the body is not UTF-8 at octet {error.start}") from None

    def json(self) -> object:
        """Return the body parsed as JSON. Malformed, a ValueError that is answered 400, with the place,
        when it is not JSON.
        """
        from penstock.http.json import loads

        try:
            return loads(self.body)
        except ValueError as error:
            raise Malformed(f"the body is not JSON: {error}") from None

    def form(self, limits: FormLimits | None = None) -> FormData:
        """Return the body parsed as a form, urlencoded or multipart; the same one each time. `limits` beside
        those of the route count when it is first asked for.

        HTTPError 415 when the body is no form, 400 when it is malformed, 413 beyond a limit. RuntimeError for
        a handler that streams its content.
        """
        form: FormData | None = self._kept("form")
        if form is None:
            from penstock.http.form import DEFAULT_LIMITS, read_form

            form = self.keep_form(read_form(self, limits or self._kept("form_limits") or DEFAULT_LIMITS))
        return form

    def keep_form(self, form: FormData) -> FormData:
        """Have `form` return this one, unless a check refuses it."""
        for check in self._kept("form_checks") or ():
            check(form)
        self._keep("form", form)
        return form

    def expect_form(self) -> None:
        """The form is received as it comes, and kept before a handler sees it."""
        self._keep("form_checks", [])

    def check_form(self, check: Callable[[FormData], None]) -> bool:
        """Have `check(form)` look at a form that is still to come; it may raise. False when none is."""
        checks: list[Callable[[FormData], None]] | None = self._kept("form_checks")
        if checks is None:
            return False
        checks.append(check)
        return True

    def limit_form(self, limits: FormLimits) -> None:
        """Have `form` hold a body to these limits, unless it is told others."""
        self._keep("form_limits", limits)

    @property
    def http_version(self) -> str:
        """1.0 or 1.1; 2 or 3 behind a server that speaks them."""
        return _VERSIONS[self.version]

    @property
    def target(self) -> str:
        """Path and query as they came."""
        raw = self.raw_path + b"?" + self.raw_query if self.raw_query else self.raw_path
        return raw.decode("ascii")

    @property
    def host(self) -> str:
        """Host and port the client addressed, from the target when it names one, else from Host; "" in
        HTTP/1.0 without.
        """
        if self.authority is not None:
            return self.authority.decode("ascii")
        return self.headers.get("host", "")

    @property
    def scheme(self) -> str:
        return self.connection.scheme if self.connection is not None else "http"

    @property
    def prefix(self) -> str:
        """What a trusted proxy took off the path before it passed the request on: "", or "/shop"."""
        return self._kept("prefix") or ""

    @prefix.setter
    def prefix(self, value: str) -> None:
        self._keep("prefix", value)

    @property
    def mounted_at(self) -> str:
        """The beginning of the path below which an application is mounted that answers: "", or "/legacy"."""
        return self._kept("mounted_at") or ""

    @mounted_at.setter
    def mounted_at(self, value: str) -> None:
        self._keep("mounted_at", value)

    @property
    def url(self) -> str:
        """The absolute URL the client asked for."""
        return f"{self.scheme}://{self.host}{self.prefix}{self.target}"

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the peer, or of the client a trusted proxy names (port 0 when it names none);
        None for a request that came over no TCP socket.
        """
        return self.connection.client if self.connection is not None else None

    @property
    def client_certificate(self) -> dict[str, Any] | None:
        """The certificate the peer of the connection proved to have (`--tls-client-ca`), as the dict of
        `ssl.SSLSocket.getpeercert`: subject, issuer, serialNumber, subjectAltName. None when it was not asked
        for one. Behind a proxy it is the proxy's.
        """
        return self.connection.client_certificate if self.connection is not None else None

    @property
    def server(self) -> ServerView | None:
        """The server this request came through: pools, drain state. None in process, as in tests."""
        return self.connection.server if self.connection is not None else None

    @property
    def draining(self) -> Draining:
        """True once the server has begun to stop, and awaitable until then: for streams and for work that
        goes on and on. RuntimeError for a request that came through no server.
        """
        server = self.server
        if server is None:
            raise RuntimeError("this request came through no server, so nothing will tell of its end")
        return server.draining

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event an EventSource saw before it connected again; None when it says none."""
        from penstock.http.events import parse_last_event_id

        return parse_last_event_id(self.headers)

    @property
    def own_response(self) -> Response | None:
        """The copy that was made for this request alone, as long as nobody may have kept it; for hooks."""
        response: Response | None = self._kept("own_response")
        return response

    @own_response.setter
    def own_response(self, value: Response | None) -> None:
        self._keep("own_response", value)

    @property
    def state(self) -> SimpleNamespace:
        """A place for what hooks and handlers hand on to each other during this request."""
        state: SimpleNamespace | None = self._kept("state")
        if state is None:
            state = self._keep("state", SimpleNamespace())
        return state

    @property
    def is_personal(self) -> bool:
        """True once the answer may hold a secret of this client, as a CSRF token is: it is for no cache."""
        return bool(self._kept("is_personal"))

    @is_personal.setter
    def is_personal(self, value: bool) -> None:
        self._keep("is_personal", value)

    @property
    def identified_by(self) -> frozenset[str]:
        """The fields, in lower case and beside Authorization and Cookie, by which a scheme told who asks."""
        return self._kept("identified_by") or frozenset()

    @identified_by.setter
    def identified_by(self, value: frozenset[str]) -> None:
        self._keep("identified_by", value)

    @property
    def has_failed(self) -> bool:
        """True once an exception was answered: whoever answered it has seen all of the request."""
        return bool(self.failure)

    @property
    def failure(self) -> str:
        """The name of the exception that was answered, "" for none; the exception itself may hold secrets."""
        return self._kept("failure") or ""

    @failure.setter
    def failure(self, value: str) -> None:
        self._keep("failure", value)

    @property
    def csrf(self) -> Any:
        """What the hook `CSRF` knows of this request, for `csrf_token`; None without the hook."""
        return self._kept("csrf")

    @csrf.setter
    def csrf(self, value: Any) -> None:
        self._keep("csrf", value)

    @property
    def session(self) -> Session:
        """What is remembered of this client (`CookieSessions`, `ServerSessions`). RuntimeError without."""
        session = self.opened_session
        if session is None:
            opener: SessionOpener | None = self._kept("session_opener")
            if opener is None:
                raise RuntimeError("request.session needs a hook that opens it: CookieSessions(secret)")
            session = self.session = opener.open_session(self)
        return session

    @session.setter
    def session(self, value: Session) -> None:
        self._keep("session", value)

    @property
    def opened_session(self) -> Session | None:
        """The session, read or not; None when nobody asked for it yet."""
        session: Session | None = self._kept("session")
        return session

    def open_session_with(self, opener: SessionOpener) -> None:
        """Have `opener` open the session for whoever asks for it first."""
        # PERF: most requests do not; 0.2 us instead of 1.4 for an object.
        self._keep("session_opener", opener)

    def state_of(self, kind: type[T]) -> T:
        """Return this request's own `kind()`, made when first asked for: `state` with a type.

        >>> Request.build().state_of(list)
        []
        """
        states: dict[type, Any] | None = self._kept("states")
        if states is None:
            states = self._keep("states", {})
        if kind not in states:
            states[kind] = kind()
        found: T = states[kind]
        return found

    def linger(self, ending: Ending) -> None:
        """Have `ending` run once the reply is out; the endpoint must be one that `lingers`."""
        endings: list[Ending] | None = self._kept("endings")
        if endings is None:
            self._keep("endings", [ending])
        else:
            endings.append(ending)

    def take_endings(self) -> list[Ending]:
        """Return what is to be run, the last one left first; nobody else gets it again."""
        endings: list[Ending] | None = self._kept("endings")
        if endings is None:
            return []
        self._keep("endings", None)
        return endings[::-1]

    def __repr__(self) -> str:
        from penstock.http.redaction import redactor

        # The query stays out, whatever is in it.
        return f"<Request {self.method} {redactor().path(self.raw_path)}>"
