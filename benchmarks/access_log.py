"""The access log: what a request pays for its record, and the thread of the log for its line.

`note` is what the thread that answers does; the others render and encode records in batches, as that thread
does. All requests look alike but for their ids, as those of one client do; `heads vary`: each has fields of
its own, so nothing that was made for the last one helps.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock.http.request import Request
from penstock.http.response import TextResponse
from penstock.observe.logs.access import AccessLog, AccessSetup
from penstock.observe.logs.format import render_time

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 256
_FIELDS = [
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"),
]
_MEMBERS = (
    *("trace_id", "span_id", "request_id", "method", "path", "route", "status", "duration_ms", "phases"),
    *("bytes_in", "bytes_out", "client", "http_version"),
)
_EPOCH_NS = 1_700_000_000_000_000_000


def _make_request(fields: list[tuple[str, str]]) -> Request:
    request = Request.build("GET", "/users/17?sort=name", fields)
    request.route = "/users/{user_id}"
    request.connection = SimpleNamespace(client=("192.0.2.7", 50_000), tls_version="", scheme="http")
    return request


def _make_log(form: str) -> AccessLog:
    log = AccessLog(AccessSetup(form))
    log.stop()  # what is noted stays in its queue
    return log


def _note(log: AccessLog, requests: list[Request]) -> None:
    times: Any = SimpleNamespace(
        started=1_000, began=0, content_at=0, handler_at=0, answered_at=0, accepted_at=1, requests=2
    )
    response = TextResponse("hello")
    for request in requests:
        log.note(times, request, request.route, response, 0, 150, 250_000)


def _noting(requests: list[Request]) -> Callable[[], object]:
    log = _make_log("json")

    def run() -> None:
        for request in requests:
            request._rest = None  # noqa: SLF001 - as it was before it was noted
        log._queue.clear()  # noqa: SLF001
        _note(log, requests)

    return run


def _rendering(form: str, make: Callable[[], list[Request]]) -> Callable[[], object]:
    """Lines of records nobody has asked for their ids yet."""
    log = _make_log(form)
    requests = make()
    _note(log, requests)
    records = list(log._queue)  # noqa: SLF001
    line = log._render(records[:1], _EPOCH_NS)  # noqa: SLF001
    if form == "json" and json.loads(line)["path"] != "/users/17":
        raise SystemExit(f"the line is wrong: {line}")

    def run() -> None:
        for record in records:
            record[-1].clear()
        log._render(records, _EPOCH_NS).encode()  # noqa: SLF001

    return run


def _dumping(make: Callable[[], list[Request]]) -> Callable[[], object]:
    """The same lines in the obvious way: a dict of each, and `json.dumps`."""
    log = _make_log("json")
    _note(log, make())
    records = list(log._queue)  # noqa: SLF001

    def run() -> None:
        lines = []
        for record in records:
            record[-1].clear()
            made = log._make_log_record(record, _EPOCH_NS).__dict__  # noqa: SLF001
            told = {"time": render_time(made["created"]), "level": "INFO", "logger": "penstock.access"}
            told |= {name: made[name] for name in _MEMBERS}
            lines.append(json.dumps(told))
        "\n".join(lines).encode()

    return run


def measure(options: Options) -> Report:
    """Time the record and each form of its line."""
    numbers = count()

    def alike() -> list[Request]:
        one = _make_request(_FIELDS)
        return [_copy(one) for _ in range(_BATCH)]

    def varied() -> list[Request]:
        return [_make_request([*_FIELDS, ("x-number", str(next(numbers)))]) for _ in range(_BATCH)]

    cases = [Case("note", "penstock", _noting(alike()), _BATCH)]
    cases.append(Case("json, heads alike", "json.dumps", _dumping(alike), _BATCH))
    cases += [
        Case(f"{form}, heads alike", "penstock", _rendering(form, alike), _BATCH)
        for form in ("json", "text", "combined")
    ]
    cases.append(Case("json, heads vary", "penstock", _rendering("json", varied), _BATCH))
    return Report(time_cases(cases, is_quick=options.is_quick))


def _copy(one: Request) -> Request:
    request = Request(one.method, one.raw_path, one.raw_query, one.version, one.headers, one.framing)
    request.route, request.connection = one.route, one.connection
    return request


if __name__ == "__main__":
    sys.exit(main(["access_log"]))
