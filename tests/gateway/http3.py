"""A client of HTTP/3 over aioquic: one connection, `ask` one exchange, each with a deadline."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

WAIT_S = 20


@dataclass
class Exchange:
    """What came back on one stream: sections of fields (interim, final, trailers) and content."""

    sections: list[dict[str, str]] = field(default_factory=list)
    content: bytes = b""
    is_over: bool = False

    @property
    def status(self):
        return int(self.sections[0][":status"])


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._exchanges = {}
        self._changed = asyncio.Condition()

    def quic_event_received(self, event):
        for seen in self._http.handle_event(event):
            exchange = self._exchanges.get(getattr(seen, "stream_id", None))
            if exchange is None:
                continue
            if isinstance(seen, HeadersReceived):
                exchange.sections.append(
                    {name.decode(): value.decode("latin-1") for name, value in seen.headers}
                )
            elif isinstance(seen, DataReceived):
                exchange.content += seen.data
            exchange.is_over = exchange.is_over or seen.stream_ended
        self._wake = asyncio.ensure_future(self._tell())

    async def _tell(self):
        async with self._changed:
            self._changed.notify_all()

    def begin(self, path, method="GET", headers=(), *, body=b"", authority="localhost"):
        """Send a request; its exchange, which fills."""
        stream_id = self._quic.get_next_available_stream_id()
        exchange = self._exchanges[stream_id] = Exchange()
        pseudo = {":method": method, ":scheme": "https", ":authority": authority, ":path": path}
        lines = [(name.encode(), value.encode()) for name, value in [*pseudo.items(), *headers]]
        self._http.send_headers(stream_id, lines, end_stream=not body)
        if body:
            self._http.send_data(stream_id, body, end_stream=True)
        self.transmit()
        return exchange

    async def wait(self, is_reached):
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(is_reached)

    async def ask(self, path, method="GET", headers=(), **more):
        exchange = self.begin(path, method, headers, **more)
        await self.wait(lambda: exchange.is_over)
        return exchange


@asynccontextmanager
async def connected(port, authority_file):
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_REQUIRED, server_name="localhost"
    )
    configuration.load_verify_locations(str(authority_file))
    async with (
        asyncio.timeout(WAIT_S * 3),
        connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client,
    ):
        yield client
