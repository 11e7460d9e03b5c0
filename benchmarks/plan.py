"""Plans: what an application costs between the parsed request and the response: find the route, bind, call,
convert.

A coroutine is driven by hand, without Task and loop; what these cost is in `request_path`.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.apps.penstock_apps import inline, on_loop
from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock.http.request import Request
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock import App
    from penstock.http.handler import Endpoint

_BATCH = 1_000
TARGETS = {
    "/": b"Hello, World!",
    "/users/42?verbose=true": b'{"id":42,"name":"user-42","verbose":true}',
}


def _answer(answer: object) -> object:
    """Return the response, of a coroutine too."""
    if isinstance(answer, Response):
        return answer
    try:
        answer.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return done.value
    raise SystemExit("a handler waits; it was meant to answer at once")


def _run_plain(resolve: Callable[[Request], Endpoint], request: Request) -> None:
    for _ in repeat(None, _BATCH):
        resolve(request).call(request)


def _run_coroutine(resolve: Callable[[Request], Endpoint], request: Request) -> None:
    for _ in repeat(None, _BATCH):
        try:
            resolve(request).call(request).send(None)  # type: ignore[union-attr]
        except StopIteration:
            pass


def _case(subject: str, app: App, target: str, right: bytes) -> Case:
    resolve = app.compile().resolve
    request = Request.build(target=target)
    run = _run_coroutine if app is on_loop else _run_plain
    response = _answer(resolve(request).call(request))
    if not isinstance(response, Response) or response.body != right:
        raise SystemExit(f"{target}: answered {response!r}, right is {right!r}")
    return Case(f"GET {target}", subject, lambda: run(resolve, request), _BATCH)


def measure(options: Options) -> Report:
    """Time both targets with either kind of handler."""
    cases = [
        _case(subject, app, target, right)
        for target, right in TARGETS.items()
        for subject, app in (("def, inline", inline), ("async def", on_loop))
    ]
    return Report(time_cases(cases, is_quick=options.is_quick))


if __name__ == "__main__":
    sys.exit(main(["plan"]))
