"""Serialisation: `Serialiser.render` for the kinds of response there are, response and request made
beforehand.

"text" and "JSON" have a head that depends on status and media type alone, rendered once a second and
looked up; the others are rendered in full each time, every field checked.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock.http.request import Request
from penstock.http.response import JSONResponse, Response, TextResponse
from penstock.wire.serialise import Serialiser

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_EPOCH = 784_111_777  # the example of RFC 9110 §5.6.7
_DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
_USER = {"id": 42, "name": "user-42", "verbose": True}


def make_replies() -> dict[str, tuple[Request, Response, bytes]]:
    """Return for each case a request, its response, and the octets that are right."""
    get, head = Request.build(), Request.build("HEAD")
    fields = {"Cache-Control": "no-store", "ETag": '"1"', "X-Request-ID": "0123456789abcdef"}
    rendered = b'Cache-Control: no-store\r\nETag: "1"\r\nX-Request-ID: 0123456789abcdef\r\n'
    start = b"HTTP/1.1 200 OK\r\n" + _DATE
    text = start + _TEXT + b"Content-Length: 13\r\n\r\n"
    json = start + b"Content-Type: application/json\r\nContent-Length: 41\r\n\r\n"
    own = start + _TEXT + rendered + b"Content-Length: 13\r\n\r\n"
    return {
        "text": (get, TextResponse("Hello, World!"), text + b"Hello, World!"),
        "JSON": (get, JSONResponse(_USER), json + b'{"id":42,"name":"user-42","verbose":true}'),
        "text, 3 fields": (get, TextResponse("Hello, World!", headers=fields), own + b"Hello, World!"),
        "HEAD of text": (head, TextResponse("Hello, World!"), text),
        "204": (get, Response(status=204), b"HTTP/1.1 204 No Content\r\n" + _DATE + b"\r\n"),
    }


def _renderer(serialiser: Serialiser, request: Request, response: Response) -> Callable[[], object]:
    render = serialiser.render

    def run() -> None:
        for _ in repeat(None, _BATCH):
            render(request, response)

    return run


def measure(options: Options) -> Report:
    """Time every kind of response."""
    serialiser = Serialiser()
    serialiser.set_date(_EPOCH)
    cases = []
    for name, (request, response, right) in make_replies().items():
        for _ in range(2):  # the second may come from what the first left
            found = serialiser.render(request, response)
            if found != right:
                raise SystemExit(f"{name}: rendered {found!r}, right is {right!r}")
        cases.append(Case(name, "penstock", _renderer(serialiser, request, response), _BATCH))
    return Report(time_cases(cases, is_quick=options.is_quick))


if __name__ == "__main__":
    sys.exit(main(["serialise"]))
