"""Objects with named members: dataclasses, TypedDicts, and the part of either that a PATCH sends.

Each is a function of its own in the generated code:

    def convert_1(value):
        if type(value) is not dict:
            raise Refused
        try:
            v2 = value['name']
        except KeyError:
            raise Refused from None
        if type(v2) is not str:
            raise Refused
        if 'price' in value:
            v3 = value['price']
            if type(v3) is not float:
                v3 = to_float(v3)
        else:
            v3 = default_4
        return make_5(v2, v3)

The one of a dataclass is called the way its `__init__` wants it, so `__post_init__` and one's own `__init__`
run; a ValueError raised there is a fault, for the client to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.app.schema.nodes import Node
from penstock.app.schema.report import INVALID, clipped
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.schema.code import Code
    from penstock.app.schema.markers import Field, Unknown
    from penstock.app.schema.report import Loc, Report

KEPT: Final = "unknown_fields"
"""The field of a dataclass that takes what it does not name, when that is kept."""
REQUIRED: Final = object()
ABSENT: Final = object()
"""As a default: a member that was not sent is not there."""


class Member(NamedTuple):
    """One member of an object."""

    name: str
    """In Python."""
    key: str
    """In JSON."""
    node: Node
    default: Any = REQUIRED
    is_factory: bool = False
    """True when `default` makes the default."""
    field: Field | None = None
    """What describes it, of our markers."""


class Object(Node):
    """A JSON object with named members. `make` takes them by keyword, or in order when `in_order`."""

    expected, name = "an object", "dict"
    kinds = frozenset({dict})

    def __init__(self, title: str, unknown: Unknown) -> None:
        self.title, self.unknown = title, unknown
        self.members: list[Member] = []
        self.make: Callable[..., Any] = dict
        self.takes_mapping = False
        """True when `make` takes a dict of what was sent."""
        self.in_order = False
        """True when `make` takes all members by place."""
        self.annotation: Any = None
        """The class as it was written, or Partial of one."""

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(member.key for member in self.members)

    def parts(self) -> Iterable[Node]:
        return [member.node for member in self.members]

    def emit(self, code: Code, value: str) -> str:
        return f"{code.function(self)}({value})"

    def emit_body(self, code: Code, value: str) -> None:
        code.refuse_if(f"type({value}) is not dict")
        if self.unknown == "forbid":
            code.refuse_if(f"not {value}.keys() <= {code.constant(self.keys, 'keys')}")
        required = [(member, code.fresh()) for member in self.members if member.default is REQUIRED]
        if required:
            with code.block("try:"):
                code.add(*(f"{name} = {value}[{member.key!r}]" for member, name in required))
            code.add("except KeyError:", "    raise Refused from None")
        passed = {member.name: member.node.emit(code, name) for member, name in required}
        absent = [member for member in self.members if member.default is ABSENT]
        for member in self.members:
            if member.default is not REQUIRED and member.default is not ABSENT:
                passed[member.name] = self._emit_optional(code, member, value)
        if self.takes_mapping or self.make is dict:
            self._emit_mapping(code, value, passed, absent)
            return
        if self.unknown == "keep":
            keys = code.constant(self.keys, "keys")
            passed[KEPT] = f"{{key: one for key, one in {value}.items() if key not in {keys}}}"
        make = code.constant(self.make, "make")
        if self.in_order:
            code.add(f"return {make}({', '.join(passed[member.name] for member in self.members)})")
        else:
            code.add(f"return {make}({', '.join(f'{name}={made}' for name, made in passed.items())})")

    def _emit_optional(self, code: Code, member: Member, value: str) -> str:
        name = code.fresh()
        default = code.constant(member.default, "default") + "()" * member.is_factory
        with code.block(f"if {member.key!r} in {value}:"):
            code.add(f"{name} = {value}[{member.key!r}]")
            made = member.node.emit(code, name)
            if made != name:
                code.add(f"{name} = {made}")
        code.add("else:", f"    {name} = {default}")
        return name

    def _emit_mapping(self, code: Code, value: str, passed: dict[str, str], absent: list[Member]) -> None:
        made = code.fresh("made")
        inside = ", ".join(f"{name!r}: {one}" for name, one in passed.items())
        kept = f"**{value}" if self.unknown == "keep" else ""
        code.add(f"{made} = {{{', '.join(part for part in (kept, inside) if part)}}}")
        for member in absent:
            with code.block(f"if {member.key!r} in {value}:"):
                name = code.fresh()
                code.add(f"{name} = {value}[{member.key!r}]")
                code.add(f"{made}[{member.name!r}] = {member.node.emit(code, name)}")
        if self.make is not dict:
            made = f"{code.constant(self.make, 'make')}({made})"
        code.add(f"return {made}")

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) is not dict:
            return self.mismatch(loc, report)
        made: dict[str, Any] = dict(value) if self.unknown == "keep" and self.make is dict else {}
        fits = True
        for member in self.members:
            where = (*loc, member.key)
            if member.key in value:
                made[member.name] = member.node.walk(value[member.key], where, report)
                fits = fits and made[member.name] is not INVALID
            elif member.default is REQUIRED:
                report.add(where, "required, and missing", "missing")
                fits = False
        if self.unknown != "ignore":
            keys = self.keys
            rest = {key: one for key, one in value.items() if key not in keys}
            if self.unknown == "forbid":
                for key in rest:
                    report.add((*loc, clipped(key)), "not expected here", "unknown")
                    fits = False
            elif self.make is not dict:
                made[KEPT] = rest
        return self._make_or_report(made, loc, report) if fits else INVALID

    def _make_or_report(self, made: dict[str, Any], loc: Loc, report: Report) -> Any:
        if self.make is dict:
            return made
        try:
            if self.takes_mapping:
                return self.make(made)
            return self.make(**made)
        except ValueError as error:
            return report.add(loc, redactor().text(str(error)), "value")
