"""The leaves: what JSON has itself, what is spelled in a text, and choices among values.

Strict: JSON's types are kept apart. An integer is a float where one is wanted; nothing else is coerced.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.app.schema.report import INVALID, Refused
from penstock.http.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.schema.code import Code
    from penstock.app.schema.report import Loc, Report

EVERY_KIND: frozenset[type] = frozenset({str, int, float, bool, NoneType, list, dict})


class Node:
    """One type in the tree. `expected` is what a fault says was wanted, `name` its type."""

    expected: str
    name: str
    kinds: frozenset[type] = EVERY_KIND
    """The types of decoded JSON that may fit."""
    rank: ClassVar[int] = 1
    """Among those of a union that take the same kind: lower is tried first."""
    keeps: bool = False
    """True when the value of a fitting value is itself."""

    def emit(self, code: Code, value: str) -> str:
        """Write what refuses `value`, a local name that may be assigned anew; return the expression of what
        it becomes.
        """
        raise NotImplementedError

    def emit_body(self, code: Code, value: str) -> None:
        """Write the same as the body of a function."""
        code.add(f"return {self.emit(code, value)}")

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        """Return what a value becomes, or INVALID when there are faults, which are reported."""
        raise NotImplementedError

    def parts(self) -> Iterable[Node]:
        """The nodes inside."""
        return ()

    def mismatch(self, loc: Loc, report: Report) -> Any:
        return report.add(loc, f"expected {self.expected}", self.name)


class Anything(Node):
    """Takes whatever comes."""

    expected, name = "a value", "any"
    rank, keeps = 4, True

    def emit(self, code: Code, value: str) -> str:  # noqa: ARG002
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:  # noqa: ARG002
        return value


class Alias(Node):
    """A type with a name of its own, which may contain itself; `inner` is known when it is read."""

    inner: Node
    annotation: Any
    contains_itself = False

    @property
    def expected(self) -> str:  # type: ignore[override]
        return self.inner.expected

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.inner.name

    @property
    def kinds(self) -> frozenset[type]:  # type: ignore[override]
        return self.inner.kinds

    @property
    def rank(self) -> int:  # type: ignore[override]
        return self.inner.rank

    def parts(self) -> Iterable[Node]:
        return (self.inner,)

    def emit(self, code: Code, value: str) -> str:
        return f"{code.function(self.inner)}({value})"

    def emit_body(self, code: Code, value: str) -> None:
        self.inner.emit_body(code, value)

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        return self.inner.walk(value, loc, report)


class Exact(Node):
    """One of JSON's own types; bool is an int in Python, and JSON's true is not."""

    rank, keeps = 2, True

    def __init__(self, kind: type, expected: str, name: str) -> None:
        self.kind, self.expected, self.name = kind, expected, name
        self.kinds = frozenset({kind})

    def emit(self, code: Code, value: str) -> str:
        if self.kind is NoneType:
            code.refuse_if(f"{value} is not None")
        else:
            code.refuse_if(f"type({value}) is not {self.kind.__name__}")
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        return value if type(value) is self.kind else self.mismatch(loc, report)


class Real(Node):
    """A float; an integer becomes one."""

    expected, name = "a number", "float"
    kinds = frozenset({int, float})
    rank = 3

    def emit(self, code: Code, value: str) -> str:
        code.scope["to_float"] = to_float
        with code.block(f"if type({value}) is not float:"):
            code.add(f"{value} = to_float({value})")
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return value if type(value) is float else to_float(value)
        except Refused:
            return self.mismatch(loc, report)


class Parsed(Node):
    """A value JSON has no type for: `parse` makes it or raises ValueError."""

    def __init__(
        self, parse: Callable[[Any], Any], expected: str, name: str, kinds: Iterable[type] = (str,)
    ) -> None:
        self.parse, self.expected, self.name = parse, expected, name
        self.kinds = frozenset(kinds)

    def emit(self, code: Code, value: str) -> str:
        if self.kinds == {str}:
            code.refuse_if(f"type({value}) is not str")
        return f"{code.constant(self.parse, 'parse')}({value})"

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) in self.kinds:
            try:
                return self.parse(value)
            except ValueError:
                pass
        return self.mismatch(loc, report)


class Hidden(Node):
    """A `Secret` of what another node makes."""

    def __init__(self, inner: Node) -> None:
        self.inner = inner
        self.expected, self.name, self.kinds = inner.expected, inner.name, inner.kinds

    @property
    def rank(self) -> int:  # type: ignore[override]
        return self.inner.rank

    def parts(self) -> Iterable[Node]:
        return (self.inner,)

    def emit(self, code: Code, value: str) -> str:
        return f"{code.constant(Secret, 'secret')}({self.inner.emit(code, value)})"

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        made = self.inner.walk(value, loc, report)
        return INVALID if made is INVALID else Secret(made)


class Choice(Node):
    """An Enum by its values, or a Literal. Keys are (type, value): JSON's 1, true and 1.0 are different."""

    def __init__(self, choices: dict[tuple[type, object], object], expected: str, name: str) -> None:
        self.choices, self.expected, self.name = choices, expected, name
        self.kinds = frozenset(kind for kind, _ in choices)
        self.keeps = all(made is value for (_, value), made in choices.items())

    def emit(self, code: Code, value: str) -> str:
        if self.kinds != {str}:
            return f"{code.constant(self._chosen, 'choose')}({value})"
        table = code.constant({text: made for (_, text), made in self.choices.items()}, "table")
        code.refuse_if(f"type({value}) is not str or {value} not in {table}")
        return value if self.keeps else f"{table}[{value}]"

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._chosen(value)
        except Refused:
            return self.mismatch(loc, report)

    def _chosen(self, value: Any) -> object:
        if type(value) in self.kinds:  # which are hashable
            made = self.choices.get((type(value), value), INVALID)
            if made is not INVALID:
                return made
        raise Refused


def to_float(value: object) -> float:
    """Return the float an integer is, or raise Refused."""
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass
    raise Refused
