"""Constraints: what a value of the right type must satisfy besides.

They are read from whatever stands in Annotated and has them: our markers, `annotated_types` (which pydantic's
users have) and `msgspec.Meta`. One that does not fit its type is refused at start-up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.markers import Field
from penstock.app.schema.nodes import Node
from penstock.app.schema.report import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.schema.code import Code
    from penstock.app.schema.report import Loc, Report

_OF_NUMBERS = frozenset({"int", "float", "decimal"})
_ORDERED = _OF_NUMBERS | {"datetime", "date", "time", "timedelta"}
_SIZED = frozenset({"str", "bytes", "list", "tuple", "set", "frozenset", "dict"})
FITS = {
    "ge": _ORDERED,
    "gt": _ORDERED,
    "le": _ORDERED,
    "lt": _ORDERED,
    "multiple_of": _OF_NUMBERS,
    "min_length": _SIZED,
    "max_length": _SIZED,
    "pattern": frozenset({"str"}),
}
_OPERATORS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_FOREIGN = frozenset({"annotated_types", "msgspec", "pydantic"})
_CAREFUL = frozenset({"datetime", "time"})
"""Comparing one with an offset with one without is a TypeError."""


class Constraint(NamedTuple):
    """One rule."""

    name: str
    bound: Any
    expected: str
    holds: Callable[[Any], bool]
    condition: str | None
    """The expression `holds` is, with `{value}` and `{bound}`; None when it must be called."""


def constraints_in(metadata: Iterable[object]) -> dict[str, Any]:
    """Return the constraints in what stands in Annotated, by name, in the order of FITS: what is too long is
    found before it is searched for a pattern. The last of a name counts.
    """
    found: dict[str, Any] = {}
    for one in metadata:
        if isinstance(one, Field) or type(one).__module__.partition(".")[0] in _FOREIGN:
            for name in FITS:
                bound = getattr(one, name, None)
                if bound is not None:
                    found[name] = bound
    return {name: found[name] for name in FITS if name in found}


def broken(constraints: Iterable[Constraint], value: Any) -> list[Constraint]:
    """Return the constraints a value of the right type does not satisfy; none after that it is too long,
    since a pattern may take long to search for.
    """
    found = []
    for constraint in constraints:
        if not constraint.holds(value):
            found.append(constraint)
            if constraint.name == "max_length":
                break
    return found


def make_constraints(bounds: dict[str, Any], of: str) -> list[Constraint]:
    """Return the rules for values of the type a fault calls `of`; Unsupported when one does not fit."""
    return [_make(name, bound, of) for name, bound in bounds.items()]


def _make(name: str, bound: Any, of: str) -> Constraint:
    if of not in FITS[name]:
        raise Unsupported(f"{name}= does not fit {of}")
    if name in _OPERATORS:
        return _comparison(name, bound, of)
    if name == "multiple_of":
        if of == "int" and type(bound) is int and bound > 0:
            return Constraint(
                name,
                bound,
                f"a multiple of {bound}",
                lambda value: value % bound == 0,
                "{value} % {bound} == 0",
            )
        return Constraint(name, bound, f"a multiple of {bound}", _divides(bound), None)
    if name == "pattern":
        try:
            search = re.compile(bound).search
        except (re.error, TypeError) as error:
            raise Unsupported(f"pattern={bound!r} is no regular expression ({error})") from None
        return Constraint(
            name, bound, f"text that matches {bound}", lambda value: search(value) is not None, None
        )
    if type(bound) is not int or bound < 0:
        raise Unsupported(f"{name}={bound!r} is no length")
    unit = {"str": "character", "bytes": "octet"}.get(of, "element") + ("" if bound == 1 else "s")
    if name == "min_length":
        return Constraint(
            name,
            bound,
            f"at least {bound} {unit}",
            lambda value: len(value) >= bound,
            "len({value}) >= {bound}",
        )
    return Constraint(
        name, bound, f"at most {bound} {unit}", lambda value: len(value) <= bound, "len({value}) <= {bound}"
    )


def _comparison(name: str, bound: Any, of: str) -> Constraint:
    operator = getattr(__import__("operator"), name)

    def holds(value: Any) -> bool:
        try:
            return bool(operator(value, bound))
        except TypeError:
            return False

    try:
        operator(bound, bound)
        shown = bound.isoformat() if hasattr(bound, "isoformat") else str(bound)
        fits = isinstance(bound, bool) is False and _is_comparable(bound, of)
    except TypeError:
        shown, fits = "", False
    if not fits:
        raise Unsupported(f"{name}={bound!r} cannot be compared with {of}")
    condition = None if of in _CAREFUL else f"{{value}} {_OPERATORS[name]} {{bound}}"
    return Constraint(name, bound, f"{_WORDS[name]} {shown}", holds, condition)


def _is_comparable(bound: Any, of: str) -> bool:
    if of in _OF_NUMBERS:
        return type(bound).__name__ in ("int", "float", "Decimal")
    return type(bound).__name__ == of


def _divides(step: Any) -> Callable[[Any], bool]:
    from fractions import Fraction  # here: it takes a while to import, and few need it

    try:
        divisor = Fraction(str(step))
        divides = divisor > 0
    except (ValueError, TypeError):
        divides = False
    if not divides:
        raise Unsupported(f"multiple_of={step!r} is no number above 0")

    def holds(value: Any) -> bool:
        # As decimals, the way they are written: 0.3 is a multiple of 0.1, though not in binary.
        try:
            return (Fraction(str(value)) / divisor).denominator == 1
        except ValueError:  # infinite or no number
            return False

    return holds


class Constrained(Node):
    """A type with rules."""

    def __init__(self, inner: Node, constraints: list[Constraint]) -> None:
        self.inner, self.constraints = inner, constraints
        self.expected, self.name, self.kinds = inner.expected, inner.name, inner.kinds
        self.keeps = inner.keeps

    @property
    def rank(self) -> int:  # type: ignore[override]
        return self.inner.rank

    def parts(self) -> Iterable[Node]:
        return (self.inner,)

    def emit(self, code: Code, value: str) -> str:
        made = self.inner.emit(code, value)
        if made != value:
            code.add(f"{value} = {made}")
        for constraint in self.constraints:
            if constraint.condition is None:
                code.refuse_if(f"not {code.constant(constraint.holds, 'holds')}({value})")
            else:
                bound = (
                    repr(constraint.bound)
                    if type(constraint.bound) is int
                    else code.constant(constraint.bound, "bound")
                )
                code.refuse_if(f"not {constraint.condition.format(value=value, bound=bound)}")
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        made = self.inner.walk(value, loc, report)
        if made is INVALID:
            return INVALID
        wrong = broken(self.constraints, made)
        for constraint in wrong:
            report.add(loc, f"expected {constraint.expected}", constraint.name)
        return INVALID if wrong else made
