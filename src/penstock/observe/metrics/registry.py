"""Instruments: what an application, and the server itself, count with.

`Counter`, `Gauge` and `Histogram` are made once, at the top of a module, in whichever process and before or
after it is forked, and used from any thread. Each use is an increment in shared memory, so the figures of all
processes can be had from each, and those of a process that was killed are not lost.

Names are those of Prometheus. Labels have bounds: a value is cut to 128 characters, and beyond 1,024 series a
process the labels of new ones are all "other". Absent on purpose: instruments in processes of
`run="process"`, which are no part of the server; count where the result comes back.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from math import isfinite
from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from penstock.observe.metrics.histogram import SUM, bucket_of
from penstock.observe.metrics.ledger import OTHER, Place, bound_label, ledger
from penstock.observe.metrics.memory import BLOCK_WORDS, COUNTER, GAUGE, HISTOGRAM, SERIES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.observe.metrics.ledger import Ledger

# ASCII, as Prometheus has them: \w would take every letter there is.
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED_LABELS: Final = frozenset({"le", "quantile"})
_HELP_CHARS: Final = 1000
_LABELS: Final = 16
_SUFFIXES: Final = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}

# A whole amount beyond this is added as a double, which is as exact there; so a word never overflows.
_WHOLE: Final = 2**53
_LONGEST_S: Final = 1e6
"""A duration counts for so much at most in the sum."""

# What is told of requests and processes without an instrument (`exposition`, `system`).
_TOLD: Final = {
    "counter": (
        "http_requests",
        "http_request_bytes",
        "http_response_bytes",
        "process_cpu_seconds",
        "penstock_requests_lost",
    ),
    "gauge": (
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ),
    "histogram": ("http_request_duration_seconds",),
}

_names: dict[str, str] = {
    name + suffix: name
    for kind, names in _TOLD.items()
    for name in names
    for suffix in ("", *_SUFFIXES[kind])
}
"""Every name there is, of samples too, and whose it is."""
_shapes: dict[str, tuple[str, _Family[Any]]] = {}
_count = 0
"""Children of all instruments."""


class _Child:
    """One series of an instrument, as this process counts it."""

    __slots__ = ("_in_threads", "_ledger", "_name", "_on_loop", "_values")

    kind: ClassVar[int]
    size: ClassVar[int] = 2

    def __init__(self, name: str, values: Sequence[str], own: Ledger) -> None:
        self._ledger = own
        self._name = name
        self._values = values
        self._on_loop: Place | None = None
        self._in_threads: Place | None = None

    def forget(self) -> None:
        """See `ledger.Holder`."""
        self._on_loop = self._in_threads = None

    def _find(self) -> Place:
        return self._ledger.find(self.kind, self._name, self._values, self.size)


class CounterSeries(_Child):
    """A counter with its labels."""

    __slots__ = ()
    kind = COUNTER

    def inc(self, amount: float = 1) -> None:
        """Count so many more. ValueError when that is negative or no number."""
        own = self._ledger
        if get_ident() == own.loop_thread:
            place = self._on_loop
            if place is None:
                place = self._on_loop = self._find()
            _add(place, amount)
        else:
            with own.lock:
                place = self._in_threads
                if place is None:
                    place = self._in_threads = self._find()
                _add(place, amount)


def _add(place: Place, amount: float) -> None:
    if type(amount) is int and 0 <= amount < _WHOLE:
        place.words[0] += amount
    elif amount >= 0 and isfinite(amount):
        place.doubles[1] += amount
    else:
        raise ValueError(f"a counter only grows, not by {amount!r}; a Gauge goes up and down")


class GaugeSeries(_Child):
    """A gauge with its labels."""

    __slots__ = ()
    kind = GAUGE

    def set(self, value: float) -> None:
        """It is so much from now on."""
        with self._ledger.lock:
            self._place().doubles[0] = value

    def inc(self, amount: float = 1) -> None:
        """It is so much more."""
        with self._ledger.lock:
            self._place().doubles[0] += amount

    def dec(self, amount: float = 1) -> None:
        """It is so much less."""
        self.inc(-amount)

    def _place(self) -> Place:
        place = self._in_threads
        if place is None:
            place = self._in_threads = self._find()
        return place


class HistogramSeries(_Child):
    """A histogram with its labels."""

    __slots__ = ()
    kind = HISTOGRAM
    size = BLOCK_WORDS

    def observe(self, seconds: float) -> None:
        """Count a duration. ValueError when it is negative or no number."""
        if not (seconds >= 0 and isfinite(seconds)):
            raise ValueError(f"a duration is a number of seconds, not {seconds!r}")
        self.observe_ns(round(min(seconds, _LONGEST_S) * 1e9))

    def observe_ns(self, duration_ns: int) -> None:
        """Count a duration of so many nanoseconds, which are not negative."""
        bucket = bucket_of(duration_ns)
        own = self._ledger
        if get_ident() == own.loop_thread:
            place = self._on_loop
            if place is None:
                place = self._on_loop = self._find()
            words = place.words
            words[bucket] += 1
            words[SUM] += duration_ns
        else:
            with own.lock:
                place = self._in_threads
                if place is None:
                    place = self._in_threads = self._find()
                words = place.words
                words[bucket] += 1
                words[SUM] += duration_ns

    @contextmanager
    def time(self) -> Iterator[None]:
        """Count how long the block takes, however it ends."""
        began = perf_counter_ns()
        try:
            yield
        finally:
            self.observe_ns(perf_counter_ns() - began)


Series = TypeVar("Series", bound=_Child)


class _Family(Generic[Series]):
    """An instrument: a name, and a series for each set of label values."""

    _kind: ClassVar[str]
    _series: type[Series]

    def __init__(
        self, name: str, help: str, labels: Sequence[str] = (), unit: str = "", *, across: str = "sum"
    ) -> None:
        self.name = name.removesuffix("_total") if self._kind == "counter" else name
        self.help = help[:_HELP_CHARS]
        self.label_names = tuple(labels)
        self.unit = unit
        self._ledger = ledger
        self._children: dict[tuple[Any, ...], Series] = {}
        self._other: Series | None = None
        _check(self.name, self.label_names, unit)
        family = {
            "name": self.name,
            "kind": self._kind,
            "help": self.help,
            "unit": unit,
            "labels": self.label_names,
            "across": across,
        }
        self._register(json.dumps(family, separators=(",", ":")))

    def _register(self, shape: str) -> None:
        """ValueError when the name is that of something else. Who defines the same again shares it."""
        with self._ledger.lock:
            known = _shapes.get(self.name)
            if known is not None and known[0] == shape:
                first: _Family[Series] = known[1]
                self._children, self._other = first._children, first._other
                return
            samples = [self.name + suffix for suffix in ("", *_SUFFIXES[self._kind])]
            owner = next((_names[sample] for sample in samples if sample in _names), None)
            if owner is not None:
                raise ValueError(f"{self.name!r} is defined already, with another meaning: see {owner!r}")
            _names.update(dict.fromkeys(samples, self.name))
            _shapes[self.name] = (shape, self)
            self._ledger.define(self.name, shape.encode())
            self._ledger.hold(self)

    def forget(self) -> None:
        """See `ledger.Holder`."""
        for child in self._children.values():
            child.forget()
        if self._other is not None:
            self._other.forget()

    def labels(self, **labels: object) -> Series:
        """Return the series with these labels, to be kept where it is used often."""
        try:
            child = self._children.get(tuple([labels[name] for name in self.label_names]))
        except (KeyError, TypeError):  # a label is missing, or is no str
            child = None
        if child is not None and len(labels) == len(self.label_names):
            return child
        return self._make(labels)

    def _make(self, labels: dict[str, object]) -> Series:
        global _count  # noqa: PLW0603 - of the process, as its bound is
        if labels.keys() != set(self.label_names):
            raise ValueError(f"{self.name} has the labels {self.label_names}, not {tuple(labels)}")
        values = tuple([bound_label(labels[name]) for name in self.label_names])
        with self._ledger.lock:
            child = self._children.get(values)
            if child is None and (_count < SERIES_LIMIT or not values):
                child = self._children[values] = self._series(self.name, values, self._ledger)
                _count += 1
            return child or self._find_other()

    def _find_other(self) -> Series:
        if self._other is None:
            self._other = self._series(self.name, [OTHER] * len(self.label_names), self._ledger)
        return self._other


def _check(name: str, labels: Sequence[str], unit: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a metric: letters, digits, _ and :, no digit first")
    if unit and not name.endswith(f"_{unit}"):
        raise ValueError(f"{name!r} has the unit {unit!r}: its name ends in it, as {name}_{unit}")
    if len(set(labels)) != len(labels) or len(labels) > _LABELS:
        raise ValueError(f"{name}: {len(labels)} labels, of which each has its own name, {_LABELS} at most")
    for label in labels:
        if _LABEL.fullmatch(label) is None or label.startswith("__") or label in _RESERVED_LABELS:
            raise ValueError(
                f"{name}: {label!r} is no name of a label: letters, digits and _, and not __ first"
            )


class Counter(_Family[CounterSeries]):
    """Something that only grows: how many, or how much.

    >>> orders = Counter("doc_orders", "Orders placed", ["kind"])
    >>> orders.inc(kind="book")
    >>> orders.inc(2.5, kind="music")
    """

    _kind = "counter"
    _series = CounterSeries

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, unit: str = "") -> None:
        super().__init__(name, help, labels, unit)

    def inc(self, amount: float = 1, **labels: object) -> None:
        """Count so many more. ValueError when that is negative or no number."""
        self.labels(**labels).inc(amount)


class Gauge(_Family[GaugeSeries]):
    """Something that goes up and down. `across` says what several processes tell together: their sum, their
    largest or their smallest value. What a process told that has ended is gone.
    """

    _kind = "gauge"
    _series = GaugeSeries

    def __init__(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        unit: str = "",
        across: Literal["sum", "max", "min"] = "sum",
    ) -> None:
        if across not in ("sum", "max", "min"):
            raise ValueError(f"{name}: across is sum, max or min, not {across!r}")
        super().__init__(name, help, labels, unit, across=across)

    def set(self, value: float, **labels: object) -> None:
        """It is so much from now on."""
        self.labels(**labels).set(value)

    def inc(self, amount: float = 1, **labels: object) -> None:
        """It is so much more."""
        self.labels(**labels).inc(amount)

    def dec(self, amount: float = 1, **labels: object) -> None:
        """It is so much less."""
        self.labels(**labels).inc(-amount)


class Histogram(_Family[HistogramSeries]):
    """Durations, by logarithm: percentiles are exact to 6.25 %, from a microsecond to an hour.

    >>> waits = Histogram("doc_wait_seconds", "Time an order waits", unit="seconds")
    >>> waits.observe(0.25)
    >>> with waits.labels().time():
    ...     pass
    """

    _kind = "histogram"
    _series = HistogramSeries

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, unit: str = "") -> None:
        super().__init__(name, help, labels, unit)

    def observe(self, seconds: float, **labels: object) -> None:
        """Count a duration. ValueError when it is negative or no number."""
        self.labels(**labels).observe(seconds)
