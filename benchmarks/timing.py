"""The one place that times code in this process.

A `Case` does a batch of operations in one call, so that neither a lambda nor the clock is part of what is
measured. Every case is warmed up, then sampled in rounds, all cases in each round, so that a disturbance
meets them alike; the order rotates. The clock is the CPU time of the process: what other programs do on
the machine slows caches, but is not counted. The garbage collector stays on, as in a server.
"""

from __future__ import annotations

import time
from itertools import repeat
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_ROUNDS = 15
_SAMPLE_S = 0.02
_QUICK_ROUNDS = 3
_QUICK_SAMPLE_S = 0.002


class Figure(NamedTuple):
    """A measured quantity."""

    case: str
    """What was done."""
    subject: str
    """What did it."""
    median: float
    low: float
    high: float
    unit: str


class Case(NamedTuple):
    """Something to time."""

    name: str
    subject: str
    run: Callable[[], object]
    operations: int
    """How many one call of `run` does."""
    clock: Callable[[], float] = time.process_time
    """`time.thread_time` where threads beside it do work that is not the operation's."""


def time_cases(cases: Sequence[Case], *, is_quick: bool = False) -> list[Figure]:
    """Return the microseconds of CPU time of one operation of each case."""
    rounds, sample_s = (_QUICK_ROUNDS, _QUICK_SAMPLE_S) if is_quick else (_ROUNDS, _SAMPLE_S)
    calls = [_calls_in(case, sample_s) for case in cases]
    samples_us: list[list[float]] = [[] for _ in cases]
    for number in range(rounds):
        for index in range(len(cases)):
            turn = (index + number) % len(cases)
            case = cases[turn]
            samples_us[turn].append(_time(case, calls[turn]) * 1e6 / (calls[turn] * case.operations))
    return [
        summarise(case.name, case.subject, samples, "us")
        for case, samples in zip(cases, samples_us, strict=True)
    ]


def summarise(case: str, subject: str, samples: Iterable[float], unit: str) -> Figure:
    """Return median, lowest and highest of the samples."""
    samples = list(samples)
    return Figure(case, subject, median(samples), min(samples), max(samples), unit)


def take_off(figure: Figure, other: Figure) -> Figure:
    """Return a figure less the median of another, of what was timed with it but is not part of it."""
    off = other.median
    return figure._replace(median=figure.median - off, low=figure.low - off, high=figure.high - off)


def _calls_in(case: Case, sample_s: float) -> int:
    """Warm up, and return how many calls fill a sample."""
    calls = 1
    while True:
        took_s = _time(case, calls)
        if took_s >= sample_s / 2:
            return max(1, round(calls * sample_s / took_s))
        calls *= 4


def _time(case: Case, calls: int) -> float:
    run, clock = case.run, case.clock
    started = clock()
    for _ in repeat(None, calls):
        run()
    return clock() - started
