"""The octets of requests, rendered before the load, and the order in which they are sent."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeAlias

from http_benchmark.load.expectation import Expectation
from http_benchmark.load.templates import Template, check_lines, make_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Request, Scenario

Shot: TypeAlias = tuple[bytes, Expectation]
"""What is sent, and what must come back."""

_LENGTH_ALWAYS: Final = frozenset({"POST", "PUT", "PATCH"})
_HEAD_END: Final = b"\r\n\r\n"


class Message:
    """A request whose octets are made, but for gaps."""

    __slots__ = ("_body", "_has_length", "_head", "expected", "shot")

    def __init__(self, request: Request, scenario: Scenario, options: LoadOptions) -> None:
        data, label = scenario.data, request.label
        self.expected = Expectation(
            label,
            is_head=request.method == "HEAD",
            statuses=request.expect_status or options.expect_status,
            body=options.expect_body if request.expect_body is None else request.expect_body,
        )
        head = make_template(_head_text(request), data, label, encoding="raw")
        target = make_template(request.target, data, label, encoding="url")
        self._head = _join(b"%b " % request.method.encode(), target, head)
        if data is not None:
            check_lines(self._head, data, f"the head of {label}")
        self._body = _body_template(request.body, scenario, label)
        self._has_length = bool(request.body) or request.method in _LENGTH_ALWAYS
        self.shot: Shot | None = None
        """What is always the same; None: there are gaps."""
        if not (self._head.values or self._body.values):
            self.shot = self.fill(0)

    def fill(self, row: int) -> Shot:
        """Return the request with the values of a row."""
        body = self._body.fill(row)
        length = b"Content-Length: %d\r\n" % len(body) if self._has_length else b""
        return b"%b%b\r\n%b" % (self._head.fill(row), length, body), self.expected


class Messages:
    """All requests of a scenario. Rows go on where they were, also from warm-up to measuring."""

    def __init__(self, scenario: Scenario, options: LoadOptions) -> None:
        self._messages = [Message(request, scenario, options) for request in scenario.requests]
        self._order = scenario.order
        self._rows = cycle(range(len(scenario.data.rows) if scenario.data else 1))

    def shots(self) -> Iterator[Shot]:
        """Return the requests in order, without end, from the beginning of the order."""
        shots = [message.shot for message in self._messages]
        known = [shot for shot in shots if shot is not None]
        if len(known) == len(shots):
            return cycle([known[index] for index in self._order])
        return self._fill()

    def _fill(self) -> Iterator[Shot]:
        rows = self._rows
        for index in cycle(self._order):
            message = self._messages[index]
            yield message.shot or message.fill(next(rows))


def with_fields(octets: bytes, fields: bytes) -> bytes:
    r"""Return a request with more fields at the end of its head.

    >>> with_fields(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"Connection: close\r\n")
    b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    """
    return octets.replace(_HEAD_END, b"\r\n%b\r\n" % fields, 1)


def _head_text(request: Request) -> str:
    names = {name.lower() for name in request.headers}
    host = "" if "host" in names else f"Host: {request.parts.netloc}\r\n"
    given = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f" HTTP/1.1\r\n{host}{given}"


def _join(start: bytes, *parts: Template) -> Template:
    text = start.replace(b"%", b"%%") + b"".join(part.text for part in parts)
    filled = [part.values for part in parts if part.values]
    return Template(text, tuple(sum(row, ()) for row in zip(*filled, strict=True)))


def _body_template(body: bytes, scenario: Scenario, label: str) -> Template:
    if scenario.data is not None:
        try:
            text = body.decode()
        except UnicodeDecodeError:  # no text: it has no gaps
            pass
        else:
            return make_template(text, scenario.data, f"the body of {label}")
    return Template(body.replace(b"%", b"%%"), ())
