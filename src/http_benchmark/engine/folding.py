"""From what recorders noted to a `Round`: once, after the last request, when nothing is measured any more."""

from __future__ import annotations

from itertools import chain
from operator import sub
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.phase import NS
from http_benchmark.histogram.correction import correct_closed_loop
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Round, Second

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from http_benchmark.engine.phase import Phase
    from http_benchmark.engine.recorder import Recorder

_LATE_NS: Final = 10**6
_PART: Final = 100_000


def fold(
    recorders: Sequence[Recorder], phase: Phase, *, number: int, started_at: float, octets_of_body: int
) -> Round:
    """Return the counts and distributions of a stretch that is over.

    A stretch without an end ended with the last request that was answered.
    """
    begin_ns = phase.stretch.begin_ns
    end_ns = max(begin_ns, phase.stretch.end_ns)
    if phase.ends_by_count:
        ends = [end for each in recorders for end in (*each.finished[-1:], *each.failed_until[-1:])]
        end_ns = min(end_ns, max(ends, default=begin_ns))
    found = Round(number, started_at, (end_ns - begin_ns) / NS)
    for each in recorders:
        _add_counts(found, each)
    _add_latency(found, recorders, begin_ns, end_ns)
    if phase.schedule is not None:
        _add_open_loop(found, recorders)
        found.dropped = max(0, phase.schedule.due_before(end_ns) - _begun(found))
    elif found.latency.total:
        found.corrected = correct_closed_loop(found.latency)
    found.octets_sent = octets_of_body * _begun(found)
    _add_connections(found, recorders)
    if end_ns > begin_ns:
        in_flight_ns = sum(_in_flight_ns(each, begin_ns, end_ns) for each in recorders)
        found.effective_concurrency = in_flight_ns / (end_ns - begin_ns)
    return found


def _begun(found: Round) -> int:
    return found.requests + found.error_count + found.in_flight_at_end


def _add_counts(found: Round, recorder: Recorder) -> None:
    found.octets_received += recorder.octets
    found.in_flight_at_end += len(recorder.unanswered_from)
    for kind, count in list(recorder.errors.items()):
        found.errors[kind] = found.errors.get(kind, 0) + count
    for kind, example in list(recorder.examples.items()):
        found.examples.setdefault(kind, example)


def _add_latency(found: Round, recorders: Sequence[Recorder], begin_ns: int, end_ns: int) -> None:
    """Add what was finished in each second of the stretch, and all of it; what was drained after its end is
    in no second.
    """
    last = max(0, end_ns - begin_ns - 1) // NS
    found.seconds = [Second(offset_s) for offset_s in range(last + 1)]
    drained, first_octet = Histogram(), Histogram()
    for each in recorders:
        for part in _parts(len(each.finished)):
            latencies: dict[int, list[int]] = {}
            for started_ns, finished_ns in zip(each.started[part], each.finished[part], strict=False):
                second = min(last, (finished_ns - begin_ns) // NS) if finished_ns <= end_ns else -1
                latencies.setdefault(second, []).append(finished_ns - started_ns)
            for second, values in latencies.items():
                (drained if second < 0 else found.seconds[second].latency).record_many(values)
            pairs = zip(each.first_octet[part], each.started[part], strict=False)
            first_octet.record_many([first_ns - started_ns for first_ns, started_ns in pairs if first_ns])
        for finished_ns in each.failed_until:
            if finished_ns <= end_ns:
                found.seconds[min(last, (finished_ns - begin_ns) // NS)].errors += 1
    for whole in (*(second.latency for second in found.seconds), drained):
        found.latency.merge(whole)
    found.first_octet = first_octet if first_octet.total else None


def _add_open_loop(found: Round, recorders: Sequence[Recorder]) -> None:
    found.corrected, found.lateness = Histogram(), Histogram()
    for each in recorders:
        for part in _parts(len(each.due)):
            found.corrected.record_many(list(map(sub, each.finished[part], each.due[part])))
            lateness = list(map(sub, each.started[part], each.due[part]))
            found.lateness.record_many([max(0, late_ns) for late_ns in lateness])
            found.late += sum(late_ns > _LATE_NS for late_ns in lateness)


def _parts(count: int) -> Iterator[slice]:
    """Yield a part after the other, so that numbers of Python are made of a few of them at a time."""
    return (slice(begin, begin + _PART) for begin in range(0, count, _PART))


def _add_connections(found: Round, recorders: Sequence[Recorder]) -> None:
    if any(each.opened_in_all < 0 for each in recorders):
        return
    found.connections_opened = sum(each.opened_in_all for each in recorders)
    opened = sum(each.opened_in_all - each.opened_before for each in recorders)
    found.connections_reused = max(0, _begun(found) - opened)


def _in_flight_ns(recorder: Recorder, begin_ns: int, end_ns: int) -> int:
    """Return for how long requests were in flight between begin and end, all requests added up."""
    answered = chain(
        zip(recorder.started, recorder.finished, strict=False),
        zip(recorder.failed_from, recorder.failed_until, strict=False),
    )
    whole = sum(min(until, end_ns) - since for since, until in answered)
    whole += sum(min(until, end_ns) - begin_ns for until in recorder.straddled_until)
    return whole + sum(end_ns - max(since, begin_ns) for since in recorder.unanswered_from)
