"""What both clients share: cookies, redirects, and how a request becomes an exchange. Runs on the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from penstock.app.testing.conversation import AsyncWebSocketConnection
from penstock.app.testing.cookies import Cookies
from penstock.app.testing.exchange import Engine, Exchange, Head
from penstock.app.testing.outgoing import Options, make_outgoing
from penstock.app.testing.reply import Reply
from penstock.http.headers import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.app.application import App
    from penstock.app.testing.described import DescribedReplies
    from penstock.http.headers import HeaderSource

_REDIRECTS = 20  # browsers follow as many (Fetch §4.4)
_REDIRECTING = frozenset({301, 302, 303, 307, 308})


class Begun(NamedTuple):
    """An exchange whose head is there."""

    head: Head
    url: str
    history: list[Reply]
    exchange: Exchange


class Session:
    """The settings of a client, and what it remembers."""

    def __init__(
        self,
        app: App,
        base_url: str,
        headers: HeaderSource | None,
        cookies: Mapping[str, str] | None,
        *,
        raise_server_exceptions: bool,
        follow_redirects: bool,
        timeout: float | None,
        check_schema: bool,
    ) -> None:
        self.app = app
        self.base_url = base_url
        self.headers = MutableHeaders(headers)
        self.cookies = Cookies()
        self.cookies.update(cookies or {})
        self.raises = raise_server_exceptions
        self.follows = follow_redirects
        self.timeout_s = timeout
        self._checks_schema = check_schema
        self._described: DescribedReplies | None = None

    def timeout_of(self, options: Options) -> float | None:
        """Return the seconds for each wait."""
        return options.get("timeout", self.timeout_s)

    async def begin(self, engine: Engine, method: str, path: str, options: Options) -> Begun:
        """Send a request, follow redirects, and return with the head of the last reply."""
        outgoing = make_outgoing(method, self.base_url, path, self.headers, options)
        follows = options.get("follow_redirects", self.follows)
        history: list[Reply] = []
        while True:
            octets = outgoing.to_octets(self.cookies.header(outgoing.url, dict(options.get("cookies") or {})))
            exchange = Exchange(engine, outgoing.pieces(engine.server), raises=self.raises)
            head = await exchange.begin(octets, outgoing.scheme)
            self.cookies.keep(outgoing.url, head.headers)
            location = head.headers.get("location")
            following = None
            if follows and location is not None and head.status in _REDIRECTING:
                following = outgoing.redirected(head.status, location)
            if following is None:
                await self._check_begun(exchange, head)
                return Begun(head, outgoing.url, history, exchange)
            content = await _read(exchange)
            self._check(exchange, head, content)
            history.append(Reply(head, outgoing.url, list(history), content))
            if len(history) > _REDIRECTS:
                raise RuntimeError(f"more than {_REDIRECTS} redirects, the last to {following.url}")
            outgoing = following

    async def request(self, engine: Engine, method: str, path: str, options: Options) -> Reply:
        """The same, with all the content."""
        head, url, history, exchange = await self.begin(engine, method, path, options)
        content = await _read(exchange)
        self._check(exchange, head, content)
        return Reply(head, url, history, content)

    def _check(self, exchange: Exchange, head: Head, content: bytes | None) -> None:
        """Raise AssertionError when a reply is not as described, if that was asked for."""
        if not self._checks_schema or exchange.request is None:
            return
        if self._described is None:
            from penstock.app.testing.described import DescribedReplies

            self._described = DescribedReplies(self.app)
        self._described.check(exchange.request.method, exchange.request.route, head, content)

    async def _check_begun(self, exchange: Exchange, head: Head) -> None:
        try:
            self._check(exchange, head, None)
        except BaseException:
            await exchange.leave()
            raise

    async def connect(
        self, engine: Engine, path: str, subprotocols: Sequence[str], options: Options
    ) -> AsyncWebSocketConnection:
        """Ask for a WebSocket."""
        outgoing = make_outgoing("GET", self.base_url, path, self.headers, options)
        cookie = self.cookies.header(outgoing.url, dict(options.get("cookies") or {}))
        connection = AsyncWebSocketConnection(engine, self.timeout_of(options), raises=self.raises)
        await connection.connect(outgoing, cookie, subprotocols)
        self.cookies.keep(outgoing.url, connection.headers)
        return connection


async def _read(exchange: Exchange) -> bytes:
    pieces = []
    try:
        while piece := await exchange.next_piece():
            pieces.append(piece)
    finally:
        await exchange.leave()
    return b"".join(pieces)
