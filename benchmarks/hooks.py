"""Hooks: what each ready-made one adds to a request, and several together.

A request is that of `plan`: route, handler, response; each is a new one, since hooks keep things in it.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING, Any

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock import CORS, App, FetchMetadata, RequestID, SecurityHeaders, TrustedHosts
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_PAGE = "https://page.example"
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

    def run() -> None:
        for _ in repeat(None, _BATCH):
            ask()

    if ask().body != b"Hello, World!":
        raise SystemExit(f"{subject}: answered {ask()!r}")
    return Case("a request", subject, run, _BATCH)


def measure(options: Options) -> Report:
    """Time one request with each set of hooks."""
    cases = [_case(subject, make()) for subject, make in SETS.items()]
    return Report(time_cases(cases, is_quick=options.is_quick))


if __name__ == "__main__":
    sys.exit(main(["hooks"]))
