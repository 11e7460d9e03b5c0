"""A result as JSON, and back without loss. `result.schema.json` beside this file describes it.

A document holds one result, or an array of them. Names and units are those of `BenchmarkResult` and `Round`;
what follows from others (rates, percentiles of a round) is written for readers and ignored when read. A
histogram lists the least value of each bucket with its count, and the same as HdrHistogram's V2 text. The sum
of squares is text, because it passes what readers of JSON hold exactly; a figure nobody knows is null.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from importlib.resources import files
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from http_benchmark.errors import UsageError
from http_benchmark.histogram.encoding import to_v2
from http_benchmark.histogram.histogram import Histogram, edges_of, index_of
from http_benchmark.measurement.result import PERCENTILES, BenchmarkResult
from http_benchmark.measurement.round import Resources, Round, Sample, Second

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from dataclasses import Field

FORMAT: Final = "http-benchmark result"
VERSION: Final = 1
_ROUND_HISTOGRAMS: Final = ("latency", "corrected", "first_octet", "lateness")
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
    "None": (type(None),),
}

Value = TypeVar("Value")


def to_json(result: BenchmarkResult) -> dict[str, Any]:
    """Return a result as `json.dumps` takes it."""
    plain = {
        each.name: _known(getattr(result, each.name)) for each in fields(result) if each.name != "rounds"
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        **plain,
        "errors": result.errors,
        "rounds": [_round_to_json(each) for each in result.rounds],
    }


def from_json(document: Mapping[str, Any]) -> BenchmarkResult:
    """Return the result of such a document; UsageError names what is wrong with it."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UsageError(f"this JSON is no result: it has no format {FORMAT!r}")
    if document.get("version") != VERSION:
        raise UsageError(
            f"this result has version {document.get('version')!r}, and this http-benchmark knows {VERSION}"
        )
    found = _read(BenchmarkResult, document, "result", {"rounds": lambda _value, _where: []})
    parts = _array(document.get("rounds", []), "result.rounds")
    found.rounds = [_round_from_json(part, f"result.rounds[{at}]") for at, part in enumerate(parts)]
    return found


def read_results(path: str | os.PathLike[str]) -> list[BenchmarkResult]:
    """Return the results of a file: of one, or an array of them."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise UsageError(f"{path} is no JSON: {error}") from None
    try:
        return [from_json(each) for each in (document if isinstance(document, list) else [document])]
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def dump(results: Iterable[BenchmarkResult]) -> str:
    """Return the text of an array of results, one line for each, in ASCII."""
    lines = (json.dumps(to_json(each), allow_nan=False) for each in results)
    return "[" + ",\n ".join(lines) + "]\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document."""
    text = files("http_benchmark.export").joinpath("result.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def histogram_to_json(histogram: Histogram) -> dict[str, Any]:
    """Return a histogram as JSON has it."""
    percentiles = histogram.percentiles(PERCENTILES)
    return {
        "total": histogram.total,
        "min_ns": histogram.min_ns,
        "max_ns": histogram.max_ns,
        "total_ns": histogram.total_ns,
        "squares": str(histogram.squares),
        "percentiles_ns": {f"{percent:g}": ns for percent, ns in zip(PERCENTILES, percentiles, strict=True)},
        "v2": to_v2(histogram),
        "buckets": [[edges_of(index)[0], histogram.counts[index]] for index in sorted(histogram.counts)],
    }


def histogram_from_json(document: Any, where: str) -> Histogram:
    """Return the histogram of such a document."""
    found = Histogram()
    try:
        found.total, found.total_ns = int(document["total"]), int(document["total_ns"])
        found.min_ns, found.max_ns = int(document["min_ns"]), int(document["max_ns"])
        found.squares = int(document["squares"])
        found.counts.update({index_of(int(low)): int(count) for low, count in document["buckets"]})
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where} is no histogram: {type(error).__name__} {error}") from None
    if found.counts.total() != found.total:
        raise UsageError(f"{where}: its buckets hold {found.counts.total()} values, not {found.total}")
    return found


def _round_to_json(each: Round) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in fields(each):
        value = getattr(each, part.name)
        if part.name in _ROUND_HISTOGRAMS:
            value = None if value is None else histogram_to_json(value)
        elif part.name == "seconds":
            value = [_plain(second) | {"latency": histogram_to_json(second.latency)} for second in value]
        elif part.name in {"generator", "server"} and value is not None:
            value = _plain(value) | {"samples": [_plain(sample) for sample in value.samples]}
        found[part.name] = _known(value)
    return found | {"requests": each.requests, "rate_per_s": each.rate_per_s, "error_count": each.error_count}


def _round_from_json(document: Any, where: str) -> Round:
    def seconds(value: Any, at: str) -> list[Second]:
        return [_read(Second, each, at, {"latency": histogram_from_json}) for each in _array(value, at)]

    def resources(value: Any, at: str) -> Resources | None:
        if value is None:
            return None
        return _read(Resources, value, at, {"samples": samples})

    def samples(value: Any, at: str) -> list[Sample]:
        return [_read(Sample, each, at) for each in _array(value, at)]

    def histogram(value: Any, at: str) -> Histogram | None:
        return None if value is None else histogram_from_json(value, at)

    special: dict[str, Any] = dict.fromkeys(_ROUND_HISTOGRAMS, histogram)
    special |= {
        "latency": histogram_from_json,
        "seconds": seconds,
        "generator": resources,
        "server": resources,
    }
    return _read(Round, document, where, special)


def _array(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UsageError(f"{where} is no array")
    return value


def _plain(holder: Any) -> dict[str, Any]:
    return {each.name: getattr(holder, each.name) for each in fields(holder)}


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _read(kind: type[Value], document: Any, where: str, special: Mapping[str, Any] | None = None) -> Value:
    """Make a dataclass of a JSON object that has its fields. Those of `special` are read by a function."""
    if not isinstance(document, dict):
        raise UsageError(f"{where} is no object")
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]  # kinds are dataclasses
        at = f"{where}.{each.name}"
        if each.name not in document:
            if each.default is MISSING and each.default_factory is MISSING:
                raise UsageError(f"{at} is missing")
        elif special and each.name in special:
            values[each.name] = special[each.name](document[each.name], at)
        else:
            values[each.name] = _checked(each, document[each.name], at)
    return kind(**values)


def _checked(each: Field[Any], value: Any, where: str) -> Any:
    """Return the value when it is what the annotation of the field says."""
    kinds = [word.strip().partition("[")[0] for word in str(each.type).split("|")]
    if value is None and kinds == ["float"]:
        return nan
    allowed = tuple(kind for word in kinds for kind in _KINDS.get(_ALIASES.get(word, word), ()))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise UsageError(f"{where} is {json.dumps(value)[:40]}, but must be {' or '.join(kinds)}")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise UsageError(f"{where} is larger than anything that is measured")
    return value


_ALIASES: Final = {"ErrorClass": "str"}
_TOO_LARGE: Final = 2**63
"""No database and no chart takes more."""
