"""Hooks: what each ready-made one adds to a request, and several together.

A request is that of `plan`: route, handler, response; each is a new one, since hooks keep things in it.
"""

from __future__ import annotations

import logging
import sys
from itertools import repeat
from time import perf_counter_ns, process_time, thread_time
from typing import TYPE_CHECKING, Any

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock import (
    CORS,
    CSRF,
    App,
    CookieSessions,
    FetchMetadata,
    RequestID,
    SecurityHeaders,
    TrustedHosts,
    csrf_token,
)
from penstock.http.request import Request
from penstock.observe.logs.access import AccessLog
from penstock.observe.logs.access_record import Times

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_PAGE = "https://page.example"
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SETS: dict[str, Callable[[], list[Any]]] = {
    "none": list,
    "FetchMetadata": lambda: [FetchMetadata()],
    "TrustedHosts": lambda: [TrustedHosts(["test"])],
    "RequestID": lambda: [RequestID()],
    "SecurityHeaders": lambda: [SecurityHeaders()],
    "SecurityHeaders, nonce": lambda: [SecurityHeaders(csp="script-src 'nonce-{nonce}'")],
    "CORS, any": lambda: [CORS("*")],
    "CORS, a list": lambda: [CORS([_PAGE])],
    "CORS, SecurityHeaders, TrustedHosts, FetchMetadata": lambda: [
        CORS([_PAGE]),
        SecurityHeaders(),
        TrustedHosts(["test"]),
        FetchMetadata(),
    ],
}


def _case(subject: str, hooks: list[Any]) -> Case:
    app = App(hooks=hooks)

    @app.post("/", run="inline")
    def hello() -> str:
        return "Hello, World!"

    resolve = app.compile().resolve
    fields = (("host", "test"), ("origin", _PAGE), ("sec-fetch-site", "same-origin"))
    model = Request.build("POST", "/", fields)

    def ask() -> Any:
        request = Request("POST", b"/", b"", b"1", model.headers, model.framing)
        return resolve(request).call(request)

    return _timed("a request", subject, ask)


def _timed(
    name: str, subject: str, ask: Callable[[], Any], clock: Callable[[], float] = process_time
) -> Case:
    def run() -> None:
        for _ in repeat(None, _BATCH):
            ask()

    if ask().body != b"Hello, World!":
        raise SystemExit(f"{subject}: answered {ask()!r}")
    return Case(name, subject, run, _BATCH, clock)


def _everything(log: AccessLog) -> list[Case]:
    """CORS, a session, CSRF, a trace id and the record of the access log, which a thread of its own formats:
    all a request passes between being parsed and being rendered.
    """
    secret = "a secret of thirty-two octets, or more"  # noqa: S105 - of nothing
    app = App(hooks=[CORS([_PAGE], credentials=True), CookieSessions(secret), CSRF(secret)])

    @app.get("/login", run="inline")
    def login(request: Request) -> str:
        request.session["user"] = 7
        return csrf_token(request)

    @app.get("/", run="inline")
    def hello(request: Request) -> str:
        return "Hello, World!" if request.trace_id else ""

    @app.get("/session", run="inline")
    def with_session(request: Request) -> str:
        return "Hello, World!" if request.trace_id and request.session["user"] == 7 else ""

    @app.post("/", run="inline")
    def post(request: Request) -> str:
        return "Hello, World!" if request.trace_id else ""

    resolve = app.compile().resolve
    visit = Request.build("GET", "/login")
    page: Any = resolve(visit).call(visit)
    cookies = "; ".join(value.partition(";")[0] for value in page.headers.get_all("set-cookie"))
    fields = [("host", "test"), ("cookie", cookies), ("origin", "http://test"), ("traceparent", _TRACE)]
    fields.append(("x-csrf-token", page.body.decode()))

    def case(subject: str, method: str, path: str) -> Case:
        model = Request.build(method, path, fields)
        raw_path = path.encode()

        def ask() -> Any:
            times: Any = Times(perf_counter_ns(), 0, 0, 0, 0, 1, 1)
            request = Request(method, raw_path, b"", b"1", model.headers, model.framing)
            response: Any = resolve(request).call(request)
            log.note(times, request, request.route, response, 0, len(response.body), perf_counter_ns())
            return response

        return _timed("everything on", subject, ask, thread_time)

    return [
        case("GET, session not asked for", "GET", "/"),
        case("GET, session read", "GET", "/session"),
        case("POST with its token", "POST", "/"),
    ]


def measure(options: Options) -> Report:
    """Time one request with each set of hooks, and with everything on."""
    logging.getLogger("penstock.access").disabled = True  # nothing is written anywhere
    log = AccessLog()
    try:
        cases = [_case(subject, make()) for subject, make in SETS.items()]
        return Report(time_cases([*cases, *_everything(log)], is_quick=options.is_quick))
    finally:
        log.stop()


if __name__ == "__main__":
    sys.exit(main(["hooks"]))
