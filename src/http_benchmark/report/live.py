"""Progress while it runs: a screen of a few lines where stderr is a terminal and rich is installed, plain
lines otherwise, nothing with `--quiet`.

It has no thread and no timer: it draws when the engine calls `watch`, at most five times a second, and what
it shows was counted anyway. PERF: one redraw takes 0.3 ms of the processor, a call that draws nothing 1 us
(benchmarks: tests/http_benchmark/report/test_live.py prints them), so at four calls a second a redraw takes
0.1 % of a core. What goes wrong with the stream ends the display and never the measurement.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from http_benchmark.report.figures import can_show, fit, shorten, show_harmless, show_number, show_time
from penstock.cli.plain import show_age

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self, TextIO

    from http_benchmark.measurement.progress import Progress

REDRAW_S: Final = 0.2
LINE_S: Final = 5.0
"""Between plain lines of one round."""
_BARS: Final = "▁▂▃▄▅▆▇█"
_BAR: Final = 24
_KEPT: Final = 240
"""Rates of each subject that are kept for its sparkline."""
_NS: Final = 1e9


class Live:
    """Shows progress on a stream, stderr by default.

    `planned_s` is what the whole run is going to take, with warm-ups; with it the time left of all is told.
    """

    def __init__(
        self, stream: TextIO | None = None, *, is_quiet: bool = False, planned_s: float | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_quiet = is_quiet
        self._planned_s = planned_s
        self._view: _View | None = None

    def __enter__(self) -> Self:
        if not self._is_quiet:
            try:
                self._view = _choose_view(self._stream, self._planned_s)
            except ValueError:  # the stream is closed
                pass
            self._safely("start")
        return self

    def watch(self, progress: Progress) -> None:
        """Show it, if it is time."""
        self._safely("show", progress)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._safely("stop")
        self._view = None

    def _safely(self, what: str, *given: Any) -> None:
        if self._view is not None:
            try:
                getattr(self._view, what)(*given)
            except (OSError, ValueError):  # the terminal is gone, or the stream is closed
                self._view = None


class _View(Protocol):
    def start(self) -> None: ...
    def show(self, progress: Progress) -> None: ...
    def stop(self) -> None: ...


def _choose_view(stream: TextIO, planned_s: float | None) -> _View:
    if stream.isatty() and os.environ.get("TERM") != "dumb" and can_show(stream, f"{_BARS}━µ"):
        try:
            import rich.live  # noqa: F401 - asked for here, used there
        except ImportError:
            pass
        else:
            return _Screen(stream, planned_s)
    return _Lines(stream)


class _Lines:
    """A line when a round has gone on for some seconds, and one at its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: Progress | None = None
        self._due = 0.0
        self._is_told = True

    def start(self) -> None:
        """Wait for something to tell."""

    def show(self, progress: Progress) -> None:
        last, now = self._last, monotonic()
        if last is None or (_label(last), last.round) != (_label(progress), progress.round):
            self._end_round()
            self._due = now + LINE_S
        self._last, self._is_told = progress, False
        if now >= self._due:
            self._print(progress)
            self._due = now + LINE_S

    def stop(self) -> None:
        self._end_round()

    def _end_round(self) -> None:
        if self._last is not None and not self._is_told and self._last.elapsed_s >= 0:
            self._print(self._last)

    def _print(self, progress: Progress) -> None:
        self._is_told = True
        line = f"{_label(progress)}: round {progress.round + 1}/{progress.rounds}, "
        if progress.elapsed_s < 0:
            line += "warming up"
        else:
            of = f" of {show_age(progress.of_s)}" if progress.of_s else ""
            facts = "  ".join(_facts(progress, _mean_rate(progress)))
            line += f"{show_age(progress.elapsed_s)}{of}: {facts}"
        self._stream.write(fit(f"{line}\n", self._stream))
        self._stream.flush()


class _Screen:
    """Some lines that are drawn again and again, and taken away at the end."""

    def __init__(self, stream: TextIO, planned_s: float | None) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(file=stream, highlight=False, soft_wrap=False)
        self._live = RichLive(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False
        )
        self._ends_at = None if planned_s is None else monotonic() + planned_s
        self._rates: dict[str, deque[float]] = {}
        self._last: dict[str, Progress] = {}
        self._drawn_at = 0.0

    def start(self) -> None:
        self._live.start()
        self._console.show_cursor()  # or whoever ends us by a signal has a terminal without one

    def show(self, progress: Progress) -> None:
        label = _label(progress)
        self._rates.setdefault(label, deque(maxlen=_KEPT)).append(progress.rate_per_s)
        self._last[label] = progress
        now = monotonic()
        if now - self._drawn_at >= REDRAW_S:
            self._drawn_at = now
            self._live.update(self._draw(progress, now), refresh=True)

    def stop(self) -> None:
        self._live.stop()

    def _draw(self, progress: Progress, now: float) -> Any:
        from rich.text import Text

        width, label = self._console.width, _label(progress)
        drawn = Text(no_wrap=True, overflow="ellipsis")
        drawn.append(shorten(label, max(width - 16, 8)), "bold")
        drawn.append(f"  round {progress.round + 1} of {progress.rounds}\n")
        drawn.append(self._time(progress, now) + "\n", "cyan")
        *facts, errors = _facts(progress, progress.rate_per_s)
        drawn.append(f"{facts[0]}  ", "bold green")
        drawn.append("  ".join(facts[1:]))
        drawn.append(f"  {errors}\n", "bold red" if progress.errors else "dim")
        drawn.append(spark(list(self._rates[label])[-min(width - 1, _KEPT) :]), "green")
        for other, last in self._last.items():
            if other != label:
                so_far = f"round {last.round + 1}: {'  '.join(_facts(last, _mean_rate(last)))}"
                drawn.append(f"\n{shorten(other, width // 3)}  {so_far}", "dim")
        return drawn

    def _time(self, progress: Progress, now: float) -> str:
        left = ""
        if self._ends_at is not None:
            left = f", {show_age(max(0.0, self._ends_at - now))} left of all"
        if progress.elapsed_s < 0:
            return f"warming up{left}"
        if not progress.of_s:
            return f"{show_age(progress.elapsed_s)}{left}"
        done = min(_BAR, round(_BAR * progress.elapsed_s / progress.of_s))
        bar = f"{'━' * done}{'─' * (_BAR - done)}"
        return f"{bar}  {show_age(progress.elapsed_s)} of {show_age(progress.of_s)}{left}"


def spark(rates: list[float]) -> str:
    """Return a line of bars, from zero to the greatest.

    >>> spark([0, 5, 10])
    '▁▅█'
    """
    top = max(rates, default=0.0) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(max(rate, 0.0) / top * len(_BARS)))] for rate in rates)


def _facts(progress: Progress, rate_per_s: float) -> list[str]:
    return [
        f"{show_number(rate_per_s)}/s",
        f"p50 {show_time(progress.p50_ns / _NS)}",
        f"p99 {show_time(progress.p99_ns / _NS)}",
        f"{progress.requests:,} requests",
        f"{progress.errors:,} errors",
    ]


def _label(progress: Progress) -> str:
    """Return who is measured: of clients the short name, because they often share the long one."""
    return show_harmless(progress.client or progress.name)


def _mean_rate(progress: Progress) -> float:
    return progress.requests / progress.elapsed_s if progress.elapsed_s > 0 else progress.rate_per_s
