"""Snapshots: all areas and the past added up, each count once whatever ends meanwhile."""

import threading

import pytest

from penstock.observe.metrics.exposition import TEXT, render
from penstock.observe.metrics.folding import add_area
from penstock.observe.metrics.gather import count_begun, gather
from penstock.observe.metrics.http import Recorder
from penstock.observe.metrics.ledger import Ledger
from penstock.observe.metrics.memory import BEGUN, COUNTER, Areas
from penstock.observe.metrics.registry import CounterSeries, GaugeSeries, HistogramSeries
from penstock.server.sharing import bury

FAMILIES = {
    "c": b'{"name":"c","kind":"counter","labels":["kind"]}',
    "g": b'{"name":"g","kind":"gauge","labels":[],"across":"sum"}',
    "high": b'{"name":"high","kind":"gauge","labels":[],"across":"max"}',
    "low": b'{"name":"low","kind":"gauge","labels":[],"across":"min"}',
}


class Process:
    """What a process would have, without one."""

    def __init__(self, areas, place):
        self.ledger = Ledger()
        for name, family in FAMILIES.items():
            self.ledger.define(name, family)
        self.recorder = Recorder(self.ledger)
        self.ledger.attach(areas, place)
        self.counter = CounterSeries("c", ["a"], self.ledger)
        self.gauges = {name: GaugeSeries(name, [], self.ledger) for name in ("g", "high", "low")}

    def serve(self, count=1, route="/"):
        for _ in range(count):
            self.ledger.area.head[BEGUN] += 1
            self.recorder.record_in_thread(route, "GET", 200, 1_000_000, 3, 5)


@pytest.fixture
def areas():
    areas = Areas(4)
    areas.reserve(4)
    return areas


def test_processes_are_added_up(areas):
    processes = [Process(areas, place) for place in (1, 2, 4)]
    for number, process in enumerate(processes, 1):
        process.serve(number)
        process.serve(route=f"/{number}")
        process.counter.inc(number)
        for gauge in process.gauges.values():
            gauge.set(number)

    found = gather(processes[1].ledger)

    assert {served.route: served.durations.count for served in found.served} == {
        "/": 6,
        "/1": 1,
        "/2": 1,
        "/3": 1,
    }
    one = next(served for served in found.served if served.route == "/")
    assert (one.method, one.status, one.octets_in, one.octets_out) == ("GET", 200, 18, 30)
    assert one.durations.sum_ns == 6_000_000
    assert found.value("c", "a") == 6
    assert [found.value(name) for name in ("g", "high", "low")] == [6.0, 3.0, 1.0]
    assert [process.place for process in found.processes] == [1, 2, 4]
    assert (found.begun, found.lost) == (9, 0)


def test_what_an_ended_process_counted_stays_but_for_its_gauges(areas):
    one, two = Process(areas, 1), Process(areas, 2)
    for process in (one, two):
        process.serve(2)
        process.counter.inc(3)
        process.gauges["g"].set(4)
    one.ledger.area.head[BEGUN] += 1  # it is killed in the middle of one

    with areas.folding():
        add_area(areas.past, areas.get(1))
        areas.get(1).clear()
    found = gather(two.ledger)

    assert [served.durations.count for served in found.served] == [4]
    assert found.value("c", "a") == 6 and found.value("g") == 4.0
    assert [process.place for process in found.processes] == [2]
    assert (found.begun, found.lost) == (5, 1)


def test_a_place_is_used_again(areas):
    for _ in range(3):
        process = Process(areas, 1)
        process.serve(5)
        with areas.folding():
            add_area(areas.past, areas.get(1))
            areas.get(1).clear()
    again = Process(areas, 1)
    again.serve()

    assert [served.durations.count for served in gather(again.ledger).served] == [16]


def test_readers_see_neither_a_gap_nor_a_double_count_while_processes_end(areas):
    """One thread stands for all workers, counting and ending; readers are to see numbers that only grow."""
    reader = Process(areas, 2).ledger
    counted = [0, 0]  # before and after
    is_over = threading.Event()

    def live():
        while not is_over.is_set():
            process = Process(areas, 1)
            for _ in range(50):
                counted[0] += 1
                process.serve()
                counted[1] += 1
            with areas.folding():
                add_area(areas.past, process.ledger.area)
                process.ledger.area.clear()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        last = 0
        for _ in range(200):
            least = counted[1]
            total = sum(served.durations.count for served in gather(reader).served)
            assert max(least, last) <= total <= counted[0]
            last = total
    finally:
        is_over.set()
        thread.join()


def test_requests_begun_are_counted_by_process_and_in_all(areas):
    one, two = Process(areas, 1), Process(areas, 2)
    one.serve(3)
    two.serve(2)
    with areas.folding():
        add_area(areas.past, areas.get(1))
        areas.get(1).clear()

    assert count_begun(two.ledger) == (5, {two.ledger.area.pid: 2})
    assert count_begun(Ledger()) == (0, {})


def test_without_a_server_a_process_tells_its_own():
    ledger = Ledger()
    recorder = Recorder(ledger)
    recorder.record_in_thread("/", "GET", 200, 1000, 0, 5)

    found = gather(ledger)

    assert [served.durations.count for served in found.served] == [1]
    assert [process.place for process in found.processes] == [0]


def test_a_name_that_means_something_else_after_reloads_is_told_as_that(areas):
    old, ending = Process(areas, 1), Process(areas, 2)
    for process in (old, ending):
        process.counter.inc(3)
        process.gauges["g"].set(2)
    for _ in range(2):  # the second is folded onto what the others have left
        with areas.folding():
            add_area(areas.past, areas.get(1))
            areas.get(1).clear()
        new = Process(areas, 1)
        new.ledger.define("c", b'{"name":"c","kind":"histogram","labels":["kind"]}')
        new.ledger.define("g", b'{"name":"g","kind":"counter","labels":["kind"]}')
        HistogramSeries("c", ["a"], new.ledger).observe(1)
        CounterSeries("g", ["b"], new.ledger).inc(5)

    found = gather(ending.ledger)
    lines = render(found.families.values(), TEXT).splitlines()

    assert [line for line in lines if line.startswith(("c_count", "c_total", "g"))] == [
        'c_count{kind="a"} 2',
        'g_total{kind="b"} 10',
    ]


def test_what_cannot_be_added_ends_nobody(areas, monkeypatch, caplog):
    supervisor, worker = Process(areas, 0), Process(areas, 1)
    worker.counter.inc(2**53 - 1)
    monkeypatch.setattr("penstock.server.sharing.ledger", supervisor.ledger)
    first = next(entry.first for entry in worker.ledger.area.entries() if entry.kind == COUNTER)
    worker.ledger.area.words[first] = 2**64 - 1
    bury(1, was_told=True)
    again = Process(areas, 1)
    again.counter.inc()

    bury(1, was_told=True)

    assert "could not be kept" in caplog.text
    assert not areas.taken()
    assert gather(supervisor.ledger).value("c", "a") == 2**64 - 1
