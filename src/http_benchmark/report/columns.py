"""Which figures are shown: as columns of several results, as lines of one."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final

from http_benchmark.measurement.result import PERCENTILES
from http_benchmark.report.figures import show_column_ms, show_harmless, show_number
from http_benchmark.report.grid import Column
from http_benchmark.report.subjects import label_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.histogram.histogram import Histogram
    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Resources
    from http_benchmark.report.grid import Style

_NS: Final = 1e9
_TIMES: Final = (
    ("mean", "avg_response_time"),
    ("p50", "p50_response_time"),
    ("p90", "p90_response_time"),
    ("p99", "p99_response_time"),
    ("p99.9", "p999_response_time"),
    ("max", "max_response_time"),
)


def columns_of(results: Sequence[BenchmarkResult]) -> list[Column]:
    """Return the columns of the main table."""
    is_load = all(each.client_type == "load" for each in results)
    names = Column("server" if is_load else "client", label_results(results), ["name"] * len(results))
    columns = [names]
    if not is_load:
        columns.append(Column("mode", [each.client_type for each in results], is_text=True))
    rates = [each.requests_per_second for each in results]
    columns.append(Column("req/s", [show_number(rate) for rate in rates], _best(rates, highest=True)))
    for title, name in _TIMES:
        times = [getattr(each, name) if each.requests_count else None for each in results]
        columns.append(Column(title, show_column_ms(times), _best(times, highest=False)))
    errors: list[Style] = ["bad" if each.error_count else "" for each in results]
    columns.append(Column("errors", [f"{each.error_count:,}" for each in results], errors))
    watched: list[tuple[str, Sequence[float | None]]] = [
        ("CPU %", [each.cpu_usage_avg for each in results]),
        ("MB", [each.memory_usage_avg for each in results]),
        ("opened", [connections_of(each) for each in results]),
        ("srv CPU %", [server_cpu_percent(each) for each in results]),
        ("srv MB", [server_mb(each) for each in results]),
    ]
    for title, values in watched:
        if any(value is not None for value in values):
            columns.append(Column(title, [_dashed(value) for value in values]))
    return columns


def legend_of(results: Sequence[BenchmarkResult]) -> str:
    """Return what the heads of the main table mean."""
    said = "Times in ms, of requests that succeeded."
    if any(each.cpu_usage_avg is not None for each in results):
        said += " CPU in % of one core and MB: of the process that made the requests."
    if any(connections_of(each) is not None for each in results):
        said += " opened: connections."
    if any(server_mb(each) is not None for each in results):
        said += " srv: of the server."
    return said


def corrected_columns(results: Sequence[BenchmarkResult]) -> list[Column]:
    """Return the columns of corrected latencies beside those as measured; none where none were corrected."""
    rows: list[tuple[str, str, Histogram]] = []
    labels = label_results(results) if len(results) > 1 else [""]
    for label, result in zip(labels, results, strict=True):
        if any(each.corrected is not None for each in result.rounds):
            rows += [
                (label, "measured", result.merged()),
                ("", "corrected", result.merged("corrected")),
            ]
    if not rows:
        return []
    columns = [
        Column("ms", [label for label, *_ in rows], ["name"] * len(rows)),
        Column("", [kind for _, kind, _ in rows], is_text=True),
    ]
    times = [each.percentiles((50.0, 90.0, 99.0, 99.9, 99.99, 100.0)) for *_, each in rows]
    for at, title in enumerate(("p50", "p90", "p99", "p99.9", "p99.99", "max")):
        cells = show_column_ms([row[at] / _NS if row[at] else None for row in times])
        columns.append(Column(title, cells))
    return columns


def how_corrected(results: Sequence[BenchmarkResult]) -> str:
    """Return what corrected latencies mean here: measured in an open loop, estimated in a closed one."""
    if all(result.config_snapshot.get("rate_per_s") for result in results):
        return "from when each request was due"
    return "estimated as if each connection had gone on asking at its average pace"


def lines_of(result: BenchmarkResult) -> list[tuple[str, str]]:
    """Return title and text of each line that tells of one result alone."""
    given = result.config_snapshot.get("name")
    lines = [("name", show_harmless(given))] if isinstance(given, str) and given else []
    if result.client_type != "load":
        lines.append(("client", f"{label_results([result])[0]}, {result.client_type}"))
    lines.append(("requests/s", _rate(result)))
    errors = f"{result.error_count:,} errors ({show_number(result.error_rate)} %)"
    lines.append(("requests", f"{result.requests_count:,} succeeded, {errors}"))
    if result.requests_count:
        lines += _latency_lines(result)
    if octets := sum(each.octets_received for each in result.rounds):
        lines.append(("received", f"{show_number(octets / 1e6 / max(result.duration, 1e-9))} MB/s"))
    if result.cpu_usage_avg is not None:
        used = f"{_dashed(result.cpu_usage_avg)} % of a core, {_dashed(result.memory_usage_avg)} MB"
        lines.append(("used", f"{used} by the process that made the requests"))
    if (server := server_cpu_percent(result)) is not None:
        lines.append(("server used", f"{_dashed(server)} % of a core, {_dashed(server_mb(result))} MB"))
    if (opened := connections_of(result)) is not None:
        lines.append(("connections", f"{opened:,} opened"))
    return lines


def connections_of(result: BenchmarkResult) -> int | None:
    """Return how many were opened in all rounds; None where nobody can tell."""
    known = [each.connections_opened for each in result.rounds if each.connections_opened is not None]
    return sum(known) if known else None


def server_cpu_percent(result: BenchmarkResult) -> float | None:
    """Return what the server used of one core; None where it was not watched."""
    watched = _servers(result)
    took_s = sum(each.duration_s for each in result.rounds if each.server is not None)
    return 100 * sum(each.cpu_s for each in watched) / took_s if watched and took_s > 0 else None


def server_mb(result: BenchmarkResult) -> float | None:
    """Return the mean of its resident memory; None where it was not watched."""
    watched = _servers(result)
    return sum(each.rss_mb_mean for each in watched) / len(watched) if watched else None


def _servers(result: BenchmarkResult) -> list[Resources]:
    return [each.server for each in result.rounds if each.server is not None]


def _rate(result: BenchmarkResult) -> str:
    rates = [each.rate_per_s for each in result.rounds]
    said = show_number(result.requests_per_second)
    if len(rates) > 1:
        said += f" (rounds: {show_number(min(rates))} to {show_number(max(rates))})"
    return said


def _latency_lines(result: BenchmarkResult) -> list[tuple[str, str]]:
    named = {"mean": result.avg_response_time, "stdev": result.stdev_response_time}
    named |= {"min": result.min_response_time, "max": result.max_response_time}
    labels = {f"p{percent:g}": f"p{percent:g}_response_time".replace(".", "") for percent in PERCENTILES}
    percentiles = {label: getattr(result, name) for label, name in labels.items()}
    known = [{key: s for key, s in each.items() if not isnan(s)} for each in (named, percentiles)]
    lines = list(zip(("latency ms", ""), known, strict=True))
    first = result.merged("first_octet")
    if first.total:
        shown = (50.0, 99.0)
        of = zip(shown, first.percentiles(shown), strict=True)
        lines.append(("first octet", {f"p{percent:g}": ns / _NS for percent, ns in of}))
    cells = iter(show_column_ms([value for _, values in lines for value in values.values()]))
    return [(title, "  ".join(f"{name} {next(cells)}" for name in values)) for title, values in lines]


def _dashed(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else show_number(value)


def _best(values: Sequence[float | None], *, highest: bool) -> list[Style]:
    known = [value for value in values if value]
    if len(known) < 2:
        return [""] * len(values)
    best = max(known) if highest else min(known)
    return ["best" if value == best else "" for value in values]
