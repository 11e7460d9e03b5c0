"""Compression: what it adds to a request when it is off, when it has nothing to do and when it compresses,
what an event of a compressed stream costs, and what memory an open stream holds.

A request is that of `plan`: route, handler, response. The content is 10 KB of JSON made beforehand.
"""

from __future__ import annotations

import os
import random
import sys
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, Figure, summarise, time_cases
from penstock import App, Compression, Response
from penstock.http.coders import CODINGS, LEVELS, is_available, make_coder
from penstock.http.json import dumps
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.coders import Coder

_BATCH = 100
_STREAMS = 100
_EVENTS = 400
_EVENT = b'event: count\nid: %d\ndata: {"number":%d,"name":"some words here"}\n\n'
_MISSING = "{}: not installed; pip install 'penstock[compression]'"


def make_rows(size: int) -> bytes:
    """Return about so many octets of JSON as an API sends it: keys that repeat, words, numbers."""
    choose = random.Random(1)
    words = [
        "".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=choose.randint(3, 9))) for _ in range(400)
    ]
    rows: list[dict[str, object]] = []
    while len(content := dumps(rows)) < size:
        name, price = " ".join(choose.choices(words, k=3)), round(choose.random() * 1000, 2)
        rows.append({"id": len(rows), "name": name, "price": price, "tags": choose.choices(words, k=3)})
    return content


def make_app(compression: Compression | None, content: bytes) -> App:
    """Return an application that answers with it, and with a short text."""
    app = App(compression=compression)
    rows = Response(content, media_type="application/json")

    @app.get("/rows", run="inline")
    def whole() -> Response:
        return rows

    @app.get("/short", run="inline")
    def short() -> str:
        return "Hello, World!"

    return app


def _case(name: str, subject: str, app: App, path: str, accepted: str) -> Case:
    resolve = app.compile().resolve
    request = Request.build(target=path, headers=[("Accept-Encoding", accepted)])
    response = resolve(request).call(request)
    wanted = None if "identity" in accepted or subject in ("off", "too short") else accepted
    if not isinstance(response, Response) or response.headers.get("content-encoding") != wanted:
        raise SystemExit(f"{name}, {subject}: answered {response!r}, coded otherwise than {wanted}")

    def run() -> None:
        for _ in repeat(None, _BATCH):
            resolve(request).call(request)

    return Case(name, subject, run, _BATCH)


def _coder_run(coding: str) -> Callable[[], object]:
    events = [_EVENT % (number, number * 7919) for number in range(_EVENTS)]

    def run() -> None:
        code = make_coder(coding, LEVELS[coding]).code
        for event in events:
            code(event)

    return run


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _measure_memory(coding: str) -> Figure:
    """Return what each of a hundred open streams holds after its events."""
    events = [_EVENT % (number, number * 7919) for number in range(_EVENTS)]
    kept: list[Coder] = []

    def open_one() -> None:
        coder = make_coder(coding, LEVELS[coding])
        for event in events:
            coder.code(event)
        kept.append(coder)

    open_one()
    before = _resident_bytes()
    for _ in range(_STREAMS):
        open_one()
    each_kb = (_resident_bytes() - before) / 1024 / _STREAMS
    return summarise("an open stream", coding, [each_kb], "KB/stream")


def measure(options: Options) -> Report:
    """Time requests without compression and with it, and events; weigh streams."""
    content = make_rows(10_000)
    off, on = make_app(None, content), make_app(Compression(), content)
    codings = [coding for coding in CODINGS if is_available(coding)]
    left_out = [_MISSING.format(coding) for coding in CODINGS if coding not in codings]
    memory = []
    if sys.platform == "linux":
        memory = [_measure_memory(coding) for coding in reversed(codings)]
    else:
        left_out.append("an open stream: it is weighed by /proc, which only Linux has")
    cases = [
        _case("13 octets", "off", off, "/short", "gzip"),
        _case("13 octets", "too short", on, "/short", "gzip"),
        _case("10 KB of JSON", "off", off, "/rows", "gzip"),
        _case("10 KB of JSON", "not accepted", on, "/rows", "identity"),
        *(_case("10 KB of JSON", coding, on, "/rows", coding) for coding in codings),
        *(Case("an event, 70 octets", coding, _coder_run(coding), _EVENTS) for coding in codings),
    ]
    return Report([*time_cases(cases, is_quick=options.is_quick), *memory], left_out)


if __name__ == "__main__":
    sys.exit(main(["compression"]))
