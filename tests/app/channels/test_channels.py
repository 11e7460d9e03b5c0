"""What is published reaches everybody who listens, in this process and in others, and a lost Redis comes back."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading

import pytest

from penstock import App, Channels, Event, EventStream, MemoryStore, RedisStore, TestClient
from penstock.errors import ApplicationError
from tests.e2e.workers import wait_until, workers

WAIT_S = 30

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")


@pytest.fixture(params=["memory", "redis"])
def store(request):
    if request.param == "memory":
        yield MemoryStore()
        return
    made = RedisStore(request.getfixturevalue("shared_redis").url, timeout_s=20.0)
    yield made
    made.close()
    gc.collect()


def run(store, main):
    async def whole():
        try:
            async with asyncio.timeout(WAIT_S):
                return await main(Channels(store))
        finally:
            await store.aclose()

    return asyncio.run(whole())


def test_every_listener_gets_every_value_in_order(store):
    async def main(channels):
        subscribe = channels.subscribe
        async with subscribe("a") as first, subscribe("a") as second, subscribe("b") as other:
            for number in range(20):
                assert await channels.apublish("a", {"n": number})
            await channels.apublish("b", "ü")
            taken = [[await one.get() for _ in range(20)] for one in (first, second)]
            return taken, await other.get()

    assert run(store, main) == ([[{"n": n} for n in range(20)]] * 2, "ü")


def test_what_was_published_before_and_after_is_not_heard(store):
    async def main(channels):
        await channels.apublish("a", "before")
        async with channels.subscribe("a") as one:
            await channels.apublish("a", "while")
            assert await one.get() == "while"
        await channels.apublish("a", "after")
        with pytest.raises(RuntimeError, match="not open"):
            await one.get()
        async with channels.subscribe("a") as one:
            await channels.apublish("a", "again")
            return await one.get()

    assert run(store, main) == "again"


def test_a_slow_listener_loses_the_oldest_and_holds_up_nobody(store, caplog):
    async def main(channels):
        async with channels.subscribe("a", limit=3) as slow, channels.subscribe("a") as quick:
            for number in range(10):
                await channels.apublish("a", number)
                assert await quick.get() == number
            while slow.missed < 7:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0)
            return [await slow.get() for _ in range(3)], slow.missed

    assert run(store, main) == ([7, 8, 9], 7)
    assert caplog.text.count("too slow") == 1


def test_a_thread_publishes_too(store):
    async def main(channels):
        async with channels.subscribe("a") as one:
            thread = threading.Thread(target=channels.publish, args=("a", [1]))
            thread.start()
            value = await one.get()
            thread.join()
            return value

    assert run(store, main) == [1]


def test_leaving_ends_the_iteration_of_another_task(store):
    async def main(channels):
        async def take():
            return [value async for value in subscription]

        subscription = channels.subscribe("a")
        async with subscription:
            task = asyncio.create_task(take())
            await asyncio.sleep(0)
        return await task

    assert run(store, main) == []


def test_values_that_are_no_json_are_the_publishers_fault(store):
    async def main(channels):
        with pytest.raises(TypeError):
            await channels.apublish("a", object())
        with pytest.raises(ValueError, match="not JSON compliant"):
            await channels.apublish("a", float("nan"))

    run(store, main)


@pytest.mark.parametrize("name", ["", None, 1])
def test_a_name_is_a_text(name):
    with pytest.raises(TypeError, match="named by a text"):
        Channels(MemoryStore()).subscribe(name)


def test_a_queue_has_room_for_one_at_least():
    with pytest.raises(ValueError, match="1 or more"):
        Channels(MemoryStore()).subscribe("a", limit=0)


def test_a_store_that_cannot_publish_is_refused():
    class Foreign(MemoryStore):
        blocks = True

    with pytest.raises(ApplicationError, match="no `publish`"):
        Channels(Foreign())


def test_two_prefixes_do_not_hear_each_other(shared_redis):
    async def main():
        stores = [RedisStore(shared_redis.url, prefix=prefix, timeout_s=20.0) for prefix in ("one:", "two:")]
        one, two = map(Channels, stores)
        async with one.subscribe("a") as first, two.subscribe("a") as second:
            await one.apublish("a", 1)
            await two.apublish("a", 2)
            heard = await first.get(WAIT_S), await second.get(WAIT_S)
        for store in stores:
            await store.aclose()
        return heard

    assert asyncio.run(main()) == (1, 2)


def test_listeners_hear_again_when_redis_is_back(own_redis, caplog):
    caplog.set_level(logging.WARNING)

    async def main():
        store = RedisStore(own_redis.url, timeout_s=10.0)
        channels = Channels(store)
        async with channels.subscribe("a") as one:
            await channels.apublish("a", "first")
            assert await one.get(WAIT_S) == "first"
            await asyncio.to_thread(own_redis.kill)
            assert await channels.apublish("a", "lost") is False
            await asyncio.to_thread(own_redis.start)
            async with asyncio.timeout(WAIT_S):
                heard = asyncio.create_task(anext(one))
                while not heard.done():
                    await channels.apublish("a", "back")
                    await asyncio.wait([heard], timeout=0.05)
            await store.aclose()
            return await heard

    assert asyncio.run(main()) == "back"
    assert caplog.text.count("channels: ") == 2


def test_a_redis_that_is_not_there_delays_a_listener_for_no_longer_than_its_limit(own_redis):
    own_redis.kill()

    async def main():
        store = RedisStore(own_redis.url, timeout_s=0.2)
        channels = Channels(store)
        async with channels.subscribe("a") as one:
            await asyncio.to_thread(own_redis.start)
            async with asyncio.timeout(WAIT_S):
                heard = asyncio.create_task(anext(one))
                while not heard.done():
                    await channels.apublish("a", "there")
                    await asyncio.wait([heard], timeout=0.05)
            await store.aclose()
            return await heard

    assert asyncio.run(main()) == "there"


def test_an_event_stream_that_its_client_leaves_stops_listening():
    app = App()
    channels = Channels(MemoryStore())

    @app.get("/live")
    async def live() -> EventStream:
        async def events():
            async with channels.subscribe("news") as news:
                yield Event("listening")
                async for item in news:
                    yield Event(item)

        return EventStream(events())

    @app.post("/news", status=202)
    def publish() -> None:
        channels.publish("news", {"title": "x"})

    with TestClient(app) as client:
        with client.stream("GET", "/live") as reply:
            events = reply.events()
            assert next(events).data == "listening"
            client.post("/news")
            assert next(events).data == '{"title":"x"}'
        wait_until(lambda: not channels._subscriptions, "it has left")


APPLICATION = """
import os
from penstock import App, Channels, Event, EventStream, RedisStore

app = App()
channels = Channels(RedisStore(os.environ["REDIS_URL"], timeout_s=10))


@app.get("/")
async def home() -> int:
    return os.getpid()


@app.get("/live")
async def live() -> EventStream:
    async def events():
        async with channels.subscribe("news") as news:
            yield Event(str(os.getpid()))
            async for item in news:
                yield Event(str(item))

    return EventStream(events())


@app.get("/publish/{text}")
def publish(text: str) -> bool:
    return channels.publish("news", text)
"""


def test_every_worker_hears_what_one_publishes(tmp_path, shared_redis):
    with workers(tmp_path, count=2, text=APPLICATION, REDIS_URL=shared_redis.url) as server:
        clients, pids = [], set()
        try:
            while len(pids) < 2:
                client = server.ask("/live")
                clients.append(client)
                client.settimeout(WAIT_S)
                pids.add(_read_until(client, b"\n\n").rpartition(b"data: ")[2].split(b"\n")[0])
            with server.ask("/publish/hello", "Connection: close") as publisher:
                publisher.settimeout(WAIT_S)
                assert _read_until(publisher, b"true")
            for client in clients:
                assert b"data: hello" in _read_until(client, b"hello\n\n")
        finally:
            for client in clients:
                client.close()


def _read_until(client, end):
    received = b""
    while end not in received:
        piece = client.recv(65_536)
        assert piece, received
        received += piece
    return received
