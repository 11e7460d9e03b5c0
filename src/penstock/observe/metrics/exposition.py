"""Figures as text that a Prometheus server reads: its text format 0.0.4, and OpenMetrics 1.0.

A format is chosen by Accept, with its weights. Who names none of the two gets JSON: a person with a browser
or curl. Durations are told at exact powers of two of microseconds, so that the sum of two servers' buckets is
what both together would tell; `_sum` is exact as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.http.negotiation import choose_media_type
from penstock.observe.metrics.gather import Family
from penstock.observe.metrics.histogram import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from penstock.observe.metrics.gather import Snapshot, Value

JSON: Final = "application/json"
OPENMETRICS: Final = "application/openmetrics-text"
TEXT: Final = "text/plain"
# The version is part of the type: who asks for another by its number gets none. How names are escaped, which
# Prometheus 3 asks for, is all the same to names that need it not.
_VERSIONED: Final = {
    f"{form};version={version};charset=utf-8{escaping}": form
    for form, version in ((OPENMETRICS, "1.0.0"), (TEXT, "0.0.4"))
    for escaping in ("", *(f";escaping={way}" for way in ("allow-utf-8", "underscores", "dots", "values")))
}
CONTENT_TYPES: Final = {
    OPENMETRICS: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    TEXT: "text/plain; version=0.0.4; charset=utf-8",
}

_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


def choose_format(accept: str | None) -> str:
    """Return JSON, OPENMETRICS or TEXT: what a client that sent this Accept gets.

    >>> choose_format(None), choose_format("*/*"), choose_format("text/html,*/*;q=0.8")
    ('application/json', 'application/json', 'application/json')
    >>> choose_format("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3")
    'application/openmetrics-text'
    """
    chosen = choose_media_type(accept, [JSON, *_VERSIONED])
    return JSON if chosen is None else _VERSIONED.get(chosen, chosen)


def render(families: Iterable[Family], form: str) -> str:
    """Return these families in one of the two formats."""
    lines: list[str] = []
    is_open = form == OPENMETRICS
    for family in families:
        lines += _head(family, is_open=is_open)
        tell = _TELLERS[family.kind]
        for values, value in family.series.items():
            lines += tell(family.name, _name_labels(family.labels, values), value)
    if is_open:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def _head(family: Family, *, is_open: bool) -> Iterator[str]:
    # In the older format a counter's name is that of its samples.
    name = f"{family.name}_total" if family.kind == "counter" and not is_open else family.name
    text = family.help.translate(_ESCAPES if is_open else _HELP_ESCAPES)
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {family.kind}"
    if family.unit and is_open:
        yield f"# UNIT {name} {family.unit}"


def _name_labels(names: Sequence[str], values: Sequence[str]) -> str:
    """Return the labels without their braces."""
    return ",".join([f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=False)])


def _escape(value: str) -> str:
    return value.translate(_ESCAPES) if "\\" in value or "\n" in value or '"' in value else value


def _tell_counter(name: str, labels: str, value: Value) -> list[str]:
    return [f"{name}_total{_brace(labels)} {_number(value)}"]


def _tell_gauge(name: str, labels: str, value: Value) -> list[str]:
    return [f"{name}{_brace(labels)} {_number(value)}"]


def _tell_histogram(name: str, labels: str, value: Value) -> list[str]:
    assert isinstance(value, Distribution)  # noqa: S101 - by its kind
    before = f"{labels}," if labels else ""
    lines = [f'{name}_bucket{{{before}le="{edge}"}} {count}' for edge, count in value.cumulative()]
    braces = _brace(labels)
    lines.append(f'{name}_bucket{{{before}le="+Inf"}} {value.count}')
    lines.append(f"{name}_sum{braces} {_seconds(value.sum_ns)}")
    lines.append(f"{name}_count{braces} {value.count}")
    return lines


_TELLERS: Final[dict[str, Callable[[str, str, Value], list[str]]]] = {
    "counter": _tell_counter,
    "gauge": _tell_gauge,
    "histogram": _tell_histogram,
}


def _brace(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _seconds(ns: int) -> str:
    """All nine digits of it, as a double would not have them."""
    return f"{ns // 10**9}.{ns % 10**9:09}"


def _number(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    text = repr(float(value))  # type: ignore[arg-type]  # a histogram is told by its own
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def http_families(snapshot: Snapshot) -> list[Family]:
    """Return what was served as families."""
    labels = ("route", "method", "status")
    requests = Family("http_requests", "counter", "Requests answered", labels=labels)
    durations = Family(
        "http_request_duration_seconds",
        "histogram",
        "Time from the head of a request to the last octet of its reply",
        "seconds",
        labels,
    )
    octets_in = Family("http_request_bytes", "counter", "Octets of content received", "bytes", labels)
    octets_out = Family(
        "http_response_bytes", "counter", "Octets of replies sent, head and all", "bytes", labels
    )
    for served in snapshot.served:
        values = (served.route, served.method, str(served.status) if served.status else "other")
        requests.series[values] = served.durations.count
        durations.series[values] = served.durations
        octets_in.series[values] = served.octets_in
        octets_out.series[values] = served.octets_out
    return [requests, durations, octets_in, octets_out]
