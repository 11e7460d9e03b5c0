"""Upgrades over real sockets: a 101, and then octets of another protocol both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from penstock.http.upgrade import UpgradeResponse
from penstock.server.poller import IN, make_poller
from tests.server import harness
from tests.server.certificates import Authority
from tests.server.harness import Gate, Running, endpoint, request, serve, wait_until

UPGRADE = ("Connection: Upgrade", "Upgrade: echo")


class Echo:
    """Speaks a protocol without any form: what comes goes back; `Q` ends, `A` aborts, `L` sends a lot."""

    task: Any = None

    def __init__(self) -> None:
        self.events: list[str] = []
        self.octets = b""
        self.waits: list[Any] = []

    def begin(self, link: Any) -> None:
        self.events.append("begin")
        self.link = link

    def take(self, octets: bytes) -> None:
        self.octets += octets
        if octets == b"Q":
            self.link.end()
        elif octets == b"A":
            self.link.abort()
        elif octets == b"L":
            self.waits.append(self.link.write(b"x" * 8_000_000))
            self.waits.append(self.link.write(b"y" * 10))
        else:
            assert self.link.write(octets) is None

    def end_of_input(self) -> None:
        self.events.append("end of input")
        self.link.write(b"bye")
        self.link.end()

    def drain(self, left_s: float, *, is_restart: bool) -> None:
        self.events.append(f"drain {left_s:g} {is_restart}")
        self.link.write(b"drain")

    def lost(self) -> None:
        self.events.append("lost")


class Speaking:
    """A handler that upgrades, and the speakers it made."""

    def __init__(self, make: Callable[[], Any] = Echo, protocol: str = "echo") -> None:
        self.speakers: list[Any] = []
        self._make = make
        self._protocol = protocol

    def __call__(self, request: Request) -> Response:
        if request.framing.upgrade is None:
            return TextResponse("no upgrade")
        self.speakers.append(self._make())
        return UpgradeResponse(self._protocol, self.speakers[-1], {"X-Mine": "1"})

    @property
    def speaker(self) -> Any:
        return self.speakers[-1]


def upgrade(client: harness.Client, rest: bytes = b"", target: str = "/") -> list[str]:
    """Ask for the upgrade; return the lines of the head."""
    client.send(request(target, "GET", *UPGRADE) + rest)
    return client.take_head().decode().split("\r\n")


def take(client: harness.Client, octets: bytes) -> bool:
    while len(client.octets) < len(octets):
        assert client.receive(), f"the connection ended after {client.octets!r}"
    taken, client.octets = client.octets[: len(octets)], client.octets[len(octets) :]
    return taken == octets


@pytest.mark.parametrize("run", ["inline", "task", "thread"])
def test_octets_go_both_ways_after_the_101(run: str):
    call = Speaking()
    with serve({"/": endpoint(run, call)}) as server, server.connect() as client:
        line, *fields = upgrade(client)

        assert line == "HTTP/1.1 101 Switching Protocols"
        assert {"Upgrade: echo", "Connection: Upgrade", "X-Mine: 1"} < set(fields)
        assert not [field for field in fields if field.lower().startswith(("content-", "transfer-"))]
        for piece in (b"one", b"two \r\n\r\n GET / HTTP/1.1"):
            client.send(piece)
            assert take(client, piece)
        client.send(b"Q")
        assert client.ends()
        client.close()
        wait_until(lambda: call.speaker.events[-1:] == ["lost"])
        assert call.speaker.events == ["begin", "lost"]


def test_octets_behind_the_head_go_to_the_speaker_wherever_the_segment_is_cut():
    call = Speaking()
    octets = request("/", "GET", *UPGRADE) + b"first words"
    with serve({"/": endpoint("inline", call)}) as server:
        for cut in range(len(octets)):
            with server.connect(octets[:cut]) as client:
                client.send(octets[cut:])
                client.take_head()
                assert take(client, b"first words"), cut


def test_an_upgrade_behind_pipelined_requests_is_answered_in_its_turn():
    call = Speaking()
    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        client.send(request() + request() + request("/", "GET", *UPGRADE) + b"abc")

        assert [client.take().content for _ in range(2)] == [b"no upgrade"] * 2  # type: ignore[union-attr]
        assert b" 101 " in client.take_head()
        assert take(client, b"abc")


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.0", ("Connection: Upgrade, keep-alive", "Upgrade: echo")),
        ("1.1", ("Upgrade: echo",)),
        ("1.1", ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")),
    ],
)
def test_no_upgrade_for_who_did_not_ask_for_this_one(version: str, fields: tuple[str, ...]):
    """RFC 9110 §7.8: ignored in HTTP/1.0, and where Connection does not name it; no protocol that was not asked for."""

    def call(request: Request) -> Response:
        return UpgradeResponse("echo", Echo()) if request.framing.upgrade == "echo" else TextResponse("plain")

    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        reply = client.ask("/", "GET", *fields, version=version)

        assert (reply.status, reply.content) == (200, b"plain")
        assert client.ask("/").status == 200


@pytest.mark.parametrize(
    "fields", [(), ("Connection: Upgrade", "Upgrade: other"), ("Connection: close, Upgrade", "Upgrade: echo")]
)
def test_an_application_that_switches_to_what_nobody_asked_for_is_answered_500(fields: tuple[str, ...]):
    speaker = Echo()
    call = endpoint("inline", lambda request: UpgradeResponse("echo", speaker))
    with serve({"/": call}) as server, server.connect() as client:
        assert client.ask("/", "GET", *fields).status == 500
        assert speaker.events == ["lost"]
        assert server.log.messages("did not ask for an upgrade")


def test_content_comes_before_the_other_protocol():
    seen = []

    def call(request: Request) -> Response:
        seen.append(request.body)
        return UpgradeResponse("echo", Echo())

    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        client.send(request("/", "POST", *UPGRADE, body=b"content") + b"words")
        assert b" 101 " in client.take_head()
        assert take(client, b"words")
        assert seen == [b"content"]


def test_a_writer_waits_for_a_slow_reader_and_all_of_it_arrives():
    call = Speaking()
    with (
        serve({"/": endpoint("inline", call)}) as server,
        server.connect(receive_buffer_bytes=4096) as client,
    ):
        upgrade(client)
        client.send(b"L")
        wait_until(lambda: len(call.speaker.waits) == 2)
        assert not any(wait.done() for wait in call.speaker.waits)

        assert take(client, b"x" * 8_000_000 + b"y" * 10)
        wait_until(lambda: all(wait.done() for wait in call.speaker.waits))
        assert call.speaker.link.flushed() is None


def test_a_reader_that_never_reads_is_cut_at_the_write_deadline():
    call = Speaking()
    with (
        serve({"/": endpoint("inline", call)}, write_timeout_s=0.2) as server,
        server.connect(receive_buffer_bytes=4096) as client,
    ):
        upgrade(client)
        client.send(b"L")
        wait_until(lambda: call.speaker.events[-1:] == ["lost"])
        assert call.speaker.events == ["begin", "lost"]
        assert all(wait.done() for wait in call.speaker.waits)


def test_what_is_written_last_arrives_before_the_end_that_the_speaker_asks_for():
    class Last(Echo):
        def take(self, octets: bytes) -> None:
            self.link.write(b"z" * 3_000_000)
            self.link.end()
            assert self.link.write(b"dropped") is None or self.link.flushed()

    call = Speaking(Last)
    with (
        serve({"/": endpoint("inline", call)}) as server,
        server.connect(receive_buffer_bytes=4096) as client,
    ):
        upgrade(client)
        client.send(b"go")
        client.send(b"discarded")
        assert client.take_all() == b"z" * 3_000_000


def test_a_client_that_ends_its_side_gets_what_is_under_way():
    class Last(Echo):
        def take(self, octets: bytes) -> None:
            self.link.write(b"z" * 3_000_000)
            self.link.end()

    call = Speaking(Last)
    with (
        serve({"/": endpoint("inline", call)}) as server,
        server.connect(receive_buffer_bytes=4096) as client,
    ):
        upgrade(client)
        client.send(b"go")
        wait_until(lambda: server.connections[0].unsent is not None)
        client.end()
        wait_until(lambda: server.connections[0].peer_ended)
        assert client.take_all() == b"z" * 3_000_000


def test_a_paused_link_receives_nothing_and_resumes_where_it_was():
    class Shy(Echo):
        def begin(self, link: Any) -> None:
            super().begin(link)
            link.pause()

    call = Speaking(Shy)
    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        upgrade(client)
        client.send(b"patience")
        wait_until(lambda: server.connections[0].mask & IN == 0)
        assert call.speaker.octets == b""

        server.call(call.speaker.link.resume)
        assert take(client, b"patience")


def test_a_client_that_ends_its_side_is_told_and_still_reads():
    call = Speaking()
    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        upgrade(client)
        client.end()
        assert client.take_all() == b"bye"
        wait_until(lambda: call.speaker.events[-1:] == ["lost"])
        assert call.speaker.events == ["begin", "end of input", "lost"]


@pytest.mark.parametrize("how", ["reset", "abort"])
def test_a_connection_that_breaks_is_lost_once(how: str):
    call = Speaking()
    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        upgrade(client)
        if how == "reset":
            client.reset()
        else:
            client.send(b"A")
        wait_until(lambda: call.speaker.events[-1:] == ["lost"])
        assert call.speaker.events == ["begin", "lost"]


def test_a_client_that_left_before_the_answer_is_lost_without_a_beginning():
    gate, speaker = Gate(), Echo()

    async def call(request: Request) -> Response:
        await gate.wait_async()
        return UpgradeResponse("echo", speaker)

    with serve({"/": endpoint("task", call)}) as server:
        with server.connect(request("/", "GET", *UPGRADE)) as client:
            gate.wait_reached()
            client.reset()
        wait_until(lambda: not server.connections or server.connections[0].peer_ended)
        gate.open()
        wait_until(lambda: speaker.events == ["lost"])
        server.wait_idle()


def test_drain_tells_the_speaker_and_waits_for_it():
    call = Speaking()
    with serve({"/": endpoint("inline", call)}, drain_timeout_s=60) as server, server.connect() as client:
        upgrade(client)
        server.begin_stop()
        assert take(client, b"drain")
        assert call.speaker.events[-1] == "drain 60 False"
        client.send(b"Q")
        assert client.ends()
        client.close()
        server.join()


def test_the_drain_deadline_cuts_a_speaker_that_goes_on_and_cancels_its_task():
    ended: list[str] = []

    class Deaf(Echo):
        def begin(self, link: Any) -> None:
            super().begin(link)
            self.task = asyncio.ensure_future(self.run())

        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

    call = Speaking(Deaf)
    with serve({"/": endpoint("inline", call)}, drain_timeout_s=0.2) as server, server.connect() as client:
        upgrade(client)
        server.begin_stop()
        server.join()
        assert client.take_all() == b"draindrain"
        assert call.speaker.events == ["begin", "drain 0.2 False", "drain 0 False", "lost"]
        assert ended == ["cancelled"]


def test_an_upgrade_answered_while_the_server_drains_is_told_at_once():
    gate, call = Gate(), Speaking()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return call(request)

    with (
        serve({"/": endpoint("task", wait)}) as server,
        server.connect(request("/", "GET", *UPGRADE)) as client,
    ):
        gate.wait_reached()
        server.begin_stop()
        wait_until(lambda: server.reactor.is_draining)
        gate.open()
        assert b" 101 " in client.take_head()
        assert take(client, b"drain")
        client.send(b"Q")
        assert client.ends()


def test_over_tls_too(tmp_path: Any):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    call = Speaking()
    with (
        serve({"/": endpoint("inline", call)}, tls_cert=str(certificate), tls_key=str(key)) as server,
        server.connect() as client,
    ):
        client.socket = authority.client().wrap_socket(client.socket, server_hostname="localhost")
        upgrade(client, b"behind the head")
        assert take(client, b"behind the head")
        client.send(b"L")
        assert take(client, b"x" * 8_000_000 + b"y" * 10)
        client.send(b"s" * 16_384)
        assert take(client, b"s" * 16_384)


def test_without_epoll_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.reactor.make_poller", partial(make_poller, use_epoll=False))
    call = Speaking()
    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        upgrade(client, b"rest")
        assert take(client, b"rest")
        client.send(b"L")
        assert take(client, b"x" * 8_000_000 + b"y" * 10)


def test_the_access_log_has_the_101(capsys: pytest.CaptureFixture[str]):
    lines: list[tuple[int, int]] = []

    def look(server: Running) -> None:
        server.reactor.note = lambda _, request, __, response, sent: lines.append((response.status, sent))

    with serve({"/": endpoint("inline", Speaking())}) as server, server.connect() as client:
        look(server)
        head = upgrade(client)
        assert lines == [(101, len("\r\n".join(head)) + 4)]
