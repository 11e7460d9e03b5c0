"""Trace ids: what a request pays that is asked for them, by its log line, its handler or an outgoing call.

Each operation asks a request anew; the first case only makes it. The fields of a request are parsed
beforehand, as those of a client that repeats itself are.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock.http.current import current, trace_headers
from penstock.http.framing import Framing
from penstock.http.headers import Headers
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
_TOLD = (
    f"Traceparent: 00-{_TRACE_ID}-00f067aa0ba902b7-01\r\n"
    "Tracestate: shop=7,other=a:b\r\nX-Request-ID: r-7\r\n"
)


def _none(_: Request) -> None:
    """Nothing is asked."""


def _ids(request: Request) -> tuple[str, str]:
    return request.trace_id, request.span_id


def _all(request: Request) -> tuple[str, ...]:
    return (*_ids(request), request.parent_id, request.tracestate, request.request_id)


def _headers(request: Request) -> dict[str, str]:
    current.set(request)
    return trace_headers()


def _asking(headers: Headers, ask: Callable[[Request], object]) -> Callable[[], object]:
    framing = Framing()

    def run() -> None:
        for _ in repeat(None, _BATCH):
            ask(Request("GET", b"/", b"", b"1", headers, framing))

    return run


def measure(options: Options) -> Report:
    """Time each question, to requests of clients that say nothing and of those that trace."""
    silent = Headers(b"Host: a\r\nAccept: */*\r\n")
    telling = Headers(b"Host: a\r\nAccept: */*\r\n" + _TOLD.encode())
    told = Request("GET", b"/", b"", b"1", telling, Framing())
    if _all(told)[0] != _TRACE_ID or told.tracestate != "shop=7,other=a:b" or told.request_id != "r-7":
        raise SystemExit(f"the ids are wrong: {_all(told)}")
    cases = [
        Case(f"{name}, {who}", "penstock", _asking(headers, ask), _BATCH)
        for name, ask in (("none", _none), ("ids", _ids), ("all", _all), ("trace_headers", _headers))
        for who, headers in (("new", silent), ("taken over", telling))
    ]
    return Report(time_cases(cases, is_quick=options.is_quick))


if __name__ == "__main__":
    sys.exit(main(["trace"]))
