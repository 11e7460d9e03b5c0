"""Redaction: what it costs to look for secrets in what is logged, which is done for every message.

Most messages have none. Then two things count: a message without a `=` or `:` is passed over by a few looks
for one character, another is searched for words that name secrets.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock.http.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
PLAIN = "worker 3 has begun to answer requests after a reload of the application and its modules, in time, ok"
PAIRS = "listening on http://127.0.0.1:8000 with workers=4, threads=40, pid=4711 and a limit of 1024 requests"
SHOWN = (
    'login of bob failed, password="hunter2", from https://bob:hunter2@shop.example/ with workers=4, pid=1'
)
TRACEBACK = (
    "Traceback (most recent call last):\n"
    + '  File "shop/orders.py", line 12, in total\n    return a / b\n' * 20
)


def _run(hide: Callable[[str], str], text: str) -> None:
    for _ in repeat(None, _BATCH):
        hide(text)


def _case(name: str, hide: Callable[[str], str], text: str, *, is_secret: bool = False) -> Case:
    if (hide(text) != text) is not is_secret:
        raise SystemExit(f"{name}: became {hide(text)!r}")
    return Case(name, "redaction", lambda: _run(hide, text), _BATCH)


def measure(options: Options) -> Report:
    """Time what a log is made of."""
    redactor = Redactor()
    cases = [
        _case("100 characters, plain", redactor.text, PLAIN),
        _case("100 characters with = and :", redactor.text, PAIRS),
        _case("100 characters with secrets", redactor.text, SHOWN, is_secret=True),
        _case("a traceback of 20 frames", redactor.text, TRACEBACK),
        _case("a path", redactor.path, "/users/42/orders"),
        _case("a query", redactor.query, "page=2&sort=name"),
        _case("a query with a token", redactor.query, "page=2&token=hunter2", is_secret=True),
        _case("a name", lambda name: "x" if redactor.is_secret(name) else name, "accept-language"),
    ]
    return Report(time_cases(cases, is_quick=options.is_quick))


if __name__ == "__main__":
    sys.exit(main(["redaction"]))
