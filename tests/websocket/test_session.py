"""What a session holds and waits for: slow readers, slow handlers, dead peers, clients that never stop; over real sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect

from penstock.app.application import App
from penstock.app.websocket.socket import WebSocket
from penstock.errors import WebSocketDisconnect
from penstock.server.poller import IN
from tests.server.certificates import Authority
from tests.server.harness import Gate, Running, serve, wait_until
from tests.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, Peer, close_frame, frame

PIECE = bytes(128 * 1024)


class Shown:
    """An application whose sessions a test can look at."""

    def __init__(self, handler: Any, **options: Any) -> None:
        self.app = App()
        self.sockets: list[WebSocket] = []
        self.ends: list[Any] = []

        @self.app.websocket("/", **options)
        async def run(ws: WebSocket) -> None:
            self.sockets.append(ws)
            try:
                await handler(ws)
            except WebSocketDisconnect as error:
                self.ends.append(error.code)
                raise
            self.ends.append(None)

    @property
    def session(self) -> Any:
        return self.sockets[-1]._session


async def echo(ws: WebSocket) -> None:
    while True:
        await ws.send(await ws.receive())


def connection(server: Running) -> Any:
    return server.connections[0]


# ------------------------------------------------------------------------------------------------------------- clients


def test_a_synchronous_client_talks(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with serve(Shown(echo).app) as server, connect(f"ws://127.0.0.1:{server.port}/", max_size=None) as client:
        for message in ("", "hällo", b"", b"\0\xff", "x" * 70_000, PIECE):
            client.send(message)
            assert client.recv() == message
        client.send(["a", "b", "c"])
        assert client.recv() == "abc"
        assert client.ping().wait(20)
        client.close(4000, "bye")
        assert (client.protocol.close_code, client.protocol.close_reason) == (4000, "bye")
    assert not [record for record in caplog.records if record.name.startswith("penstock.websocket")]


def test_many_asynchronous_clients_talk_at_once():
    async def talk(port: int, number: int) -> None:
        async with connect_async(f"ws://127.0.0.1:{port}/") as client:
            for turn in range(20):
                await client.send(f"{number} {turn}")
                assert await client.recv() == f"{number} {turn}"

    async def talk_all(port: int) -> None:
        await asyncio.gather(*(talk(port, number) for number in range(50)))

    shown = Shown(echo)
    with serve(shown.app) as server:
        asyncio.run(talk_all(server.port))
        wait_until(lambda: len(shown.ends) == 50)
    assert set(shown.ends) == {1000}


def test_over_tls(tmp_path: Any):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    with (
        serve(Shown(echo).app, tls_cert=str(certificate), tls_key=str(key)) as server,
        connect(f"wss://localhost:{server.port}/", ssl=authority.client(), max_size=None) as client,
    ):
        for message in ("hällo", PIECE, "x" * 16_384):
            client.send(message)
            assert client.recv() == message


# -------------------------------------------------------------------------------------------------------------- bounds


def test_a_client_that_does_not_read_stops_a_handler_that_sends():
    sent = []

    async def send(ws: WebSocket) -> None:
        for number in range(200):
            await ws.send(PIECE)
            sent.append(number)

    with serve(Shown(send).app) as server, Peer(server.port, receive_buffer_bytes=4096) as peer:
        wait_until(lambda: connection(server).unsent is not None)
        held = len(sent)
        assert held < 40
        assert len(connection(server).unsent) <= len(PIECE) + 10

        frames = [peer.take() for _ in range(201)]

        assert [one.opcode for one in frames if one] == [BINARY] * 200 + [CLOSE]


def test_many_tasks_that_send_to_one_slow_client_hold_one_message_between_them():
    async def broadcast(ws: WebSocket) -> None:
        await ws.accept()
        await asyncio.gather(*(ws.send(PIECE) for _ in range(100)))

    with serve(Shown(broadcast).app) as server, Peer(server.port, receive_buffer_bytes=4096) as peer:
        wait_until(lambda: connection(server).unsent is not None)
        for _ in range(20):
            assert connection(server).unsent is None or len(connection(server).unsent) <= len(PIECE) + 10
            assert peer.take() == Frame(BINARY, PIECE)
        assert sum(one.opcode == BINARY for one in peer.take_all_but_close()) == 80


def test_a_client_that_does_not_read_is_cut_off_and_the_handler_told():
    async def send(ws: WebSocket) -> None:
        while True:
            await ws.send(PIECE)

    shown = Shown(send)
    with serve(shown.app, write_timeout_s=0.2) as server, Peer(server.port, receive_buffer_bytes=4096):
        wait_until(lambda: shown.ends)
        assert shown.ends == [1006]
        assert server.log.messages("did not read within")


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_handler_that_does_not_receive_stops_the_client(size: int):
    gate = Gate()

    async def wait(ws: WebSocket) -> None:
        await ws.accept()
        await gate.wait_async()
        async for message in ws:
            if message == b"last":
                await ws.send("seen")

    shown = Shown(wait)
    octets = memoryview(frame(BINARY, bytes(size)) * (2000 if size == 1 else 100) + frame(BINARY, b"last"))
    with (
        serve(shown.app, ws_queue_limit=8, ws_ping_interval_s=1.5, ws_ping_timeout_s=1.5) as server,
        Peer(server.port) as peer,
    ):
        peer.socket.setblocking(False)

        def send_some() -> None:
            nonlocal octets
            try:
                octets = octets[peer.socket.send(octets) :]
            except BlockingIOError:
                pass

        wait_until(lambda: send_some() or (shown.sockets and not connection(server).mask & IN))
        codec = shown.session._codec
        assert 1 <= len(codec.messages) <= 8
        assert sum(map(len, codec.messages)) <= 1024 * 1024 + size
        assert len(codec._held) <= 2 * 65_536 + size
        first = shown.session._ping_timer.when()
        wait_until(lambda: shown.session._ping_timer.when() > first + 3.2)

        gate.open()  # later than a ping would have waited
        peer.socket.setblocking(True)
        peer.send(octets)
        while (found := peer.take()) is not None and found.opcode == PING:
            peer.send(frame(PONG, found.data))
        assert found == Frame(TEXT, b"seen")


def test_a_handler_that_always_has_messages_lets_others_have_a_turn():
    turns = []

    async def count(ws: WebSocket) -> None:
        await ws.accept()

        async def tick() -> None:
            while True:
                turns.append("tick")
                await asyncio.sleep(0)

        ticker = asyncio.create_task(tick())
        for _ in range(5000):
            await ws.receive()
            turns.append("message")
        ticker.cancel()

    shown = Shown(count)
    with serve(shown.app, ws_queue_limit=5000) as server, Peer(server.port) as peer:
        peer.send(frame(TEXT, b"") * 5000)
        closed = peer.take()
        assert closed and closed.code == 1000
    assert "message" * 70 not in "".join(turns)


def test_a_client_that_sends_pings_and_reads_no_pongs_is_not_listened_to():
    async def listen(ws: WebSocket) -> None:
        await ws.receive()

    with serve(Shown(listen).app) as server, Peer(server.port, receive_buffer_bytes=4096) as peer:
        peer.socket.setblocking(False)
        pings = frame(PING, b"x" * 125) * 500
        sent = 0
        try:
            while sent < 100_000_000:
                sent += peer.socket.send(pings[sent % len(pings) :])  # the last may have been cut
        except BlockingIOError:
            pass
        wait_until(lambda: not connection(server).mask & IN)
        assert len(connection(server).unsent) < 300_000

        peer.socket.setblocking(True)
        pongs = 0
        while pongs < sent // len(frame(PING, b"x" * 125)):
            found = peer.take()
            assert found and found.opcode == PONG
            pongs += 1


# ---------------------------------------------------------------------------------------------------- silence and ends


def test_a_dead_peer_is_found_by_ping_and_the_handler_told():
    shown = Shown(echo)
    with serve(shown.app, ws_ping_interval_s=0.1, ws_ping_timeout_s=0.1) as server, Peer(server.port) as peer:
        assert peer.take() == Frame(PING, b"")
        assert peer.ends()
        wait_until(lambda: shown.ends == [1006])
        assert server.log.messages("no answer to a ping within 0.1 s")


@pytest.mark.parametrize("answer", [frame(PONG), frame(TEXT, b"anything")])
def test_who_answers_pings_by_whatever_stays(answer: bytes):
    with (
        serve(Shown(echo).app, ws_ping_interval_s=0.5, ws_ping_timeout_s=2.0) as server,
        Peer(server.port) as peer,
    ):
        pings = 0
        while pings < 8:  # for longer than one may go without an answer
            found = peer.take()
            assert found
            if found.opcode == PING:
                pings += 1
                peer.send(answer)


def test_who_speaks_by_itself_is_not_asked():
    with serve(Shown(echo).app, ws_ping_interval_s=2.0) as server, Peer(server.port) as peer:
        end = time.monotonic() + 2.6
        while time.monotonic() < end:
            peer.send(frame(TEXT, b"here"))
            assert peer.take() == Frame(TEXT, b"here")
            peer.socket.settimeout(0.02)
            with pytest.raises(TimeoutError):
                peer.take()
            peer.socket.settimeout(20)


def test_a_close_waits_for_the_answer_to_what_came_before_it():
    async def slow(ws: WebSocket) -> None:
        async for message in ws:
            await asyncio.sleep(0.1)
            await ws.send(message)

    shown = Shown(slow)
    with serve(shown.app) as server, Peer(server.port) as peer:
        peer.send(frame(TEXT, b"a"), frame(TEXT, b"b"), close_frame(4000))
        assert [one.data for one in peer.take_all()] == [b"a", b"b", b"\x0f\xa0"]
        wait_until(lambda: shown.ends == [None])


def test_a_close_does_not_wait_for_a_handler_that_never_receives():
    async def send(ws: WebSocket) -> None:
        while True:
            await ws.send("tick")
            await asyncio.sleep(0.01)

    shown = Shown(send)
    with serve(shown.app) as server, Peer(server.port) as peer:
        peer.send(frame(TEXT, b"unread"), close_frame(4000))
        *ticks, closed = peer.take_all()
        assert {one.data for one in ticks} == {b"tick"} and closed.code == 4000
        wait_until(lambda: shown.ends == [4000])


@pytest.mark.parametrize("how", ["end", "reset", "half a frame"])
def test_a_client_that_leaves_without_a_close_is_1006(how: str):
    shown = Shown(echo)
    with serve(shown.app) as server, Peer(server.port) as peer:
        peer.send(frame(TEXT, b"x"))
        assert peer.take() == Frame(TEXT, b"x")
        if how == "reset":
            peer.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: leave with a reset
            peer.socket.close()
        else:
            peer.send(frame(TEXT, b"half")[:-1] if how != "end" else b"")
            peer.end()
        wait_until(lambda: shown.ends == [1006])
        server.wait_idle()


def test_who_does_not_answer_a_close_is_cut_off_and_what_it_sends_is_ignored():
    async def brief(ws: WebSocket) -> None:
        await ws.receive()

    shown = Shown(brief)
    with serve(shown.app, ws_close_timeout_s=2.0, ws_queue_limit=2) as server, Peer(server.port) as peer:
        peer.send(frame(TEXT, b"x") * 1000, frame(PING, b"still there"))
        assert [(one.opcode, one.data[:5]) for one in peer.take_all()] == [
            (CLOSE, b"\x03\xe8"),
            (PONG, b"still"),
        ]
        server.wait_idle()


def test_nothing_is_left_of_a_session_that_ended():
    shown = Shown(echo)
    with serve(shown.app) as server:
        for _ in range(3):
            with Peer(server.port) as peer:
                peer.send(close_frame())
                assert peer.take() == Frame(CLOSE, b"\x03\xe8")
                assert peer.ends()
        wait_until(lambda: len(shown.ends) == 3)
        server.wait_idle()
        timers: list[Any] = []
        server.call(lambda: timers.append(list(server.reactor.loop._scheduled)))
        wait_until(lambda: timers)
        names = [repr(timer) for timer in timers[0] if not timer.cancelled()]
        assert not [name for name in names if "Session" in name or "abort" in name]
