"""Head parsing: `RequestReader.next_request` for heads of 40, 214 and 714 octets, beside httptools and h11.

Three cases, because the reader keeps what it found valid: the same head again; fields seen before with a
target never seen; fields never seen. "Never" is made by more heads in turn than the reader keeps.
"penstock" hands over validated fields unparsed, as handlers get them; "penstock, fields read" makes the
list of names and values, which is what httptools and h11 are asked for. A parser lives as long as a
connection, but h11's, which wants the response before the next request: its construction is part of its
time. "two expressions" is the least a first sight can cost: request line and fields matched.

Every head is a new bytes object, as from the kernel: one seen before would bring its hash with it. What
making the object costs is timed beside the rest and taken off.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.command import main
from benchmarks.heads import SIZES, make_head
from benchmarks.peers import import_here
from benchmarks.report import Options, Report
from benchmarks.timing import Case, take_off, time_cases
from penstock.wire.grammar import FIELD_LINE, ORIGIN_FORM, TOKEN
from penstock.wire.reader import RequestReader

if TYPE_CHECKING:
    from collections.abc import Callable

    Head = tuple[bytes, bytes, list[tuple[bytes, bytes]]]  # method, target, fields
    Parse = Callable[[list[memoryview]], Head]  # parses all, returns the last

DISTINCT = 16_000
"""Several times what the reader remembers having seen, so hardly any is found again."""


def parse_penstock(heads: list[memoryview]) -> Head:
    """One reader, as for one connection; fields stay as they are."""
    read = RequestReader().next_request
    request = None
    for head in map(bytes, heads):
        request = read(head)
    assert request is not None  # noqa: S101 - for the type checker
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    return request.method.encode("ascii"), request.raw_path + b"?" + request.raw_query, fields


def parse_penstock_fields(heads: list[memoryview]) -> Head:
    """The same, and the list of names and values of each."""
    read = RequestReader().next_request
    fields: list[tuple[str, str]] = []
    for head in map(bytes, heads):
        request = read(head)
        fields = request.headers.items()  # type: ignore[union-attr]
    assert fields  # noqa: S101 - so that it is not optimised away one day
    return parse_penstock(heads[-1:])


def parse_httptools(heads: list[memoryview]) -> Head:
    """One parser, with the three callbacks that collect as much."""
    httptools: Any = import_module("httptools")

    class Collector:
        def __init__(self) -> None:
            self.target = b""
            self.fields: list[tuple[bytes, bytes]] = []

        def on_url(self, url: bytes) -> None:
            self.target = url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.fields.append((name, value))

    collector = Collector()
    parser = httptools.HttpRequestParser(collector)
    method = b""
    for head in map(bytes, heads):
        collector.fields = []
        parser.feed_data(head)
        method = parser.get_method()
    return method, collector.target, [(name.lower(), value) for name, value in collector.fields]


def parse_h11(heads: list[memoryview]) -> Head:
    """A connection each; see above."""
    h11: Any = import_module("h11")

    event: Any = None
    for head in map(bytes, heads):
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(head)
        event = connection.next_event()
    return event.method, event.target, list(event.headers)


def match_only(heads: list[memoryview]) -> Head:
    """Neither a request nor a rule about framing comes of it."""
    match_line = re.compile(rb"(%b) %b HTTP/1\.([01])\r\n" % (TOKEN, ORIGIN_FORM)).match
    match_section = re.compile(rb"(?:%b){0,100}+\r\n" % FIELD_LINE).match
    for head in map(bytes, heads):
        line = match_line(head)
        match_section(head, line.end())  # type: ignore[union-attr]
    return parse_penstock(heads[-1:])


SUBJECTS: dict[str, Parse] = {
    "penstock": parse_penstock,
    "penstock, fields read": parse_penstock_fields,
    "two expressions": match_only,
    "httptools": parse_httptools,
    "h11": parse_h11,
}
PEERS = ("httptools", "h11")
_KEEP_NOTHING = ("two expressions", "h11")  # one case says it all
_COPY = "copy"
_QUICK = 1_000


def copy_only(heads: list[memoryview]) -> None:
    """Make the objects the others parse, in the same loop."""
    for _ in map(bytes, heads):
        pass


def make_heads(octets: int, count: int = DISTINCT) -> dict[str, list[memoryview]]:
    """Return the heads of each case, to be copied when they are parsed."""
    return {
        "same head": [memoryview(make_head(octets))] * 1_000,
        "new target": [memoryview(make_head(octets, target=number)) for number in range(count)],
        "new fields": [memoryview(make_head(octets, field=number)) for number in range(count)],
    }


def check(subjects: dict[str, Parse], head: bytes) -> None:
    """Stop unless all subjects find the same in a head."""
    expected = parse_by_hand(head)
    for name, parse in subjects.items():
        method, target, fields = parse([memoryview(head)])
        found = method, target.removesuffix(b"?"), fields
        if found != expected:
            raise SystemExit(f"{name} reads {found} where {expected} was meant")


def parse_by_hand(head: bytes) -> Head:
    """Return what stands in a head that is known to be plain."""
    line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = line.split(b" ")
    return method, target, [(name.lower(), value) for name, value in (one.split(b": ") for one in lines)]


def measure(options: Options) -> Report:
    """Time every subject with every head."""
    left_out = [missing for peer in PEERS if (missing := import_here(options.peers, peer))]
    subjects = {
        name: parse
        for name, parse in SUBJECTS.items()
        if not any(line.startswith(name + ":") for line in left_out)
    }
    cases = []
    for octets in SIZES:
        for name, heads in make_heads(octets, _QUICK if options.is_quick else DISTINCT).items():
            check(subjects, bytes(heads[-1]))
            cases.append(Case(f"{octets} octets, {name}", _COPY, partial(copy_only, heads), len(heads)))
            for subject, parse in subjects.items():
                if subject not in _KEEP_NOTHING or name == "new fields":
                    cases.append(Case(f"{octets} octets, {name}", subject, partial(parse, heads), len(heads)))
    figures = time_cases(cases, is_quick=options.is_quick)
    copies = {figure.case: figure for figure in figures if figure.subject == _COPY}
    return Report([take_off(one, copies[one.case]) for one in figures if one.subject != _COPY], left_out)


if __name__ == "__main__":
    sys.exit(main(["head"]))
