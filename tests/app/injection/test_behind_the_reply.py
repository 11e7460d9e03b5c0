"""Over real sockets: what stands behind a `yield` waits for the last octet of the reply, or for the end of the client."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from penstock import App, Depends, HTTPError, Request, Response, StreamResponse
from tests.server.harness import Gate, request, serve, wait_until

BIG = b"x" * 16_000_000

KINDS = ["thread", "inline", "task", "mixed", "hop"]
THREADED = ["thread", "mixed", "hop"]


class Scene:
    """An application with handlers of one kind that depend on one generator."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.events: list[object] = []
        self.app = App(lifespan=self._live)
        self.at_end = Gate()
        """What stands behind the `yield` waits there, if the request asks for it."""
        self.threads: list[threading.Thread] = []

    async def _live(self):
        yield
        self.events.append("shutdown")

    def _plain(self, request: Request):
        self.events.append("open")
        try:
            yield
        except BaseException as error:
            self.events.append(type(error).__name__)
            raise
        finally:
            self.threads.append(threading.current_thread())
            if request.raw_query == b"wait":
                self.at_end.wait()
            self.events.append("close")

    async def _waiting(self, request: Request):
        await asyncio.sleep(0)
        self.events.append("open")
        try:
            yield
        except BaseException as error:
            self.events.append(type(error).__name__)
            raise
        finally:
            self.threads.append(threading.current_thread())
            if request.raw_query == b"wait":
                await self.at_end.wait_async()
            self.events.append("close")

    def get(self, path, answer, **options) -> None:
        """Declare a handler that returns `answer(request)`, or the awaitable it makes."""
        kind = self.kind

        def plain(request: Request):
            return answer(request)

        async def waiting(request: Request):
            found = answer(request)
            return await found if hasattr(found, "__await__") else found

        dependency = {
            "thread": Depends(self._plain),
            "inline": Depends(self._plain),
            "hop": Depends(self._plain, run="thread"),
        }.get(kind, Depends(self._waiting))
        if kind == "inline":
            options["run"] = "inline"
        handler = waiting if kind in ("task", "hop") else plain
        self.app.get(path, dependencies=[dependency], **options)(handler)

    def wait(self, *events: object) -> None:
        wait_until(lambda: self.events[-len(events) :] == list(events), f"{events} in {self.events}")


def wait_blocked(running) -> None:
    """Wait until the client has not taken all of the reply."""
    wait_until(lambda: any(one.unsent is not None for one in running.connections), "the client is slow")


def wait_done_with(running) -> None:
    wait_until(lambda: not running.reactor.lingering, "nothing lingers")


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_once_the_reply_is_out(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: "x")

    with serve(scene.app) as running, running.connect() as client:
        for _ in range(3):
            assert client.ask("/").content == b"x"
        wait_until(lambda: scene.events.count("close") == 3, "three are closed")
        wait_done_with(running)
        in_loop = {"inline", "task"}
        assert all((thread.name == "server") == (kind in {*in_loop, "mixed"}) for thread in scene.threads)


@pytest.mark.parametrize("kind", KINDS)
def test_it_waits_for_a_slow_reader(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: Response(BIG))

    with serve(scene.app) as running, running.connect() as client:
        client.send(request("/", "GET", "Connection: close"))
        wait_blocked(running)
        assert scene.events == ["open"]
        assert client.take_all().endswith(BIG)
        scene.wait("open", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leave", ["close", "reset", "end"])
def test_it_runs_when_a_slow_reader_leaves(kind, leave):
    scene = Scene(kind)
    scene.get("/", lambda request: Response(BIG))

    # Who only ends its own side may still read, and is cut off when it does not.
    with serve(scene.app, write_timeout_s=0.2 if leave == "end" else 60.0) as running:
        client = running.connect(receive_buffer_bytes=4096)
        client.send(request("/"))
        if leave != "end":
            wait_blocked(running)
            assert scene.events == ["open"]
        getattr(client, leave)()
        scene.wait("open", "close")
        wait_done_with(running)


@pytest.mark.parametrize("form", ["async", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_waits_for_a_stream_and_its_clean_up(kind, form):
    scene = Scene(kind)
    gate = Gate()

    def plain():
        try:
            yield b"first"
            gate.wait()
            yield b"last"
        finally:
            scene.events.append("stream")

    async def waiting():
        try:
            yield b"first"
            await gate.wait_async()
            yield b"last"
        finally:
            scene.events.append("stream")

    scene.get("/", lambda request: StreamResponse(waiting() if form == "async" else plain()))

    with serve(scene.app) as running, running.connect() as client:
        client.send(request("/"))
        gate.wait_reached()
        assert scene.events == ["open"]
        gate.open()
        reply = client.take()
        assert reply is not None
        assert reply.content == b"firstlast"
        scene.wait("open", "stream", "close")
        assert client.ask("/").content == b"firstlast"
        wait_done_with(running)


@pytest.mark.parametrize("form", ["async", "plain"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_the_stream_is_closed_before_when_its_client_leaves(kind, form, leave):
    scene = Scene(kind)

    def plain():
        try:
            while True:
                yield BIG
        finally:
            time.sleep(0.05)  # whoever does not wait for it is faster
            scene.events.append("stream")

    async def waiting():
        try:
            while True:
                yield BIG
        finally:
            await asyncio.sleep(0.05)
            scene.events.append("stream")

    scene.get("/", lambda request: StreamResponse(waiting() if form == "async" else plain()))

    with serve(scene.app) as running:
        client = running.connect(receive_buffer_bytes=4096)
        client.send(request("/"))
        wait_blocked(running)
        getattr(client, leave)()
        scene.wait("open", "stream", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_fails_is_seen(kind):
    scene = Scene(kind)

    async def failing():
        yield b"x"
        raise KeyError("in the stream")

    scene.get("/", lambda request: StreamResponse(failing()))

    with serve(scene.app, faults=True) as running:
        with running.connect() as client:
            client.send(request("/"))
            client.take_all()
        scene.wait("open", "KeyError", "close")
        wait_done_with(running)
        assert sum("KeyError" in text for text in running.log.tracebacks()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_head_and_empty_replies_have_an_end_too(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: StreamResponse([b"x"]))
    scene.get("/none", lambda request: None)

    with serve(scene.app) as running, running.connect() as client:
        assert client.ask("/", "HEAD").status == 200
        assert client.ask("/none").status == 204
        assert client.ask("/", "GET", "Connection: close").content == b"x"
        wait_until(lambda: scene.events.count("close") == 3, "three are closed")
        wait_done_with(running)


@pytest.mark.parametrize("kind", ["thread", "task", "mixed", "hop"])
def test_the_connection_goes_on_meanwhile(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: "x")

    with serve(scene.app) as running, running.connect() as client:
        assert client.ask("/?wait").content == b"x"
        scene.at_end.wait_reached()
        assert client.ask("/").content == b"x"
        scene.wait("open", "open", "close")
        scene.at_end.open()
        scene.wait("close", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", KINDS)
def test_requests_sent_at_once_are_answered_in_order(kind):
    scene = Scene(kind)
    scene.get("/{number}", lambda request: request.path)

    with serve(scene.app) as running, running.connect() as client:
        client.send(b"".join(request(f"/{number}") for number in range(20)))
        replies = [client.take() for _ in range(20)]
        assert [reply.content for reply in replies] == [f"/{number}".encode() for number in range(20)]
        wait_until(lambda: scene.events.count("close") == 20, "all are closed")
        wait_done_with(running)


@pytest.mark.parametrize("kind", ["thread", "task", "mixed", "hop"])
def test_a_handler_that_is_overdue_is_answered_for_and_closed_in_the_end(kind):
    scene = Scene(kind)
    gate = Gate()

    def answer(request):
        return gate.wait_async() if kind in ("task", "hop") else gate.wait()

    scene.get("/", answer, timeout_s=0.5)

    with serve(scene.app, faults=True) as running:
        assert running.ask("/").status == 504
        gate.wait_reached()
        gate.open()
        if kind == "thread":  # it cannot be ended, and returns in the end
            scene.wait("open", "close")
        else:
            scene.wait("open", "CancelledError", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", ["task", "hop"])
def test_a_handler_that_is_cancelled_with_its_client_closes_them(kind):
    scene = Scene(kind)
    gate = Gate()
    scene.get("/", lambda request: gate.wait_async(), cancel_on_disconnect=True)

    with serve(scene.app) as running:
        client = running.connect(request("/"))
        gate.wait_reached()
        client.reset()
        scene.wait("open", "CancelledError", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", ["thread", "task", "mixed", "hop"])
def test_a_handler_whose_client_has_left_closes_them(kind):
    scene = Scene(kind)
    gate = Gate()
    scene.get("/", lambda request: gate.wait_async() if kind in ("task", "hop") else gate.wait())

    with serve(scene.app) as running:
        client = running.connect(request("/"))
        gate.wait_reached()
        client.reset()
        running.wait_idle() if kind != "thread" else None
        gate.open()
        scene.wait("open", "close")
        wait_done_with(running)


@pytest.mark.parametrize("kind", ["thread", "task", "mixed", "hop"])
def test_a_server_that_stops_waits_before_it_stops_the_application(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: "x")

    with serve(scene.app) as running:
        assert running.ask("/?wait").content == b"x"
        scene.at_end.wait_reached()
        running.begin_stop()
        wait_until(lambda: running.server.draining, "the stop has begun")
        scene.at_end.open()
        running.join()
    assert scene.events == ["open", "close", "shutdown"]


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_it_waits_no_longer_than_the_drain_deadline(kind):
    scene = Scene(kind)
    scene.get("/", lambda request: "x")

    with serve(scene.app, drain_timeout_s=0.2, faults=True) as running:
        assert running.ask("/?wait").content == b"x"
        scene.at_end.wait_reached()
        running.stop()
        assert running.log.messages("1 requests were not done with behind their replies")
        scene.at_end.open()
    assert "shutdown" in scene.events


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_becomes_another_reply(kind):
    scene = Scene(kind)

    def answer(request):
        raise HTTPError(409)

    scene.get("/", answer)

    with serve(scene.app) as running, running.connect() as client:
        assert client.ask("/").status == 409
        assert scene.events == ["open", "HTTPError", "close"]
        assert client.ask("/").status == 409
        wait_done_with(running)


def test_a_thousand_clients_that_come_and_go_leave_nothing_behind():
    scenes = [Scene(kind) for kind in KINDS]
    app = App()
    for scene in scenes:
        scene.app.prefix = f"/{scene.kind}"
        scene.get("/", lambda request: Response(b"x" * 300_000))
        app.include(scene.app)

    with serve(app) as running:
        for number in range(200):
            for scene in scenes:
                client = running.connect(request(f"/{scene.kind}/"), receive_buffer_bytes=4096)
                if number % 3 == 0:
                    client.reset()
                elif number % 3 == 1:
                    client.close()
                else:
                    client.receive()
                    client.close()
        running.wait_idle()
        wait_done_with(running)
        for scene in scenes:
            assert scene.events.count("open") == scene.events.count("close")
