"""Is `http-benchmark servers` right about who is faster? Asked twenty times of two identical servers, and of
two of which one takes 5 % more CPU time a request.

Both are the same application under Penstock, which counts to a number for each request; the slower one's is
chosen so that it takes 5 % more, and what it takes more is printed. Goals: "no significant difference" at
least 18 times of 20 for the identical ones, the slower one found at least 18 times of 20; by the rate, as the
command says it, and by CPU time per request beside it. Takes a quarter of an hour.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.subjects import APPS, HELLO, definitions
from benchmarks.timing import Figure, summarise
from http_benchmark.servers.definitions import Server
from http_benchmark.servers.figures import cpus_of, figures_of
from http_benchmark.servers.launch import Launch, default_cpus
from http_benchmark.servers.load_process import Load, load_round
from http_benchmark.servers.rounds import Measured, Plan, measure_servers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.servers.figures import Figures

SLOWER = 0.05
_TURNS = 1_500
"""What every request does: enough that the generator has time left."""


class _Size(NamedTuple):
    comparisons: int
    rounds: int
    seconds: float
    warm_up_s: float


_FULL = _Size(20, 10, 0.5, 0.2)
_QUICK = _Size(1, 2, 0.1, 0.0)


def server(name: str, turns: int) -> Server:
    """Return a server that counts to a number for each request."""
    command = ("{python}", "-m", "penstock", "run", "--port", "{port}", "--no-access-log", "busy_app:app")
    environment = {"PYTHONPATH": str(APPS), "TURNS": str(turns)}
    return Server(name=name, command=command, workloads=(HELLO,), environment=environment)


class Arena:
    """Where they are measured."""

    def __init__(self, static: Path, size: _Size) -> None:
        server_cpus, load_cpus = default_cpus()
        self._size = size
        self._launch = Launch(
            here=APPS, static=static, python=sys.executable, peers=sys.executable, cpus=server_cpus
        )
        self._load = Load(
            connections=16, duration_s=size.seconds, warm_up_s=size.warm_up_s, cpus=load_cpus, interval_s=0.1
        )

    def measure(self, servers: Sequence[Server], rounds: int) -> list[Measured]:
        """Measure them in turns; SystemExit when one is left out."""
        plan = Plan(
            workload=definitions().workloads[HELLO],
            launch=self._launch,
            load=self._load,
            rounds=rounds,
            make_load=load_round,
        )
        found = measure_servers(servers, plan)
        for measured in found:
            if measured.left_out:
                raise SystemExit(f"{measured.server.name}: {measured.left_out}")
        return found

    def compare(self, *servers: Server) -> list[Figures]:
        """Return the figures of all but the first, which they are set against."""
        return figures_of(self.measure(servers, self._size.rounds))[1:]

    def turns_for(self, share: float) -> int:
        """Return to what number the slower one counts: from what a request takes, and what a turn takes."""
        few, many = server("few", _TURNS), server("many", _TURNS * 2)
        costs_us = [median(cpus_of(one.rounds)) for one in self.measure((few, many), self._size.rounds)]
        turn_us = (costs_us[1] - costs_us[0]) / _TURNS
        if turn_us <= 0:
            return round(_TURNS * (1 + share))
        return _TURNS + round(costs_us[0] * share / turn_us)


def measure(options: Options) -> Report:
    """Compare twenty times each; say how often it was right."""
    size = _QUICK if options.is_quick else _FULL
    with tempfile.TemporaryDirectory() as made:
        arena = Arena(Path(made), size)
        slower = arena.turns_for(SLOWER)
        one, twin = server("one", _TURNS), server("twin", _TURNS)
        slow = server("slow", slower)
        same, differ = [], []
        for number in range(size.comparisons):
            equal, other = arena.compare(one, twin, slow)
            same.append(equal)
            differ.append(other)
            _tell(number, size, equal, other)
    unit = f"of {size.comparisons}"
    case = f"{SLOWER:.0%} slower"
    right_rate = sum(_is_worse(each, by_cpu=False) for each in differ)
    right_cpu = sum(_is_worse(each, by_cpu=True) for each in differ)
    figures = [
        _count("identical, by rate", "no difference", sum(not _differs(each) for each in same), unit),
        _count(
            "identical, by CPU", "no difference", sum(not _differs(each, by_cpu=True) for each in same), unit
        ),
        _count(f"{case}, by rate", "found", right_rate, unit),
        _count(f"{case}, by CPU", "found", right_cpu, unit),
        summarise(f"{case}: CPU time", "of the other", _ratios(differ, by_cpu=True), "x"),
        summarise(f"{case}: rate", "of the other", _ratios(differ, by_cpu=False), "x"),
        summarise("generator", "of a core", [each.generator_percent for each in (*same, *differ)], "%"),
    ]
    goal = "goal: at least 18 of 20 in the first four rows"
    return Report(figures, [goal])


def _tell(number: int, size: _Size, same: Figures, differ: Figures) -> None:
    if size.comparisons > 1:
        print(
            f"{number + 1} of {size.comparisons}: identical {_ratios([same], by_cpu=False)[0]:.3f}x rate"
            f"{'' if _differs(same) else ' ='}, slower {_ratios([differ], by_cpu=False)[0]:.3f}x"
            f"{'' if _differs(differ) else ' ='}",
            file=sys.stderr,
            flush=True,
        )


def _differs(figures: Figures, *, by_cpu: bool = False) -> bool:
    verdict = figures.cpu_verdict if by_cpu else figures.rate_verdict
    return verdict is not None and verdict.is_significant


def _is_worse(figures: Figures, *, by_cpu: bool) -> bool:
    """Tell whether a difference was found, and in the right direction."""
    (ratio,) = _ratios([figures], by_cpu=by_cpu)
    return _differs(figures, by_cpu=by_cpu) and (ratio > 1 if by_cpu else ratio < 1)


def _ratios(found: Sequence[Figures], *, by_cpu: bool) -> list[float]:
    verdicts = [each.cpu_verdict if by_cpu else each.rate_verdict for each in found]
    return [verdict.ratio for verdict in verdicts if verdict is not None]


def _count(case: str, subject: str, count: int, unit: str) -> Figure:
    return Figure(case, subject, count, count, count, unit)


if __name__ == "__main__":
    sys.exit(main(["rightness_servers"]))
