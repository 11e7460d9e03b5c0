"""Values remembered: made once by whoever comes first, kept for their time, forgotten by tag."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
import uuid
from datetime import date

import pytest

from penstock.app.caching.cache import Cache
from penstock.app.stores.memory import MemoryStore
from penstock.app.stores.redis import RedisStore
from penstock.errors import ApplicationError, StoreError
from tests.app.caching.refreshers import close_after_refreshing, join_refreshers

WAIT_S = 30


@pytest.fixture(params=["memory", "redis"])
def store(request):
    if request.param == "memory":
        yield MemoryStore()
        return
    server = request.getfixturevalue("shared_redis")
    store = RedisStore(server.url, prefix=f"{uuid.uuid4().hex}:", timeout_s=WAIT_S)
    yield store
    join_refreshers()
    store.close()


@pytest.fixture
def cache(store):
    return Cache(store)


def run(store, coroutine):
    """What a coroutine returns; the connections of its loop are closed."""

    async def whole():
        try:
            return await asyncio.wait_for(coroutine, WAIT_S)
        finally:
            await close_after_refreshing(store)

    return asyncio.run(whole())


def in_threads(*functions):
    """What they return, all begun at once."""
    barrier = threading.Barrier(len(functions))
    results = [None] * len(functions)

    def work(at, function):
        barrier.wait(WAIT_S)
        try:
            results[at] = function()
        except Exception as error:
            results[at] = error

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return results


async def until(condition):
    for _ in range(WAIT_S * 1000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


def waiters(cache):
    """How many threads and coroutines wait for what another makes."""
    threads = sum(len(flight.landed._cond._waiters) for flight in list(cache._flights._flights.values()))
    return threads + sum(len(one._callbacks or ()) for one in cache._loop_flights._flights.values())


def wait_until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


VALUES = [b"", b"\x00\xff", "", "ä\udc80", 0, 1.5, None, True, [1, {"a": None}], {"b": [2]}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back(cache, value):
    assert cache.set("a", value, 60) is True

    found = cache.get("a", "nothing")

    assert (found, type(found)) == (value, type(value))


def test_without_a_value_there_is_the_default(cache):
    assert cache.get("a") is None
    assert cache.get("a", 5) == 5


def test_delete_forgets(cache):
    cache.set("a", 1)
    cache.set("b", 2)

    assert cache.delete("a", "b") is True

    assert (cache.get("a"), cache.get("b")) == (None, None)


@pytest.mark.parametrize("value", [object(), {1, object()}, float("nan")])
def test_what_has_no_json_form_is_refused(cache, value):
    with pytest.raises((TypeError, ValueError)):
        cache.set("a", value)


@dataclasses.dataclass
class Book:
    title: str
    published: date


def test_a_type_makes_the_value_again(cache):
    book = Book("Emma", date(1815, 12, 23))
    cache.set("a", book)

    assert cache.get("a", type=Book) == book
    assert cache.get("a") == {"title": "Emma", "published": "1815-12-23"}
    assert cache.get("a", "none", type=list[int]) == "none"


def test_what_is_made_is_what_is_found_later(cache):
    made = cache.remember("a", 60, lambda: (1, 2))
    found = cache.remember("a", 60, lambda: pytest.fail("made again"))

    assert made == found == [1, 2]


def test_both_forms_share_values(cache, store):
    async def make():
        return "made"

    assert run(store, cache.aremember("a", 60, make)) == "made"
    assert cache.get("a") == "made"
    assert run(store, cache.aset("b", 1)) is True
    assert run(store, cache.aget("b")) == 1
    assert run(store, cache.adelete("b")) is True
    assert cache.get("b") is None


def test_of_threads_that_want_it_at_once_one_makes_it(cache):
    made = []
    entered = threading.Event()

    def make():
        made.append(1)
        entered.wait(0.05)  # others come meanwhile
        return "value"

    results = in_threads(*[lambda: cache.remember("a", 60, make)] * 8)

    assert results == ["value"] * 8
    assert made == [1]


def test_of_coroutines_that_want_it_at_once_one_makes_it(cache, store):
    made = []

    async def make():
        made.append(1)
        await asyncio.sleep(0.02)
        return "value"

    async def scene():
        return await asyncio.gather(*(cache.aremember("a", 60, make) for _ in range(100)))

    assert run(store, scene()) == ["value"] * 100
    assert made == [1]


def test_of_processes_that_want_it_at_once_one_makes_it(shared_redis):
    """Two caches share nothing but Redis, as two processes do."""
    prefix = uuid.uuid4().hex
    stores = [RedisStore(shared_redis.url, prefix=prefix, timeout_s=WAIT_S) for _ in range(4)]
    caches = [Cache(store) for store in stores]
    made = []

    def make():
        made.append(1)
        time.sleep(0.05)  # the others look in the meantime
        return "value"

    results = in_threads(*[lambda cache=cache: cache.remember("a", 60, make) for cache in caches])

    async def amake():
        made.append(2)
        await asyncio.sleep(0.05)
        return "other"

    async def scene():
        found = await asyncio.gather(*(cache.aremember("b", 60, amake) for cache in caches))
        await asyncio.gather(*(store.aclose() for store in stores))
        return found

    assert results == ["value"] * 4
    assert asyncio.run(scene()) == ["other"] * 4
    assert made == [1, 2]


def test_a_process_that_died_while_it_made_a_value_is_not_waited_for_long(shared_redis):
    store = RedisStore(shared_redis.url, prefix=uuid.uuid4().hex, timeout_s=WAIT_S)
    store.add("cache:lock:cache:value:a", b"1", 60)
    cache = Cache(store, lock_s=0.05)

    assert cache.remember("a", 60, lambda: "made here") == "made here"
    assert cache.get("a") == "made here"
    store.close()


def test_whoever_waits_gets_the_exception_too(cache, store):
    made = []

    def make():
        made.append(1)
        wait_until(lambda: waiters(cache) == 3)
        raise LookupError("source is down")

    results = in_threads(*[lambda: cache.remember("a", 60, make)] * 4)

    assert [type(result) for result in results] == [LookupError] * 4
    assert made == [1]

    async def amake():
        made.append(2)
        await until(lambda: waiters(cache) == 9)
        raise LookupError("source is down")

    async def scene():
        return await asyncio.gather(
            *(cache.aremember("a", 60, amake) for _ in range(10)), return_exceptions=True
        )

    assert [type(result) for result in run(store, scene())] == [LookupError] * 10
    assert made == [1, 2]
    assert cache.remember("a", 60, lambda: "well again") == "well again"


def test_when_the_one_who_makes_it_is_cancelled_another_does(cache, store):
    begun = []

    async def scene():
        gate = asyncio.Event()

        async def make():
            begun.append(1)
            await gate.wait()
            return "value"

        tasks = [asyncio.ensure_future(cache.aremember("a", 60, make))]
        await until(lambda: begun)  # so it is the first that makes it, whoever Redis answers first
        tasks += [asyncio.ensure_future(cache.aremember("a", 60, make)) for _ in range(2)]
        await until(lambda: waiters(cache) == 2)
        tasks[0].cancel()
        await until(lambda: len(begun) == 2)
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = run(store, scene())

    assert isinstance(first, asyncio.CancelledError)
    assert others == ["value", "value"]


def test_one_who_waits_and_is_cancelled_disturbs_nobody(cache, store):
    async def scene():
        gate = asyncio.Event()

        async def make():
            await gate.wait()
            return "value"

        tasks = [asyncio.ensure_future(cache.aremember("a", 60, make))]
        await until(lambda: cache._loop_flights._flights)
        tasks += [asyncio.ensure_future(cache.aremember("a", 60, make)) for _ in range(2)]
        await until(lambda: waiters(cache) == 2)
        tasks[1].cancel()
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = run(store, scene())

    assert (first, third) == ("value", "value")
    assert isinstance(second, asyncio.CancelledError)


def test_a_stale_value_is_shown_while_it_is_made_anew(cache):
    cache.remember("a", 0.01, lambda: 1, stale_s=1000)
    wait_until(lambda: cache.get("a") is None)
    gate = threading.Event()

    def make():
        gate.wait(WAIT_S)
        return 2

    shown = [cache.remember("a", 1000, make, stale_s=1000) for _ in range(10)]
    gate.set()

    assert shown == [1] * 10
    wait_until(lambda: cache.get("a") == 2)


def test_a_stale_value_is_made_anew_on_the_loop(cache, store):
    async def scene():
        async def first():
            return 1

        await cache.aremember("a", 0.01, first, stale_s=1000)
        while await cache.aget("a") is not None:  # noqa: ASYNC110 - its time passes
            await asyncio.sleep(0.002)
        gate, made = asyncio.Event(), []

        async def make():
            made.append(1)
            await gate.wait()
            return 2

        shown = [await cache.aremember("a", 1000, make, stale_s=1000) for _ in range(10)]
        gate.set()
        while await cache.aget("a") != 2:  # noqa: ASYNC110 - a Task makes it
            await asyncio.sleep(0.002)
        return shown, made

    assert run(store, scene()) == ([1] * 10, [1])


def test_a_stale_value_stays_when_making_it_anew_fails(cache, caplog):
    cache.remember("a", 0.01, lambda: 1, stale_s=1000)
    wait_until(lambda: cache.get("a") is None)

    def fail():
        raise LookupError("source is down")

    assert cache.remember("a", 60, fail, stale_s=1000) == 1
    wait_until(lambda: "could not be made anew" in caplog.text)
    assert cache.remember("a", 60, lambda: 1, stale_s=1000) == 1


def test_a_tag_forgets_all_that_have_it(cache, store):
    cache.set("a", 1, tags=["red", "round"])
    cache.set("b", 2, tags="red")
    cache.set("c", 3, tags=["round"])

    assert cache.invalidate("red") is True

    assert [cache.get(key) for key in "abc"] == [None, None, 3]
    assert cache.remember("a", 60, lambda: 4, tags=["red"]) == 4
    assert cache.get("a") == 4
    run(store, cache.ainvalidate("red", "round"))
    assert [run(store, cache.aget(key)) for key in "abc"] == [None] * 3


def test_what_was_in_the_making_when_its_tag_was_invalidated_does_not_count(cache, store):
    def make():
        cache.invalidate("red")
        return "made of old data"

    assert cache.remember("a", 60, make, tags=["red"]) == "made of old data"
    assert cache.get("a") is None

    async def amake():
        await cache.ainvalidate("red")
        return "made of old data"

    run(store, cache.aremember("a", 60, amake, tags=["red"]))
    assert cache.get("a") is None


def test_a_function_is_remembered_by_its_arguments(cache, store):
    calls = []

    @cache.remembered(60, tags="all")
    def add(a, b=0):
        calls.append((a, b))
        return a + b

    @cache.remembered(60, key=lambda user: user["id"])
    async def name(user):
        calls.append(user["id"])
        return "n" + user["id"]

    assert [add(1, 2), add(1, 2), add(1, b=3), add(1, 2)] == [3, 3, 4, 3]
    assert calls == [(1, 2), (1, 3)]

    cache.invalidate("all")
    add(1, 2)
    assert calls == [(1, 2), (1, 3), (1, 2)]

    async def scene():
        return [await name({"id": "7", "at": object()}) for _ in range(2)]

    assert run(store, scene()) == ["n7", "n7"]
    assert calls[-1] == "7"
    assert calls.count("7") == 1


@pytest.mark.parametrize(
    "octets",
    [b"", b"P1", b"P1j" + bytes(12) + b"{", b"P1x" + bytes(12), b"\x80\x04N.", b"P1j" + b"\xff" * 40],
)
def test_octets_that_are_no_entry_are_no_value(cache, store, octets):
    store.set("cache:value:a", octets)

    assert cache.get("a", "none") == "none"
    assert cache.remember("a", 60, lambda: "made") == "made"
    assert cache.get("a") == "made"


def test_without_its_store_everything_is_made_and_nothing_fails(own_redis, caplog):
    store = RedisStore(own_redis.url, timeout_s=WAIT_S)
    cache = Cache(store)
    cache.set("a", "kept", 60)
    own_redis.kill()

    async def amake():
        return "amade"

    for _ in range(20):
        assert cache.get("a", "none") == "none"
        assert cache.remember("a", 60, lambda: (1,), tags=["t"]) == [1]
        assert run(store, cache.aremember("a", 60, amake, tags=["t"])) == "amade"
        assert cache.set("a", 1) is False
        assert cache.delete("a") is False
        assert cache.invalidate("t") is False
    assert len([one for one in caplog.records if one.name == "penstock.store"]) == 1

    own_redis.start()
    wait_until(lambda: cache.set("a", 1))
    assert cache.get("a") == 1
    store.close()


def test_a_store_lost_after_the_value_was_made_costs_only_the_keeping(own_redis):
    store = RedisStore(own_redis.url, timeout_s=WAIT_S)
    cache = Cache(store)

    def make():
        own_redis.kill()
        return "made"

    assert cache.remember("a", 60, make) == "made"
    store.close()


def test_a_value_too_large_is_made_and_not_kept():
    cache = Cache(MemoryStore(limit_bytes=10_000))

    assert len(cache.remember("a", 60, lambda: bytes(20_000))) == 20_000
    assert cache.get("a") is None


@pytest.mark.parametrize(("ttl_s", "stale_s"), [(0, 0), (-1, 0), (1, -1), (1, float("inf"))])
def test_times_that_do_not_pass_are_refused(cache, ttl_s, stale_s):
    with pytest.raises(ValueError, match="_s="):
        cache.remember("a", ttl_s, lambda: 1, stale_s=stale_s)


def test_what_is_no_store_is_refused():
    with pytest.raises(ApplicationError, match="MemoryStore"):
        Cache({})


def test_a_store_error_of_make_is_the_users(cache):
    def make():
        raise StoreError("theirs")

    with pytest.raises(StoreError, match="theirs"):
        cache.remember("a", 60, make)


def test_a_time_that_is_none_is_refused_where_it_is_said():
    cache = Cache(MemoryStore())

    with pytest.raises(ValueError, match="expected seconds above 0"):
        cache.remembered(lambda: 1)  # @cache.remembered, without a time
    with pytest.raises(ValueError, match="ttl_s='3s': expected seconds above 0"):
        cache.set("key", 1, "3s")
