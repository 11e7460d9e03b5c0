"""Doubts that come of the beginning and the end of a round, which only the engine can see (`stretch.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from http_benchmark.measurement.result import BenchmarkResult

SHARE: Final = 0.02
"""Of a round: what may be off at its edges before it is told."""


def edge_warnings(result: BenchmarkResult) -> list[str]:
    """Return them, each with what to do."""
    return [each for each in (_short_rounds(result), _late_connections(result)) if each]


def _short_rounds(result: BenchmarkResult) -> str:
    round_s = result.duration / len(result.rounds)
    wanted = result.config_snapshot
    if wanted["requests"] or wanted["rate_per_s"] or result.avg_response_time <= SHARE * round_s:
        return ""
    return (
        f"a reply took {result.avg_response_time:.3g} s and a round {round_s:.3g} s, so the rate may be off "
        f"by {100 * result.avg_response_time / round_s:.0f} %: measure longer rounds"
    )


def _late_connections(result: BenchmarkResult) -> str:
    """A target that closes connections now and then has as many opened with any warm-up: not told."""
    wanted = result.concurrency_level * len(result.rounds)
    if not result.config_snapshot["warm_up_s"] or any(
        each.connections_reused is None for each in result.rounds
    ):
        return ""
    reused = sum(each.connections_reused or 0 for each in result.rounds)
    opened = result.requests_count + result.error_count - reused
    if result.error_count or not SHARE * wanted < opened <= wanted:
        return ""
    return f"{opened} connections were opened in the measured time: the warm-up was too short; raise --warmup"
