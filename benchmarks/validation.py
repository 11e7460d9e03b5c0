"""Validation: from decoded JSON to a model, and from octets to one.

"3 fields" is a flat object, "order of 10" an object with ten of them in a list, an optional date and a
constraint each. pydantic and msgspec make models of their own, of the same fields, where they are installed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from typing import TYPE_CHECKING, Annotated, Any

from benchmarks.command import main
from benchmarks.peers import import_here
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock import Field
from penstock.app.schema.validator import compile_validator
from penstock.http.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 200
_LINE = {"name": "pump", "price": 19.99, "tags": ["a", "b"]}
BODIES: dict[str, dict[str, Any]] = {
    "3 fields": _LINE,
    "order of 10": {"lines": [_LINE] * 10, "due": "2026-02-28", "count": 10},
}


@dataclass
class Line:
    """Three fields."""

    name: str
    price: float
    tags: list[str]


@dataclass
class Order:
    """Nested, with a date and a constraint."""

    lines: list[Line]
    count: Annotated[int, Field(ge=1)]
    due: date | None = None


def _penstock() -> dict[str, dict[str, Callable[[Any], Any]]]:
    line, order = compile_validator(Line).validate, compile_validator(Order).validate
    return {
        "decoded": {"3 fields": line, "order of 10": order},
        "octets": {
            "3 fields": lambda raw: line(loads(raw)),
            "order of 10": lambda raw: order(loads(raw)),
        },
    }


def _msgspec() -> dict[str, dict[str, Callable[[Any], Any]]]:
    import msgspec

    line = msgspec.defstruct("Line", [("name", str), ("price", float), ("tags", list[str])])
    count = Annotated[int, msgspec.Meta(ge=1)]
    order = msgspec.defstruct("Order", [("lines", list[line]), ("count", count), ("due", date | None, None)])  # type: ignore[valid-type]
    models = {"3 fields": line, "order of 10": order}

    def convert(model: Any) -> Callable[[Any], Any]:
        return lambda value: msgspec.convert(value, model)

    return {
        "decoded": {case: convert(model) for case, model in models.items()},
        "octets": {case: msgspec.json.Decoder(model).decode for case, model in models.items()},
    }


def _pydantic() -> dict[str, dict[str, Callable[[Any], Any]]]:
    import pydantic

    line: Any = pydantic.create_model("Line", name=(str, ...), price=(float, ...), tags=(list[str], ...))
    count = Annotated[int, pydantic.Field(ge=1)]
    fields: dict[str, Any] = {"lines": (list[line], ...), "count": (count, ...), "due": (date | None, None)}
    order = pydantic.create_model("Order", **fields)
    models = {"3 fields": line, "order of 10": order}
    return {
        "decoded": {case: model.model_validate for case, model in models.items()},
        "octets": {case: model.model_validate_json for case, model in models.items()},
    }


SUBJECTS = {"penstock": _penstock, "msgspec": _msgspec, "pydantic": _pydantic}


def _check(made: Any, body: dict[str, Any], case: str) -> None:
    first = made if case == "3 fields" else made.lines[-1]
    if (first.name, first.price, first.tags) != ("pump", 19.99, ["a", "b"]):
        raise SystemExit(f"{case}: made {made!r} of {body!r}")
    if case != "3 fields" and made.due != date(2026, 2, 28):
        raise SystemExit(f"{case}: the date is {made.due!r}")


def _run(make: Callable[[Any], Any], value: object) -> None:
    for _ in repeat(None, _BATCH):
        make(value)


def _case(kind: str, case: str, subject: str, make: Callable[[Any], Any]) -> Case:
    value: Any = BODIES[case] if kind == "decoded" else dumps(BODIES[case])
    _check(make(value), BODIES[case], case)
    return Case(f"{case}, {kind}", subject, lambda: _run(make, value), _BATCH)


def measure(options: Options) -> Report:
    """Time every subject with both bodies, decoded and as octets."""
    left_out = [missing for peer in ("msgspec", "pydantic") if (missing := import_here(options.peers, peer))]
    subjects = {
        name: make()
        for name, make in SUBJECTS.items()
        if not any(line.startswith(name + ":") for line in left_out)
    }
    cases = [
        _case(kind, case, subject, makers[kind][case])
        for kind in ("decoded", "octets")
        for case in BODIES
        for subject, makers in subjects.items()
    ]
    return Report(time_cases(cases, is_quick=options.is_quick), left_out)


if __name__ == "__main__":
    sys.exit(main(["validation"]))
