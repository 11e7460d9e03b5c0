"""Instruments of applications: names, labels and values bounded, used from anywhere, never a count less."""

import itertools
import math
import subprocess
import sys
import threading

import pytest

from penstock.observe.metrics.exposition import http_families
from penstock.observe.metrics.gather import gather
from penstock.observe.metrics.ledger import ledger
from penstock.observe.metrics.memory import SERIES_LIMIT
from penstock.observe.metrics.registry import Counter, Gauge, Histogram
from penstock.observe.metrics.system import system_families

numbers = itertools.count()


@pytest.fixture
def name():
    return f"registry_test_{next(numbers)}"


def values(name):
    return dict(gather().families[name].series)


def test_a_counter_grows_by_whole_and_broken_amounts(name):
    counter = Counter(name, "Something", ["kind"])

    counter.inc(kind="a")
    counter.inc(2, kind="a")
    counter.inc(0.5, kind="b")
    counter.inc(2**60, kind="c")
    counter.inc(1, kind="c")

    assert values(name) == {("a",): 3, ("b",): 0.5, ("c",): 2.0**60 + 1}


@pytest.mark.parametrize("amount", [-1, -0.5, math.nan, math.inf, -(2**70)])
def test_a_counter_refuses_what_would_not_let_it_grow(name, amount):
    counter = Counter(name, "Something")

    with pytest.raises(ValueError, match="a counter only grows"):
        counter.inc(amount)

    assert values(name) == {(): 0}


def test_what_has_no_labels_is_there_from_the_beginning(name):
    Counter(name, "Something")
    Gauge(f"{name}_g", "Something")
    Histogram(f"{name}_seconds", "Something", unit="seconds")

    assert values(name) == {(): 0}
    assert values(f"{name}_g") == {(): 0}
    assert values(f"{name}_seconds")[()].count == 0


def test_a_gauge_goes_up_and_down_and_is_set(name):
    gauge = Gauge(name, "Something", ["kind"])

    gauge.set(4, kind="a")
    gauge.inc(kind="a")
    gauge.dec(2.5, kind="a")
    gauge.dec(kind="b")
    gauge.set(math.inf, kind="c")

    assert values(name) == {("a",): 2.5, ("b",): -1.0, ("c",): math.inf}


def test_a_gauge_that_nobody_has_set_has_no_largest(name):
    gauge = Gauge(name, "Something", across="max")

    assert values(name) == {}
    gauge.set(-3)
    assert values(name) == {(): -3.0}


def test_a_histogram_counts_durations(name):
    histogram = Histogram(name, "Something", ["kind"])

    for milliseconds in range(1, 101):
        histogram.observe(milliseconds / 1000, kind="a")
    with pytest.raises(KeyError), histogram.labels(kind="b").time():
        raise KeyError

    found = values(name)
    assert found["a",].count == 100 and found["a",].sum_ns == 5_050_000_000
    assert found["a",].percentile(50) == pytest.approx(0.05, rel=1 / 16)
    assert found["b",].count == 1


@pytest.mark.parametrize("seconds", [-0.001, math.nan, math.inf])
def test_a_histogram_refuses_what_is_no_duration(name, seconds):
    with pytest.raises(ValueError, match="a duration is a number of seconds"):
        Histogram(name, "Something").observe(seconds)


def test_an_endless_duration_is_bounded(name):
    histogram = Histogram(name, "Something")

    for _ in range(1000):
        histogram.observe(1e300)

    assert values(name)[()].counts[-1] == 1000


@pytest.mark.parametrize("bad", ["", "1st", "a-b", "a b", "größe", "a\n", "{}"])
def test_names_are_those_of_prometheus(name, bad):
    with pytest.raises(ValueError, match="is no name of a metric"):
        Counter(bad, "Something")


@pytest.mark.parametrize(
    "labels", [["1"], ["a-b"], ["__name"], ["le"], ["quantile"], ["ä"], ["a", "a"], ["a b"]]
)
def test_names_of_labels_are_those_of_prometheus(name, labels):
    with pytest.raises(ValueError, match="label"):
        Counter(name, "Something", labels)


def test_a_unit_ends_the_name(name):
    with pytest.raises(ValueError, match="its name ends in it"):
        Counter(name, "Something", unit="bytes")

    assert Counter(f"{name}_bytes_total", "Something", unit="bytes").name == f"{name}_bytes"


def test_the_same_definition_twice_is_one_instrument(name):
    first, second = (Counter(name, "Something", ["kind"]) for _ in range(2))

    first.inc(kind="a")
    second.inc(kind="a")

    assert values(name) == {("a",): 2}


@pytest.mark.parametrize(
    "define",
    [
        lambda name: Counter(name, "Something", ["other"]),
        lambda name: Counter(name, "Something else", ["kind"]),
        lambda name: Gauge(name, "Something", ["kind"]),
        lambda name: Gauge(f"{name}_total", "Something"),
        lambda name: Histogram(name, "Something"),
    ],
)
def test_a_name_has_one_meaning(name, define):
    Counter(f"{name}_total", "Something", ["kind"])

    with pytest.raises(ValueError, match="is defined already"):
        define(name)


def test_samples_of_a_histogram_are_nobody_elses(name):
    Histogram(name, "Something")

    with pytest.raises(ValueError, match=f"is defined already, with another meaning: see {name!r}"):
        Gauge(f"{name}_sum", "Something")


def test_names_the_server_tells_are_nobody_elses():
    snapshot = gather()
    told = [family.name for family in [*http_families(snapshot), *system_families(snapshot)]]

    for name in told:
        for define in (Counter, Gauge, Histogram):
            with pytest.raises(ValueError, match="is defined already"):
                define(name, "Something")
    assert len(told) == 10


@pytest.mark.parametrize("labels", [{}, {"other": 1}, {"kind": 1, "other": 1}])
def test_labels_are_those_of_the_definition(name, labels):
    counter = Counter(name, "Something", ["kind"])
    counter.inc(kind="a")

    with pytest.raises(ValueError, match="has the labels"):
        counter.inc(**labels)


def test_a_label_is_cut_and_may_be_anything(name):
    counter = Counter(name, "Something", ["kind"])

    for value in ("x" * 500, 1, True, None, [], "\ud800", 'a"b\\c\nd'):
        counter.inc(kind=value)

    found = {values[0] for values in values(name)}
    assert found == {"x" * 128, "1", "True", "None", "[]", "?", 'a"b\\c\nd'}


def test_a_gauge_across_processes_is_a_sum_or_an_extreme(name):
    with pytest.raises(ValueError, match="across is sum, max or min"):
        Gauge(name, "Something", across="mean")


def test_many_threads_count_everything(name):
    counter = Counter(name, "Something", ["kind"])
    gauge, histogram = Gauge(f"{name}_g", "Something"), Histogram(f"{name}_h", "Something")
    bound = counter.labels(kind="bound")

    def count():
        for number in range(2000):
            counter.inc(kind=str(number % 5))
            bound.inc()
            gauge.inc()
            histogram.observe(0.001)

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    is_mine = ledger.claim_loop()
    count()
    if is_mine:
        ledger.leave_loop()
    for thread in threads:
        thread.join()

    assert values(name) == {**{(str(number),): 2800 for number in range(5)}, ("bound",): 14_000}
    assert values(f"{name}_g") == {(): 14_000.0}
    assert values(f"{name}_h")[()].count == 14_000


def run(program):
    """What a Python of its own prints, line by line."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def test_a_forked_process_counts_for_itself():
    program = """
import os
from penstock import Counter
from penstock.observe.metrics.gather import gather
counter = Counter("c", "")
counter.inc()
pid = os.fork()
counter.inc(5)
if pid:
    os.waitpid(pid, 0)
print(gather().value("c"), flush=True)
"""

    assert run(program) == ["5", "6"]


def test_labels_beyond_the_bound_are_other():
    """In a process of its own: the bound is the process's."""
    program = f"""
from penstock.observe.metrics.gather import gather
from penstock.observe.metrics.registry import Counter, Histogram
histogram, counter = Histogram("h", "", ["n"]), Counter("c", "", ["n"])
late = Counter("late", "")
for number in range(3000):
    counter.inc(n=number)
    histogram.observe(1, n=number)
    late.inc()
found = gather().families
print(sum(found["c"].series.values()), found["c"].series["other",] > 1000, found["late"].series)
print(sum(each.count for each in found["h"].series.values()), found["h"].series["other",].count > 1000)
print(sum(len(family.series) for family in found.values()) <= {SERIES_LIMIT} + 3)
"""

    assert run(program) == ["3000 True {(): 3000}", "3000 True", "True"]
