"""What is the memory store's own: its bounds, and who leaves first."""

from __future__ import annotations

import threading

import pytest

from penstock.app.stores.memory import MemoryStore
from penstock.errors import ApplicationError, StoreRefused


def test_past_the_limit_of_entries_the_one_used_longest_ago_leaves():
    store = MemoryStore(limit_entries=3)
    for key in "abc":
        store.set(key, b"x")
    store.get("a")

    store.set("d", b"x")

    assert [key for key in "abcd" if store.get(key) is not None] == ["a", "c", "d"]


def test_what_has_expired_leaves_before_what_lives():
    now = [0.0]
    store = MemoryStore(limit_entries=3, clock=lambda: now[0])
    store.set("lives", b"x")
    store.set("expires", b"x", ttl_s=5)
    store.set("later", b"x", ttl_s=50)
    now[0] = 10.0

    store.set("new", b"x")

    assert store.get("lives") == b"x"
    assert len(store) == 3


def test_octets_are_bounded():
    store = MemoryStore(limit_bytes=100_000)

    for number in range(100):
        store.set(str(number), bytes(10_000))

    assert len(store) == 9
    assert store.get("99") is not None


def test_what_is_larger_than_the_store_is_refused_and_the_old_one_gone():
    store = MemoryStore(limit_bytes=1000)
    store.set("a", b"old")

    with pytest.raises(StoreRefused, match="1000"):
        store.set("a", bytes(1001))

    assert store.get("a") is None


def test_keys_set_again_and_again_take_no_more_memory():
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])

    for number in range(10_000):
        now[0] = float(number)
        store.set("a", b"x", ttl_s=1000)

    assert len(store) == 1
    assert len(store._deadlines) < 100


def test_octets_are_counted_back_to_nothing():
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    for number in range(100):
        store.set(str(number), bytes(number), ttl_s=number + 1)
        store.set(str(number), bytes(5), ttl_s=number + 1)
    store.delete("3")
    store.touch("4", 100)
    now[0] = 1000.0

    for number in range(100):
        store.get(str(number))

    assert (len(store), store._bytes) == (0, 0)


def test_update_lets_nobody_in_between():
    store = MemoryStore()

    def count(value, now):
        number = int(value or b"0") + 1
        return b"%d" % number, 60, number

    def work():
        for _ in range(500):
            store.update("n", count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.get("n") == b"2000"


@pytest.mark.parametrize("limits", [{"limit_bytes": 0}, {"limit_entries": -1}, {"limit_entries": "many"}])
def test_a_limit_that_is_none_is_refused(limits):
    with pytest.raises(ApplicationError, match=next(iter(limits))):
        MemoryStore(**limits)
