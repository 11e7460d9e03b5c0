from __future__ import annotations

import gc

import pytest

from penstock.app.stores.guard import guard
from penstock.app.stores.memory import MemoryStore
from penstock.errors import StoreError
from penstock.observe.stores import add_up, figures


def test_stores_in_use_are_counted_together_and_others_no_more():
    class Lost(MemoryStore):
        def get(self, key):
            raise StoreError("lost")

    gc.collect()  # those of other tests
    before = figures()
    guards = [guard(Lost()), guard(Lost()), guard(MemoryStore())]
    for one in guards[:2]:
        for _ in range(3):
            with pytest.raises(StoreError):
                one.get("a")

    now = figures()

    assert [now[name] - before[name] for name in now] == [2, 2, 2, 4, 0]
    del one, guards
    gc.collect()
    assert figures() == before


def test_figures_of_processes_add_up_whatever_one_tells():
    assert add_up([{"lost": 1}, {}, {"lost": 1, "failures_total": 5, "new": 3}]) == {
        "lost": 2,
        "outages_total": 0,
        "failures_total": 5,
        "skipped_total": 0,
        "refusals_total": 0,
    }
