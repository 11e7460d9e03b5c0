r"""The access log in the words of Apache's LogFormat, for programs that read such lines already.

    %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D

A format is compiled once; what it does not know is an error that names it. What a client sent is escaped as
Apache does it: \" \\ \n \t and \xhh, so no field ends before its quote. Queries and fields pass through
the redactor. Absent on purpose: cookies (`%{Name}C`), the user of a request (`%u` is always "-", as `%l`:
whoever it is, the application knows), conditions on statuses.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from penstock.http.redaction import redactor
from penstock.observe.logs.access_record import (
    CONTENT_OUT,
    ENDED,
    HEADERS,
    METHOD,
    OWN_HEADERS,
    PATH,
    QUERY,
    ROUTE,
    SENT,
    STARTED,
    STATUS,
    bytes_in,
    client_of,
    ids_of,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.observe.logs.access_record import Record

    Getter: TypeAlias = Callable[[Record, int], str]
    """From a record, and what to add to its times for nanoseconds since the epoch, to text."""

NAMED: Final = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
}

_DIRECTIVE = re.compile(r"%(?:(%)|[<>]?(?:\{([^}]*)\})?([A-Za-z]))")
_AWKWARD = re.compile(r'["\\]|[^\x20-\x7e]')
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\v": "\\v",
    "\f": "\\f",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG: Final = 4_096  # characters of one value
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3}


def is_apache(text: str) -> bool:
    """Tell whether this is such a format, or the name of one."""
    return "%" in text or text in NAMED


def compile_format(text: str) -> Callable[[Record, int], str]:
    """Return what renders the line of a record, with its end. ValueError names what cannot be understood."""
    text = NAMED.get(text, text)
    parts: list[str] = []
    getters: list[Getter] = []
    at = 0
    while at < len(text):
        next_at = text.find("%", at)
        if next_at != at:
            end = next_at if next_at >= 0 else len(text)
            parts.append(_unescape(text[at:end]).replace("%", "%%"))
            at = end
            continue
        found = _DIRECTIVE.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 20]!r} begins with no directive of this log")
        at = found.end()
        if found[1]:
            parts.append("%%")
            continue
        getters.append(_find_getter(found[0], found[3], found[2]))
        parts.append("%s")
    template = "".join(parts) + "\n"

    def render(record: Record, epoch_ns: int) -> str:
        return template % tuple([get(record, epoch_ns) for get in getters])

    return render


def escape(text: str) -> str:
    r"""Return `text` as Apache writes what a client sent; "-" for nothing.

    >>> escape('a"b\n')
    'a\\"b\\n'
    """
    if not text:
        return "-"
    if len(text) > _LONG:
        text = f"{text[:_LONG]}... [{len(text) - _LONG} characters cut]"
    return _AWKWARD.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    return "".join(f"\\x{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))


def _unescape(text: str) -> str:
    """What is written between directives: Apache's own backslashes mean a tab, a line end, a quote."""
    return text.replace("\\t", "\t").replace("\\n", " ").replace('\\"', '"')


def _find_getter(directive: str, letter: str, name: str | None) -> Getter:
    if name is None:
        getter = _PLAIN.get(letter)
    else:
        maker = _NAMED.get(letter)
        getter = maker(name) if maker is not None else None
    if getter is None:
        raise ValueError(f"{directive} is no directive of this log")
    return getter


@lru_cache(maxsize=4)
def _render_clock(second: int) -> str:
    at = time.gmtime(second)  # not strftime: names of months depend on the locale
    month = _MONTHS[at.tm_mon - 1]
    return f"[{at.tm_mday:02d}/{month}/{at.tm_year}:{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000]"


@lru_cache(maxsize=512)
def _path(raw: bytes) -> str:
    return escape(redactor().path(raw[:_LONG]))


def _query(record: Record) -> str:
    query = record[QUERY]
    return _shown_query(query) if query else ""


# PERF: looking for secrets in a query takes 8 us; most are asked again and again.
@lru_cache(maxsize=512)
def _shown_query(query: bytes) -> str:
    return "?" + escape(redactor().query(query[:_LONG]))


@lru_cache(maxsize=512)
def _shown_field(name: str, value: str) -> str:
    return escape(redactor().field(name, value[: 4 * _LONG]))


def _first_line(record: Record, _: int) -> str:
    return f"{record[METHOD]} {_path(record[PATH])}{_query(record)} HTTP/{version_of(record)}"


def _size(record: Record) -> int:
    """Octets of the content sent; of a stream, with its framing and its head."""
    content: int = record[CONTENT_OUT]
    sent: int = record[SENT]
    if content < 0:
        return sent
    return content if record[METHOD] != "HEAD" and sent else 0


def _duration(record: Record) -> int:
    ended: int = record[ENDED]
    started: int = record[STARTED]
    return max(0, ended - started)


def _host(record: Record, _: int) -> str:
    return escape(record[HEADERS].get("host", ""))


def _make_field(name: str) -> Getter:
    key = name.lower()
    return lambda record, _: _shown_field(key, record[HEADERS].get(key, ""))


def _make_own_field(name: str) -> Getter:
    key = name.lower()

    def get(record: Record, _: int) -> str:
        fields = record[OWN_HEADERS]
        return _shown_field(key, fields.get(key, "") if fields is not None else "")

    return get


def _make_time(form: str) -> Getter | None:
    divisors = {"sec": 10**9, "msec": 10**6, "usec": 10**3}
    if form in divisors:
        divisor = divisors[form]
        return lambda record, epoch_ns: str((record[STARTED] + epoch_ns) // divisor)
    if "%" in form:
        return lambda record, epoch_ns: _strftime(form, (record[STARTED] + epoch_ns) // 10**9)
    return None


@lru_cache(maxsize=8)
def _strftime(form: str, second: int) -> str:
    return time.strftime(form, time.gmtime(second))


def _make_duration(unit: str) -> Getter | None:
    divisor = _UNITS.get(unit)
    return None if divisor is None else lambda record, _: str(_duration(record) // divisor)


def _make_note(name: str) -> Getter | None:
    places = {"trace_id": 0, "span_id": 1, "request_id": 2}
    if name == "route":
        return lambda record, _: escape(record[ROUTE] or "")
    if name not in places:
        return None
    place = places[name]
    return lambda record, _: ids_of(record)[place]


def _make_variable(name: str) -> Getter:
    value = escape(os.environ.get(name, ""))
    return lambda *_: value


_PID = lambda *_: str(os.getpid())  # noqa: E731
_NOTHING = lambda *_: "-"  # noqa: E731

_PLAIN: Final[dict[str, Getter]] = {
    "a": lambda record, _: escape(client_of(record)),
    "h": lambda record, _: escape(client_of(record)),
    "l": _NOTHING,
    "u": _NOTHING,
    "t": lambda record, epoch_ns: _render_clock((record[STARTED] + epoch_ns) // 10**9),
    "r": _first_line,
    "m": lambda record, _: record[METHOD],
    "U": lambda record, _: _path(record[PATH]),
    "q": lambda record, _: _query(record),
    "H": lambda record, _: f"HTTP/{version_of(record)}",
    "s": lambda record, _: str(record[STATUS]),
    "b": lambda record, _: str(_size(record) or "-"),
    "B": lambda record, _: str(_size(record)),
    "I": lambda record, _: str(bytes_in(record)),
    "O": lambda record, _: str(record[SENT]),
    "D": lambda record, _: str(_duration(record) // 1000),
    "T": lambda record, _: str(_duration(record) // 10**9),
    "L": lambda record, _: ids_of(record)[2],
    "P": _PID,
    "v": _host,
    "V": _host,
}
_NAMED: Final[dict[str, Callable[[str], Getter | None]]] = {
    "i": _make_field,
    "o": _make_own_field,
    "t": _make_time,
    "T": _make_duration,
    "n": _make_note,
    "e": _make_variable,
}
