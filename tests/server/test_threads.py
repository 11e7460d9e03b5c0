"""The thread pool, alone and behind a server: bounds, figures, races with the reactor, clients that leave."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from penstock.server.threads import ThreadPool
from tests.server.harness import Client, Gate, endpoint, request, serve, wait_until


class Pool:
    """A ThreadPool with a way to fill it."""

    def __init__(self, size: int, limit: int) -> None:
        self.pool = ThreadPool(size, limit)
        self.gate = Gate()
        self.done = 0
        self._lock = threading.Lock()

    def block(self) -> None:
        self.gate.wait()
        with self._lock:
            self.done += 1

    def active(self) -> int:
        return self.pool.figures()["active_workers"]


@pytest.fixture
def pool() -> Iterator[Pool]:
    one = Pool(3, 2)
    yield one
    one.gate.open()
    assert one.pool.stop(5)


def test_the_pool_grows_to_its_size_then_queues_then_refuses(pool: Pool):
    for count in range(1, 4):
        assert pool.pool.submit(pool.block)
        wait_until(lambda count=count: pool.active() == count, "a thread is at work")
    assert pool.pool.submit(pool.block)
    assert pool.pool.submit(pool.block)

    assert not pool.pool.submit(pool.block)
    assert pool.pool.figures() == {
        "total_workers": 3,
        "active_workers": 3,
        "idle_workers": 0,
        "queue_depth": 2,
    }
    pool.gate.open()
    wait_until(lambda: pool.done == 5, "all that was taken is done")
    wait_until(lambda: pool.active() == 0, "all are idle")
    assert pool.pool.figures() == {
        "total_workers": 3,
        "active_workers": 0,
        "idle_workers": 3,
        "queue_depth": 0,
    }


def test_a_burst_is_taken_up_to_threads_and_queue(pool: Pool):
    taken = [pool.pool.submit(pool.block) for _ in range(20)]

    assert taken.count(True) == 5
    assert taken[:5] == [True] * 5


def test_work_already_begun_is_never_refused(pool: Pool):
    from contextvars import copy_context

    for _ in range(20):
        pool.pool.continue_in(copy_context(), pool.block)
    pool.gate.open()

    wait_until(lambda: pool.done == 20, "all of it is done")


def test_without_a_queue_only_a_free_thread_takes_work():
    one = Pool(1, 0)

    assert one.pool.submit(one.block)
    one.gate.wait_reached()
    assert not one.pool.submit(one.block)
    one.gate.open()
    wait_until(lambda: one.active() == 0, "the thread is free")
    assert one.pool.submit(one.block)

    assert one.pool.stop(5)


def test_a_job_never_waits_behind_a_stuck_one_while_the_pool_may_grow():
    for _ in range(200):
        one = Pool(2, 10)
        ran = threading.Event()
        one.pool.submit(one.block)
        one.pool.submit(ran.set)

        assert ran.wait(5), "it waits behind the stuck one"

        one.gate.open()
        assert one.pool.stop(5)


def test_a_thread_that_takes_a_job_counts_as_busy_before_it_says_so():
    one = Pool(2, 10)
    one.pool.submit(one.block)
    one.gate.wait_reached()
    worker = one.pool._threads[0]
    worker.is_active = False  # as between taking a job and saying so

    ran = threading.Event()
    one.pool.submit(ran.set)

    assert ran.wait(5), "it waits behind the stuck one"
    one.gate.open()
    assert one.pool.stop(5)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_job_that_raises_does_not_end_its_thread(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
):
    one = Pool(1, 10)

    def fail() -> None:
        raise error

    one.pool.submit(fail)
    ran = threading.Event()
    one.pool.submit(ran.set)

    assert ran.wait(5)
    assert one.pool.stop(5)
    assert "a job failed" in caplog.text


def test_stop_reports_a_thread_that_does_not_end():
    one = Pool(1, 1)
    one.pool.submit(one.block)
    one.gate.wait_reached()

    assert not one.pool.stop(0.05)

    one.gate.open()


# Behind a server.


def test_beyond_the_queue_requests_get_503_with_retry_after_and_the_connection_stays():
    gate = Gate()

    def block(request: Request) -> Response:
        if request.raw_path == b"/.wait":
            gate.wait()
        return TextResponse("done")

    with serve({"/": endpoint("thread", block)}, threads=2, queue_limit=1) as server:
        waiting = []
        for count in range(1, 4):
            waiting.append(server.connect(request("/.wait")))
            wait_until(
                lambda count=count: (
                    sum(map(server.server.thread_pool().get, ("active_workers", "queue_depth"))) == count
                ),
                "it is taken",
            )
        with server.connect() as client:
            for _ in range(3):
                reply = client.ask("/")

                assert reply.status == 503
                assert reply.get("retry-after") == "1"
                assert reply.get("content-type") == "application/problem+json"
                assert not reply.closes
            gate.open()
            for one in waiting:
                assert one.take().status == 200  # type: ignore[union-attr]
                one.close()
            assert client.ask("/").status == 200


def test_run_in_thread_returns_raises_and_refuses():
    gate = Gate()

    async def call(request: Request) -> Response:
        view: Any = request.server
        if request.raw_path == b"/.block":
            await view.run_in_thread(gate.wait)
            return TextResponse("went on")
        try:
            return TextResponse(str(await view.run_in_thread(divmod, 7, int(request.raw_query or b"2"))))
        except ZeroDivisionError as error:
            return TextResponse(f"raised {type(error).__name__}")

    with serve({"/": endpoint("task", call)}, threads=1, queue_limit=0) as server:
        for target, content in (("/", b"(3, 1)"), ("/?0", b"raised ZeroDivisionError")):
            assert server.ask(target).content == content
            # The answer leaves before the thread has counted its job as done.
            wait_until(lambda: not server.server._threads._count_unfinished(), "the thread is free")
        with server.connect(request("/.block")) as blocked:
            gate.wait_reached()

            refused = server.ask("/")

            assert (refused.status, refused.get("retry-after")) == (503, "1")
            gate.open()
            assert blocked.take().content == b"went on"  # type: ignore[union-attr]


def routes() -> dict[str, Any]:
    def echo(request: Request) -> Response:
        return TextResponse(request.raw_path.decode() + request.body.decode())

    async def echo_late(request: Request) -> Response:
        await asyncio.sleep(0)
        return echo(request)

    def stream(request: Request) -> Response:
        text = request.raw_path.decode() + request.body.decode()
        return StreamResponse(iter([text[:3], text[3:]]))

    def read(request: Request) -> Response:
        return TextResponse(request.raw_path.decode() + request.stream.read_sync().decode())  # type: ignore[union-attr]

    async def later(request: Request) -> Response:
        return echo(request)

    return {
        "/inline": endpoint("inline", echo),
        "/thread": endpoint("thread", echo),
        "/task": endpoint("task", echo),
        "/late": endpoint("task", echo_late),
        "/stream": endpoint("thread", stream),
        "/read": endpoint("thread", read, streams_body=True),
        "/threadlater": endpoint("thread", later),
    }


@pytest.fixture(params=["held", "sent at once"])
def holding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies of threads are held whenever more jobs wait, or never."""
    least_s = -1.0 if request.param == "held" else 1e9
    monkeypatch.setattr("penstock.server.threads._LEAST_CPU_S", least_s)


@pytest.mark.usefixtures("holding")
def test_every_reply_belongs_to_its_request_under_load():
    names = [*routes(), "/thread", "/thread", "/thread"]
    failures: list[str] = []
    counts = [0] * 64

    def goes_on() -> bool:
        return time.monotonic() < least or (sum(counts) <= 500 and time.monotonic() < least + 30)

    def work(seed: int, port: int) -> None:
        chance = random.Random(seed)
        count = 0
        try:
            while goes_on():
                with Client(port) as client:
                    for _ in range(chance.randrange(1, 20)):
                        wanted = []
                        octets = []
                        for _ in range(chance.choice((1, 1, 1, 2, 5))):
                            target, body = (
                                f"{chance.choice(names)}.{seed}.{count}",
                                b"b%d" % count if chance.random() < 0.3 else None,
                            )
                            octets.append(request(target, "POST" if body else "GET", body=body))
                            wanted.append(target.encode() + (body or b""))
                            count += 1
                        whole = b"".join(octets)
                        cut = chance.randrange(len(whole))
                        client.send(whole[:cut])
                        client.send(whole[cut:])
                        for one in wanted:
                            reply = client.take()
                            if reply is None or reply.content != one:
                                failures.append(f"{one!r}: {reply!r}")
                                return
                        counts[seed] = count
        except Exception as error:
            failures.append(repr(error))

    with serve(routes(), threads=8) as server:
        least = time.monotonic() + 1.5
        workers = [threading.Thread(target=work, args=(seed, server.port)) for seed in range(64)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        server.wait_idle()

        assert failures == []
        assert sum(counts) > 500


@pytest.mark.usefixtures("holding")
def test_no_reply_reaches_another_client_when_descriptors_are_used_again():
    def work(request: Request) -> Response:
        time.sleep(0.0005)
        return TextResponse(request.raw_path.decode())

    failures: list[str] = []

    def leave(seed: int, port: int) -> None:
        chance = random.Random(seed)
        for number in range(300):
            client = Client(port)
            client.send(request(f"/.left.{seed}.{number}") * chance.choice((1, 1, 3)))
            if chance.random() < 0.5:
                client.reset()
            else:
                client.close()

    def stay(seed: int, port: int) -> None:
        for number in range(80):
            with Client(port) as client:
                for turn in range(3):
                    target = f"/.{seed}.{number}.{turn}"
                    reply = client.ask(target)
                    if reply.content != target.encode():
                        failures.append(f"{target}: {reply}")

    with serve({"/": endpoint("thread", work)}, threads=4, queue_limit=100_000) as server:
        clients = [threading.Thread(target=leave, args=(seed, server.port)) for seed in range(6)]
        clients += [threading.Thread(target=stay, args=(seed, server.port)) for seed in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        server.wait_idle()

        assert failures == []


def test_a_handler_in_a_thread_sees_the_context_of_its_request_only():
    import contextvars

    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="unset")
    seen: list[str] = []

    def call(request: Request) -> Response:
        seen.append(name.get())
        name.set("mine")
        return TextResponse("ok")

    with serve({"/": endpoint("thread", call)}, threads=1) as server, server.connect() as client:
        for _ in range(5):
            client.ask("/")

        assert seen == ["unset"] * 5


def test_a_thread_the_system_does_not_give_is_missed_and_no_more():
    """The client is told, and once the system has threads again the pool is whole."""
    usual = threading.stack_size()
    with serve({"/": endpoint("thread", lambda request: TextResponse("ok"))}, threads=2) as server:
        threading.stack_size(2**46)  # more than there is room for
        try:
            statuses = [server.ask("/").status for _ in range(3)]
        finally:
            threading.stack_size(usual)

        assert statuses == [503] * 3
        assert len(server.log.messages("0 of 2 threads")) == 1
        assert server.ask("/").status == 200


def test_the_queue_has_its_bound_also_while_threads_cannot_be_started():
    filled = Pool(2, 3)
    usual = threading.stack_size()
    try:
        assert filled.pool.submit(filled.block)
        filled.gate.wait_reached()
        threading.stack_size(2**46)

        assert [filled.pool.submit(filled.block) for _ in range(5)] == [True] * 3 + [False] * 2
    finally:
        threading.stack_size(usual)
        filled.gate.open()
        assert filled.pool.stop(5.0)
