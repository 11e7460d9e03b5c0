"""What one thread, or one loop, notes of each request: times into arrays, and no more.

This is all the tool does on the path of a request, and what `benchmarks/rightness_engine.py` measures.
Thirty-two octets a request; nobody else writes. The watcher reads lengths and a few values meanwhile.
Histograms are made of it after the round (`folding.py`).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.faults import describe

if TYPE_CHECKING:
    from collections.abc import Container

    from http_benchmark.clients.adapter import Exchange
    from http_benchmark.measurement.round import ErrorClass

USUALLY_GOOD: Final = range(200, 400)


class Recorder:
    """Of one worker thread, or of all tasks of a loop."""

    __slots__ = (
        "_add_due",
        "_add_finished",
        "_add_first",
        "_add_started",
        "_expected",
        "_good",
        "due",
        "errors",
        "examples",
        "failed_from",
        "failed_until",
        "finished",
        "first_octet",
        "octets",
        "opened_before",
        "opened_in_all",
        "started",
        "straddled_until",
        "unanswered_from",
    )

    def __init__(self, good: Container[int] = USUALLY_GOOD, expected: bytes | None = None) -> None:
        self._good = good
        self._expected = expected
        self.started = array("q")
        """Of successes, as the next three; nanoseconds of `time.perf_counter_ns`."""
        self.first_octet = array("q")
        """0 where the library does not tell."""
        self.due = array("q")
        """Open loop only."""
        self.finished = array("q")
        self.failed_from = array("q")
        self.failed_until = array("q")
        self.straddled_until = array("q")
        """When requests were answered that had begun before the stretch; of each worker one at most."""
        self.unanswered_from = array("q")
        """When those were begun that were given up."""
        self.errors: dict[ErrorClass, int] = {}
        self.examples: dict[ErrorClass, str] = {}
        self.octets = 0
        self.opened_before = 0
        """Connections opened until the stretch began, and until it was over; below 0: nobody can tell."""
        self.opened_in_all = 0
        self._add_started = self.started.append
        self._add_first = self.first_octet.append
        self._add_due = self.due.append
        self._add_finished = self.finished.append

    def keep(self, done: Exchange) -> bool:
        """Note a request that was answered; return whether it succeeded."""
        status, octets, started_ns, first_octet_ns, finished_ns, content = done
        self.octets += octets
        if status not in self._good:
            self.fail(f"status {status}", f"the reply had status {status}", started_ns, finished_ns)
            return False
        if self._expected is not None and content != self._expected:
            self.fail("content", _differs(content or b"", self._expected), started_ns, finished_ns)
            return False
        self._add_started(started_ns)
        self._add_first(first_octet_ns)
        self._add_finished(finished_ns)
        return True

    def keep_due(self, done: Exchange, due_ns: int) -> None:
        """Note a request that was answered, and that was due then."""
        if self.keep(done):
            self._add_due(due_ns)

    def fail(self, kind: ErrorClass, example: str, started_ns: int, finished_ns: int) -> None:
        """Note a request that did not succeed."""
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self.examples.setdefault(kind, example)
        self.failed_from.append(started_ns)
        self.failed_until.append(finished_ns)

    def fail_by(self, kind: ErrorClass, error: BaseException, started_ns: int, finished_ns: int) -> None:
        """Note a request that ended with an exception."""
        self.fail(kind, "" if kind in self.examples else describe(error), started_ns, finished_ns)

    def straddle(self, finished_ns: int, begin_ns: int) -> None:
        """Note that a worker was busy until then with a request it had begun before."""
        if finished_ns > begin_ns:
            self.straddled_until.append(finished_ns)

    def give_up(self) -> None:
        """Note that the one worker of this recorder waits for a reply in vain, since its last one."""
        ends = (self.finished[-1:], self.failed_until[-1:], self.straddled_until[-1:])
        self.unanswered_from.append(max((end[0] for end in ends if end), default=0))


def _differs(content: bytes, expected: bytes) -> str:
    if len(content) != len(expected):
        return f"{len(content)} octets of content, expected {len(expected)}"
    at = next(at for at, octet in enumerate(content) if octet != expected[at])
    return f"content differs from what was expected at octet {at}"
