"""How results are called beside each other, and what several of them have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_benchmark.report.figures import show_harmless, show_number, show_url
from penstock.cli.plain import show_age

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from http_benchmark.measurement.result import BenchmarkResult

_LOAD = "load"


def label_results(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return a short name of each, no two alike: the library, or what a server under load is called, with
    mode, name or time where that is not enough.
    """
    ways: tuple[Callable[[BenchmarkResult], str], ...] = (
        _short,
        lambda each: f"{_short(each)} ({each.client_type})",
        lambda each: each.name,
        lambda each: f"{_short(each)} {each.start_time[:19].replace('T', ' ')}",
    )
    labels: list[str] = []
    for way in ways:
        labels = [show_harmless(way(each)) for each in results]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{label} #{number}" for number, label in enumerate(labels, 1)]


def describe_subjects(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return what was measured: one line where it is the same for all, else a line for each."""
    lines = [_describe(each) for each in results]
    if len(set(lines)) == 1:
        return lines[:1]
    return [f"{label}: {line}" for label, line in zip(label_results(results), lines, strict=True)]


def loop_of(result: BenchmarkResult) -> str:
    """Return in words how requests were sent."""
    rate, rate_to = (result.config_snapshot.get(name) for name in ("rate_per_s", "rate_to_per_s"))
    if not isinstance(rate, (int, float)):
        return "closed loop"
    if isinstance(rate_to, (int, float)):
        return f"open loop from {show_number(rate)}/s to {show_number(rate_to)}/s"
    return f"open loop at {show_number(rate)}/s"


def all_warnings(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return each warning once, with whom it concerns unless that is all."""
    whom: dict[str, list[str]] = {}
    for label, result in zip(label_results(results), results, strict=True):
        for warning in result.warnings:
            known = whom.setdefault(show_harmless(warning), [])
            if label not in known:
                known.append(label)
    return [
        text if len(labels) == len(results) else f"{', '.join(labels)}: {text}"
        for text, labels in whom.items()
    ]


def all_errors(results: Sequence[BenchmarkResult]) -> Iterator[tuple[str, str, int, float, str]]:
    """Yield label, class, count, percent of what came to an end, and an example; the most frequent first."""
    for label, result in zip(label_results(results), results, strict=True):
        ended = result.requests_count + result.error_count
        for kind, count in sorted(result.errors.items(), key=lambda item: (-item[1], item[0])):
            example = next((each.examples[kind] for each in result.rounds if kind in each.examples), "")
            yield label, show_harmless(kind), count, 100 * count / max(ended, 1), show_harmless(example)


def all_troubles(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return what did not go as planned and is no error: late and dropped sends, unanswered requests, rounds
    that were cut short.
    """
    told = []
    for label, result in zip(label_results(results), results, strict=True):
        rounds = result.rounds
        late = sum(each.late for each in rounds)
        facts = []
        if late:
            worst_ms = result.merged("lateness").percentile(99) / 1e6
            facts.append(f"{late:,} requests sent more than 1 ms late (p99 of lateness {worst_ms:,.1f} ms)")
        if dropped := sum(each.dropped for each in rounds):
            facts.append(f"{dropped:,} were due and never sent")
        if unanswered := sum(each.in_flight_at_end for each in rounds):
            facts.append(f"{unanswered:,} unanswered at the end")
        if cut := sum(each.was_interrupted for each in rounds):
            facts.append(f"{cut} of {len(rounds)} rounds cut short")
        if facts:
            told.append(f"{label}: {', '.join(facts)}")
    return told


def _short(result: BenchmarkResult) -> str:
    return result.name if result.client_type == _LOAD else result.client_library


def _describe(result: BenchmarkResult) -> str:
    rounds = len(result.rounds)
    of = f" in {rounds} rounds" if rounds > 1 else ""
    many = f"{result.concurrency_level:,} at a time" if result.concurrency_level > 1 else "one at a time"
    took = show_age(result.duration)
    return (
        f"{show_harmless(result.http_method)} {show_url(result.url)}, {many}, {loop_of(result)}, {took}{of}"
    )
