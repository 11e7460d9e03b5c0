"""Under which conditions something was measured: configuration and environment as pairs of text, without
secrets. What is the same for all results is told once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from http_benchmark.report.figures import show_harmless, show_url
from http_benchmark.report.subjects import label_results
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from http_benchmark.measurement.result import BenchmarkResult

    Pairs = list[tuple[str, str]]

_LONGEST = 2_000
_DEPTH = 6


def configurations(results: Sequence[BenchmarkResult]) -> list[tuple[str, Pairs]]:
    """Return whose they are ("" for all) and the pairs of each configuration."""
    return _told(results, lambda each: each.config_snapshot)


def environments(results: Sequence[BenchmarkResult]) -> list[tuple[str, Pairs]]:
    """Return whose they are ("" for all) and the pairs of each environment."""
    return _told(results, lambda each: each.environment)


def _told(
    results: Sequence[BenchmarkResult], pick: Callable[[BenchmarkResult], Mapping[str, Any]]
) -> list[tuple[str, Pairs]]:
    each = [dict(flatten(redactor().members(dict(pick(result))))) for result in results]
    same = {name: value for name, value in each[0].items() if all(other.get(name) == value for other in each)}
    told = [("", list(same.items()))] if same else []
    for label, pairs in zip(label_results(results), each, strict=True):
        own = [(name, value) for name, value in pairs.items() if name not in same]
        if own:
            told.append((label, own))
    return told


def flatten(members: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the name, of nested members with that of what they are in, and the value as text.

    >>> list(flatten({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": True}))
    [('a b', '1'), ('a c', '1, 2'), ('d', '-'), ('e', 'yes')]
    """
    for key, value in members.items():
        name = f"{before}{show_harmless(str(key)).replace('_', ' ')}"
        if isinstance(value, dict) and value and depth < _DEPTH:
            yield from flatten(value, f"{name} ", depth + 1)
        else:
            yield name, _show(str(key), value)


def _show(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return ", ".join(_show(key, each) for each in value)
    text = show_url(str(value)) if key == "url" else show_harmless(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
