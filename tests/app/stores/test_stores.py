"""What every store does. Each case runs on both, with the plain forms and with those for the loop."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid

import pytest

from penstock.app.stores.memory import MemoryStore
from penstock.app.stores.redis import RedisStore

OPERATIONS = ("get", "set", "add", "delete", "touch", "clear")


class Driver:
    """A store, asked by one of its two forms; `wait_until_gone` lets its time pass."""

    def __init__(self, store, clock, run):
        self.store = store
        self._clock = clock
        self._run = run

    def __getattr__(self, name):
        assert name in OPERATIONS
        if self._run is None:
            return getattr(self.store, name)
        form = getattr(self.store, f"a{name}")
        return lambda *args, **options: self._run(form(*args, **options))

    def wait_until_gone(self, key, ttl_s):
        if self._clock is not None:
            self._clock[0] += ttl_s
        end = time.monotonic() + 20
        while self.get(key) is not None:
            assert time.monotonic() < end, f"{key} is still kept"
            time.sleep(0.005)


@pytest.fixture(params=["memory", "memory async", "redis", "redis async"])
def driver(request):
    clock = None
    if request.param.startswith("memory"):
        clock = [1000.0]
        store = MemoryStore(clock=lambda: clock[0])
    else:
        server = request.getfixturevalue("shared_redis")
        store = RedisStore(server.url, prefix=f"{uuid.uuid4().hex}:", timeout_s=20)
    if not request.param.endswith("async"):
        yield Driver(store, clock, None)
        store.close()
        return
    with asyncio.Runner() as runner:
        yield Driver(store, clock, runner.run)
        runner.run(store.aclose())


def test_what_was_never_kept_is_none(driver):
    assert driver.get("a") is None


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"\x00\xff\r\n$5\r\n", bytes(range(256)) * 4000],
    ids=["empty", "one", "octets", "1 MB"],
)
def test_octets_come_back_as_they_are(driver, value):
    driver.set("a", value)

    assert driver.get("a") == value


@pytest.mark.parametrize("key", ["", "a b", "ä\u2028€", "*?[a]\\", "a\r\nFLUSHALL\r\n", "x" * 5000, "\udc80"])
def test_every_text_is_a_key_of_its_own(driver, key):
    driver.set(key, b"one")
    driver.set(key + "2", b"two")

    assert (driver.get(key), driver.get(key + "2")) == (b"one", b"two")


def test_set_replaces_value_and_time(driver):
    driver.set("a", b"old", ttl_s=0.02)
    driver.set("a", b"new")
    driver.set("witness", b"1", 0.03)

    driver.wait_until_gone("witness", 0.03)

    assert driver.get("a") == b"new"


def test_an_entry_ends_with_its_time(driver):
    driver.set("a", b"1", ttl_s=0.02)
    driver.set("b", b"2", 1000)

    driver.wait_until_gone("a", 0.02)

    assert driver.get("b") == b"2"
    assert driver.delete("a") == 0
    assert driver.touch("a", 10) is False


def test_add_keeps_only_where_nothing_is(driver):
    assert driver.add("a", b"first", ttl_s=1000) is True
    assert driver.add("a", b"second") is False
    assert driver.get("a") == b"first"


def test_add_keeps_again_once_the_time_has_passed(driver):
    assert driver.add("a", b"first", ttl_s=0.02) is True

    driver.wait_until_gone("a", 0.02)

    assert driver.add("a", b"second") is True
    assert driver.get("a") == b"second"


def test_delete_counts_what_was_there(driver):
    driver.set("a", b"1")
    driver.set("b", b"2")

    assert driver.delete("a", "b", "never") == 2
    assert driver.delete("a") == 0
    assert driver.delete() == 0
    assert driver.get("a") is None


def test_touch_gives_another_time(driver):
    driver.set("a", b"1")

    assert driver.touch("a", 0.02) is True

    driver.wait_until_gone("a", 0.02)


def test_clear_forgets_everything(driver):
    for number in range(1200):
        driver.set(str(number), b"x")

    driver.clear()

    assert [driver.get(str(number)) for number in (0, 600, 1199)] == [None] * 3


@pytest.mark.parametrize("value", ["text", bytearray(b"x"), None, 1])
def test_only_bytes_are_kept(driver, value):
    for operation in (driver.set, driver.add):
        with pytest.raises(TypeError, match="bytes"):
            operation("a", value)


@pytest.mark.parametrize("key", [b"octets", None, 1])
def test_only_text_is_a_key(driver, key):
    for call in (
        lambda: driver.get(key),
        lambda: driver.set(key, b""),
        lambda: driver.add(key, b""),
        lambda: driver.delete(key),
        lambda: driver.touch(key, 1),
    ):
        with pytest.raises(TypeError, match="key"):
            call()


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf")])
def test_a_time_that_does_not_pass_is_refused(driver, ttl_s):
    for call in (
        lambda: driver.set("a", b"", ttl_s),
        lambda: driver.add("a", b"", ttl_s),
        lambda: driver.touch("a", ttl_s),
    ):
        with pytest.raises(ValueError, match="ttl_s"):
            call()


def test_a_very_long_time_is_a_time(driver):
    driver.set("a", b"1", 1e300)

    assert driver.get("a") == b"1"


def test_of_many_that_add_at_once_one_succeeds(driver):
    if driver._run is not None:
        store = driver.store

        async def add_all():
            return await asyncio.gather(*(store.aadd("a", b"%d" % number) for number in range(50)))

        added = driver._run(add_all())
    else:
        added = []
        threads = [
            threading.Thread(target=lambda number=number: added.append(driver.add("a", b"%d" % number)))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert added.count(True) == 1


def test_it_works_again_after_close(driver):
    driver.set("a", b"1")

    driver.store.close()

    driver.set("a", b"2")
    assert driver.get("a") == b"2"


def test_blocks_says_whether_the_plain_forms_wait(driver):
    assert driver.store.blocks is isinstance(driver.store, RedisStore)
