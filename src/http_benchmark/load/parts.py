"""One load made by several generators: what each gets, and what they measured together.

Nothing is rounded away: connections and requests are divided to the last one, rates as fractions, and
counts and histograms add up exactly. Pure functions; `processes.py` and `distributed.py` do the rest.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from http_benchmark.errors import UsageError
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Resources, Round, Sample, Second

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.progress import Progress


def divide_options(options: LoadOptions, parts: int) -> list[LoadOptions]:
    """Return the options of each part. UsageError where there is not one connection and request for each."""
    if parts < 1:
        raise UsageError(f"the load cannot be made by {parts} generators, but by one or more")
    for label, whole in (("connections", options.connections), ("requests", options.requests)):
        if whole is not None and whole < parts:
            raise UsageError(
                f"{whole} {label} cannot be shared by {parts} generators; ask for {parts} or more"
            )
    connections = _divide(options.connections, parts)
    requests = [None] * parts if options.requests is None else _divide(options.requests, parts)
    return [
        replace(
            options,
            connections=connections[part],
            requests=requests[part],
            rate_per_s=None if options.rate_per_s is None else options.rate_per_s / parts,
            rate_to_per_s=None if options.rate_to_per_s is None else options.rate_to_per_s / parts,
        )
        for part in range(parts)
    ]


def divide_scenario(scenario: Scenario, parts: int) -> list[Scenario]:
    """Return what each part asks: the same requests, each part in another order, and of the rows of data each
    its own, where there are enough.
    """
    found = []
    for part in range(parts):
        data = scenario.data
        if data is not None and len(data.rows) >= parts:
            data = data._replace(rows=data.rows[part::parts])
        found.append(replace(scenario, data=data, seed=scenario.seed + part))
    return found


def head_start_s(options: LoadOptions, part: int) -> float:
    """Return how much later than the first a part begins: in an open loop they take turns, so that requests
    stay evenly spread.
    """
    return part / options.rate_per_s if options.rate_per_s else 0.0


def join_rounds(parts: Sequence[Round]) -> Round:
    """Return what parts of one stretch come to together: from the first beginning to the last end."""
    started_at = min(each.started_at for each in parts)
    duration_s = max(each.started_at + each.duration_s for each in parts) - started_at
    if len(parts) == 1:
        duration_s = parts[0].duration_s
    return Round(
        number=parts[0].number,
        started_at=started_at,
        duration_s=duration_s,
        latency=_merged(each.latency for each in parts) or Histogram(),
        corrected=_merged(each.corrected for each in parts),
        first_octet=_merged(each.first_octet for each in parts),
        lateness=_merged(each.lateness for each in parts),
        errors=_added(each.errors for each in parts),
        examples={kind: text for each in reversed(parts) for kind, text in each.examples.items()},
        late=sum(each.late for each in parts),
        dropped=sum(each.dropped for each in parts),
        in_flight_at_end=sum(each.in_flight_at_end for each in parts),
        connections_opened=_sum_of_known([each.connections_opened for each in parts]),
        connections_reused=_sum_of_known([each.connections_reused for each in parts]),
        octets_received=sum(each.octets_received for each in parts),
        octets_sent=sum(each.octets_sent for each in parts),
        effective_concurrency=_concurrency(parts, duration_s),
        seconds=_seconds(parts),
        generator=_resources([each.generator for each in parts]),
        was_interrupted=any(each.was_interrupted for each in parts),
    )


def join_progress(parts: Sequence[Progress]) -> Progress:
    """Return how far all together have come. To look at: the p50 is the middle of theirs, the p99 the
    greatest.
    """
    return parts[0]._replace(
        rate_per_s=sum(each.rate_per_s for each in parts),
        p50_ns=round(median(each.p50_ns for each in parts)),
        p99_ns=max(each.p99_ns for each in parts),
        requests=sum(each.requests for each in parts),
        errors=sum(each.errors for each in parts),
    )


def _divide(whole: int, parts: int) -> list[int]:
    each, rest = divmod(whole, parts)
    return [each + (part < rest) for part in range(parts)]


def _merged(histograms: Iterable[Histogram | None]) -> Histogram | None:
    found: Histogram | None = None
    for each in histograms:
        if each is not None:
            found = found or Histogram()
            found.merge(each)
    return found


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for kind, count in each.items():
            found[kind] = found.get(kind, 0) + count
    return found


def _sum_of_known(numbers: list[int | None]) -> int | None:
    known = [each for each in numbers if each is not None]
    return sum(known) if len(known) == len(numbers) else None


def _concurrency(parts: Sequence[Round], duration_s: float) -> float | None:
    known = [each.effective_concurrency for each in parts]
    if None in known or duration_s <= 0:
        return None
    busy_s = (busy * each.duration_s for busy, each in zip(known, parts, strict=True) if busy is not None)
    return sum(busy_s) / duration_s


def _seconds(parts: Sequence[Round]) -> list[Second]:
    found: dict[int, Second] = {}
    for part in parts:
        for each in part.seconds:
            into = found.setdefault(each.offset_s, Second(each.offset_s))
            into.latency.merge(each.latency)
            into.errors += each.errors
    return [found[offset_s] for offset_s in sorted(found)]


def _resources(parts: Sequence[Resources | None]) -> Resources | None:
    known = [each for each in parts if each is not None]
    if not known:
        return None
    most = max(len(each.samples) for each in known)
    return Resources(
        cpu_s=sum(each.cpu_s for each in known),
        user_s=sum(each.user_s for each in known),
        system_s=sum(each.system_s for each in known),
        samples=[
            _sample([each.samples[at] for each in known if at < len(each.samples)]) for at in range(most)
        ],
    )


def _sample(parts: list[Sample]) -> Sample:
    def total(name: str) -> Any:
        return sum(getattr(each, name) for each in parts)

    return Sample(
        offset_s=parts[0].offset_s,
        cpu_percent=total("cpu_percent"),
        rss_mb=total("rss_mb"),
        threads=total("threads"),
        context_switches=total("context_switches"),
        read_mb=total("read_mb"),
        written_mb=total("written_mb"),
    )
