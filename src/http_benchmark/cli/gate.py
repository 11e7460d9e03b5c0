"""`http-benchmark gate`: for CI. Exit code 0: no regression beyond the limit; 1: one; 2: nobody can tell."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.cli.chosen import HOW, add_database_option, choose
from http_benchmark.errors import UsageError
from http_benchmark.report.figures import fit, show_harmless, show_number, show_time
from http_benchmark.statistics.gate import ERROR_RATE, Check, check, check_errors
from http_benchmark.statistics.metrics import METRICS, find_metric
from http_benchmark.statistics.trend import show_change
from http_benchmark.storage.environment import differences
from http_benchmark.storage.store import ResultStorage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult

_HARMLESS: Final = {
    *("name", "client", "mode", "server", "command"),
    *("duration_s", "requests", "rounds", "monitoring_interval_s"),
}
"""Of a configuration: what changes no figure, or is compared elsewhere."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = (
        "Exit codes: 0 no regression beyond the limit, 1 a regression (or something failed more often), "
        "2 nobody can tell: too few rounds, no baseline, a wrong call."
    )
    parser.add_argument(
        "--max-regression",
        required=True,
        metavar="PERCENT",
        help="by how much the current result may be worse, such as 5%%",
    )
    parser.add_argument(
        "--metric",
        action="append",
        metavar="METRIC",
        help="what is compared, again for several: rate, mean, max, p50, p90, p95, p99, p99.9, p99.99, "
        "error-rate, cpu, memory, server-cpu, server-memory; default p99",
    )
    parser.add_argument(
        "--current", default="last", metavar="RESULT", help=f"what is judged: {HOW}; default last"
    )
    parser.add_argument(
        "--baseline",
        metavar="RESULT",
        help="against what, named as --current; default the newest before it of its name, client and mode",
    )
    parser.add_argument(
        "--strict", action="store_true", help="shut also where noise could hide a regression beyond the limit"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    add_database_option(parser)


def run(options: argparse.Namespace) -> int:
    """Judge, print, and return the exit code."""
    limit = read_limit(options.max_regression)
    names = list(dict.fromkeys(options.metric or ["p99"]))
    metrics = [find_metric(name) for name in names if not _is_error_rate(name)]
    pairs = _pairs(options)
    count = len(pairs) * (len(metrics) + 1)
    found: list[tuple[BenchmarkResult, BenchmarkResult, list[Check]]] = []
    for baseline, current in pairs:
        checks = [
            check(baseline, current, each, limit, is_strict=options.strict, checks=count) for each in metrics
        ]
        errors = check_errors(baseline, current, limit, checks=count)
        if errors.is_shut or errors.current or errors.baseline or len(metrics) < len(names):
            checks.append(errors)
        found.append((baseline, current, checks))
    is_shut = any(each.is_shut for *_, checks in found for each in checks)
    if options.json:
        print(json.dumps(_document(found, limit, is_shut=is_shut), indent=2))
    for baseline, current, checks in found:
        _warn(baseline, current, checks)
        if not options.json:
            _print(baseline, current, checks, limit)
    return int(is_shut)


def read_limit(text: str) -> float:
    """Return a limit in percent as a fraction.

    >>> read_limit("5%"), read_limit("2.5")
    (0.05, 0.025)
    """
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not (isfinite(percent) and percent >= 0):
        raise UsageError(f"--max-regression is {text!r}, but must be a number of percent, such as 5%")
    return percent / 100


def _is_error_rate(name: str) -> bool:
    return name.lower().replace("-", "_") in {ERROR_RATE, "errors"}


def _pairs(options: argparse.Namespace) -> list[tuple[BenchmarkResult, BenchmarkResult]]:
    """Each current result with its baseline: of the same name, client and mode; or the only one there is."""
    current = choose([options.current], options.database)
    if options.baseline is None:
        return [(_before(each, ResultStorage(options.database)), each) for each in current]
    baseline = choose([options.baseline], options.database)
    if len(current) == len(baseline) == 1:
        pairs = [(baseline[0], current[0])]
    else:
        pairs = [(_counterpart(each, baseline), each) for each in current]
    if any(before.id == after.id for before, after in pairs):
        raise UsageError("the baseline is the current result itself; name another --baseline or --current")
    return pairs


def _before(current: BenchmarkResult, store: ResultStorage) -> BenchmarkResult:
    for each in store.find_results(name=current.name, client=current.client_library, with_rounds=False):
        is_older = each.id != current.id and each.created_at <= current.created_at
        if is_older and each.client_type == current.client_type:
            return store.get_result_by_prefix(each.id)
    raise UsageError(
        f"{store.path} has nothing of {current.name!r} before {current.id[:8]}; name a --baseline"
    )


def _counterpart(current: BenchmarkResult, baseline: Sequence[BenchmarkResult]) -> BenchmarkResult:
    by_name = [each for each in baseline if _subject(each) == _subject(current)]
    found = by_name or [each for each in baseline if _subject(each)[1:] == _subject(current)[1:]]
    if len(found) == 1:
        return found[0]
    raise UsageError(f"the baseline has {len(found)} results of {current.name!r}; name one of them")


def _subject(result: BenchmarkResult) -> tuple[str, str, str]:
    return result.name, result.client_library, result.client_type


def _print(
    baseline: BenchmarkResult, current: BenchmarkResult, checks: Sequence[Check], limit: float
) -> None:
    print(fit(f"{show_harmless(current.name)}: {current.id[:8]} against {baseline.id[:8]}", sys.stdout))
    for each in checks:
        before, after = (_show(each.metric, value) for value in (each.baseline, each.current))
        line = f"  {each.outcome.value:13}  {_label(each.metric)}: {before} -> {after}, {_worse(each, limit)}"
        print(fit(line, sys.stdout))


def _worse(each: Check, limit: float) -> str:
    """In words by how much, and how sure."""
    unit = "points" if each.metric == ERROR_RATE else "%"
    if each.current == 0 and each.metric != ERROR_RATE:
        return each.note
    is_better = each.worse < 0
    ends = (-each.high, -each.low) if is_better else (each.low, each.high)
    low, high = (show_change(end).removesuffix(" %") for end in ends)
    by = show_change(abs(each.worse)).removesuffix(" %").removeprefix("+")
    allowed = show_change(limit).removesuffix(" %").removeprefix("+")
    word = "better" if is_better else "worse"
    return f"{by} {unit} {word} (95 %: {low} to {high} {unit}; limit {allowed} {unit})"


def _warn(baseline: BenchmarkResult, current: BenchmarkResult, checks: Sequence[Check]) -> None:
    """Say on stderr what makes the answer doubtful."""
    told = [f"{_label(each.metric)}: {each.note}" for each in checks if each.note]
    old, new = baseline.environment, current.environment
    told += [f"not the same machine or software: {each}" for each in differences(old, new)]
    old, new = _load(baseline), _load(current)
    told += [
        f"not the same load: {key} was {old[key]} and is {new[key]}"
        for key in sorted(old.keys() & new.keys())
        if old[key] != new[key]
    ]
    for each in told:
        print(fit(f"http-benchmark: {show_harmless(each)}", sys.stderr), file=sys.stderr)


def _load(result: BenchmarkResult) -> dict[str, Any]:
    """What was asked of the server; of its URL without host and port, which differ from run to run."""
    found = {key: value for key, value in result.config_snapshot.items() if key not in _HARMLESS}
    if isinstance(url := found.get("url"), str):
        found["url"] = "/" + url.partition("://")[2].partition("/")[2]
    return found


def _label(metric: str) -> str:
    return "errors" if metric == ERROR_RATE else METRICS[metric].phrase


def _show(metric: str, value: float) -> str:
    if metric.endswith("_response_time"):
        return show_time(value)
    if metric in {"cpu_usage_avg", "server_cpu", ERROR_RATE}:
        return f"{show_number(value)} %"
    return f"{show_number(value)} MB" if "memory" in metric else show_number(value)


def _document(
    found: Sequence[tuple[BenchmarkResult, BenchmarkResult, list[Check]]], limit: float, *, is_shut: bool
) -> dict[str, Any]:
    return {
        "passed": not is_shut,
        "max_regression": limit,
        "subjects": [
            {
                "name": current.name,
                "baseline": baseline.id,
                "current": current.id,
                "checks": [_plain(each) for each in checks],
                "environment_differences": differences(baseline.environment, current.environment),
            }
            for baseline, current, checks in found
        ],
    }


def _plain(each: Check) -> dict[str, Any]:
    plain = asdict(each) | {"outcome": each.outcome.name.lower()}
    for name, value in plain.items():
        if isinstance(value, float) and not isfinite(value):
            plain[name] = None
    return plain
