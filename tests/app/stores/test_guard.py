"""What a store that fails means for its users: left alone for a while, told of once, found again by itself."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from penstock.app.channels.channels import Channels
from penstock.app.sessions.server import ServerSessions
from penstock.app.stores.guard import Guard, guard
from penstock.app.stores.memory import MemoryStore
from penstock.errors import ApplicationError, StoreError, StoreRefused


class Flaky(MemoryStore):
    """Fails while `error` is set, and counts how often it is asked."""

    error = None
    asked = 0

    def get(self, key):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return super().get(key)

    def set(self, key, value, ttl_s=None):
        self.get(key)
        super().set(key, value, ttl_s)

    def __repr__(self):
        return "<Flaky>"


class Case:
    def __init__(self):
        self.now = 100.0
        self.store = Flaky()
        self.guard = Guard(self.store, clock=lambda: self.now)

    def use(self):
        """Whether a use went well."""
        try:
            self.guard.get("a")
        except StoreError:
            return False
        return True


@pytest.fixture
def case():
    return Case()


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "penstock.store"]


def test_while_it_is_lost_nobody_asks(case):
    case.store.error = StoreError("gone")

    assert [case.use() for _ in range(100)] == [False] * 100

    assert case.store.asked == 1
    assert (case.guard.failures, case.guard.skipped, case.guard.outages) == (1, 99, 1)


def test_one_line_when_it_is_lost_and_one_when_it_is_back(case, caplog):
    case.use()
    case.store.error = StoreError("gone")
    for _ in range(1000):
        case.use()
        case.now += 0.1
    case.store.error = None
    while not case.use():
        case.now += 0.1
    case.use()

    lost, back = lines(caplog)
    assert lost == "<Flaky> is lost, requests go on without it: gone"
    assert back.startswith("<Flaky> is back after 10")
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_the_pause_grows_and_has_an_end(case):
    case.store.error = StoreError("gone")
    tried = []
    for _ in range(3000):
        asked = case.store.asked
        case.use()
        if case.store.asked > asked:
            tried.append(case.now)
        case.now += 0.01

    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.3
    assert 4.9 < pauses[-1] < 5.1


def test_a_store_that_comes_and_goes_is_not_trusted_at_once(case, caplog):
    for _ in range(100):
        case.store.error = StoreError("gone")
        case.use()
        case.store.error = None
        case.now += 0.3
        case.use()

    assert len(lines(caplog)) < 30  # 30 s of it


def test_what_was_begun_before_it_was_lost_neither_brings_it_back_nor_counts_as_an_outage(case):
    async def scene():
        gates = [asyncio.Event(), asyncio.Event()]

        async def late(gate, error):
            await gate.wait()
            if error is not None:
                raise error

        well = asyncio.ensure_future(case.guard.ause(late, gates[0], None))
        ill = asyncio.ensure_future(case.guard.ause(late, gates[1], StoreError("late")))
        await asyncio.sleep(0)
        case.store.error = StoreError("gone")
        case.use()
        for gate in gates:
            gate.set()
        await well
        with pytest.raises(StoreError, match="late"):
            await ill

    asyncio.run(scene())

    assert case.guard.is_lost
    assert case.guard.outages == 1


def test_a_try_that_is_cancelled_is_followed_by_another(case):
    case.store.error = StoreError("gone")
    case.use()
    case.store.error = None
    case.now += 1

    async def scene():
        task = asyncio.ensure_future(case.guard.ause(asyncio.sleep, 3600))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())

    assert not case.use()
    case.now += 10
    assert case.use()


def test_what_is_refused_leaves_the_store_in_use_and_is_told_once(case, caplog):
    case.store.error = StoreRefused("full")

    for _ in range(50):
        with pytest.raises(StoreRefused):
            case.guard.set("a", b"1")
    case.store.error = None
    case.guard.set("a", b"1")
    case.guard.set("a", b"2")

    assert case.guard.refusals == 50
    assert not case.guard.is_lost
    assert lines(caplog) == [
        "<Flaky> refuses what it is to keep, requests go on without it: full",
        "<Flaky> takes values again; so far it refused 50",
    ]


def test_refusals_now_and_then_are_told_of_once_a_minute(case, caplog):
    for _ in range(590):
        for error in (StoreRefused("full"), None):
            case.store.error = error
            try:
                case.guard.set("a", b"1")
            except StoreRefused:
                pass
        case.now += 0.1

    assert len(lines(caplog)) == 2


def test_other_exceptions_are_nothing_it_knows(case):
    case.store.error = RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        case.guard.get("a")

    assert not case.guard.is_lost


def test_a_store_has_one_guard():
    store = MemoryStore()
    one = guard(store)

    assert guard(store) is one
    assert guard(one) is one
    assert guard(MemoryStore()) is not one


@pytest.mark.parametrize("make", [ServerSessions, Channels])
def test_what_is_no_store_is_refused_where_it_is_given(make):
    with pytest.raises(ApplicationError, match=r"'secret'.* give a MemoryStore\(\) or a RedisStore\(url\)"):
        make("secret")
