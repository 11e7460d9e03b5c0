"""Unions: by the type of the JSON value first, then by a tag, then by trying.

What of the members may fit is known from whether the value is null, a text, a number, a list or an object,
so most unions have one candidate and its faults are the faults. Objects with a Literal field in common are
told apart by it, with one look-up. Only what is left is tried, in this order: Enum, Literal and what is
parsed from a text; exact types (`int` before `float`, any text); Any; within these, as written.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.nodes import Choice, Node
from penstock.app.schema.objects import Object
from penstock.app.schema.report import INVALID, Enough, Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.schema.code import Code
    from penstock.app.schema.report import Loc


class Union(Node):
    """One of several types."""

    def __init__(self, members: list[Node]) -> None:
        self.members = members
        self.keeps = all(member.keeps for member in members)

    @property
    def _nullable(self) -> bool:
        return any(member.kinds == {NoneType} for member in self.members)

    @property
    def kinds(self) -> frozenset[type]:  # type: ignore[override]
        return frozenset().union(*(member.kinds for member in self.members))

    @property
    def name(self) -> str:  # type: ignore[override]
        named = [member for member in self.members if member.kinds != {NoneType}]
        return named[0].name if len(named) == 1 else "union"

    @property
    def expected(self) -> str:  # type: ignore[override]
        named = [member.expected for member in self.members if member.kinds != {NoneType}]
        return " or ".join([*dict.fromkeys(named), *["null"] * self._nullable])

    @property
    def rank(self) -> int:  # type: ignore[override]
        return max(member.rank for member in self.members)

    def parts(self) -> Iterable[Node]:
        return self.members

    def settle(self) -> None:
        """Put the members in order and tell objects apart, once all of them know their fields."""
        self.members = sorted(self.members, key=lambda member: member.rank)
        objects = [member for member in self.members if isinstance(member, Object)]
        tagged = _tagged(objects) if len(objects) > 1 else None
        if tagged is not None:
            self.members = [*(member for member in self.members if not isinstance(member, Object)), tagged]

    def candidates(self, kind: type) -> list[Node]:
        return [member for member in self.members if kind in member.kinds]

    def emit(self, code: Code, value: str) -> str:
        if len(self.members) == 1:
            return self.members[0].emit(code, value)
        if self._nullable and len(self.members) == 2:
            inner = next(member for member in self.members if member.kinds != {NoneType})
            if NoneType not in inner.kinds:
                with code.block(f"if {value} is not None:"):
                    made = inner.emit(code, value)
                    code.add(f"{value} = {made}" if made != value else "pass")
                return value
        return f"{code.function(self)}({value})"

    def emit_body(self, code: Code, value: str) -> None:
        groups: dict[tuple[int, ...], list[type]] = {}
        by_key: dict[tuple[int, ...], list[Node]] = {}
        for kind in sorted(self.kinds, key=lambda kind: kind.__name__):
            nodes = self.candidates(kind)
            key = tuple(map(id, nodes))
            groups.setdefault(key, []).append(kind)
            by_key[key] = nodes
        code.scope["NoneType"] = NoneType
        code.add(f"kind = type({value})")
        for key, kinds in groups.items():
            with code.block(f"if {' or '.join(f'kind is {kind.__name__}' for kind in kinds)}:"):
                self._emit_candidates(code, by_key[key], value)
        code.add("raise Refused")

    def _emit_candidates(self, code: Code, nodes: list[Node], value: str) -> None:
        if len(nodes) == 1:
            code.add(f"return {nodes[0].emit(code, value)}")
            return
        for node in nodes[:-1]:
            code.add("try:", f"    return {code.function(node)}({value})", "except ValueError:", "    pass")
        code.add(f"return {code.function(nodes[-1])}({value})")

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        nodes = self.candidates(type(value))
        if not nodes:
            return self.mismatch(loc, report)
        if len(nodes) == 1:
            found = Report()
            try:
                made = nodes[0].walk(value, loc, found)
            except Enough:
                made = INVALID
            if [(fault["loc"], fault["msg"]) for fault in found.faults] == [
                (list(loc), f"expected {nodes[0].expected}")
            ]:
                return self.mismatch(loc, report)  # a text that is no date may have been meant as another
            for fault in found.faults:
                report.add(tuple(fault["loc"]), str(fault["msg"]), str(fault["type"]))  # type: ignore[arg-type]
            return made
        for node in nodes:
            made = _fitting(node, value)
            if made is not INVALID:
                return made
        return self.mismatch(loc, report)


def _fitting(node: Node, value: Any) -> Any:
    try:
        return node.walk(value, (), Report())
    except Enough:
        return INVALID


class Tagged(Node):
    """Several objects, told apart by a member all have, a Literal with different values in each."""

    expected, name = "an object", "dict"
    kinds = frozenset({dict})

    def __init__(self, key: str, objects: dict[str | int, Object]) -> None:
        self.key, self.objects = key, objects

    def parts(self) -> Iterable[Node]:
        return self.objects.values()

    def emit(self, code: Code, value: str) -> str:
        return f"{code.function(self)}({value})"

    def emit_body(self, code: Code, value: str) -> None:
        table = ", ".join(f"{tag!r}: {code.function(node)}" for tag, node in self.objects.items())
        name = code.fresh("by_tag_")
        code.later.append(f"{name} = {{{table}}}")
        kinds = " and ".join(
            f"type(tag) is not {kind}" for kind in sorted({type(tag).__name__ for tag in self.objects})
        )
        code.refuse_if(f"type({value}) is not dict")
        code.add(f"tag = {value}.get({self.key!r})")
        code.refuse_if(f"({kinds}) or tag not in {name}")
        code.add(f"return {name}[tag]({value})")

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) is not dict:
            return self.mismatch(loc, report)
        where = (*loc, self.key)
        if self.key not in value:
            return report.add(where, "required, and missing", "missing")
        tag = value[self.key]
        if type(tag) not in (str, int) or tag not in self.objects:
            shown = ", ".join(str(one) for one in self.objects)
            return report.add(where, f"expected one of {shown}", "literal")
        return self.objects[tag].walk(value, loc, report)


def _tagged(objects: list[Object]) -> Tagged | None:
    for member in objects[0].members:
        by_tag: dict[str | int, Object] = {}
        count = 0
        for one in objects:
            tags = _tags(one, member.key)
            count += len(tags)
            by_tag |= dict.fromkeys(tags, one)
            if not tags:
                break
        else:
            if len(by_tag) == count:
                return Tagged(member.key, by_tag)
    return None


def _tags(one: Object, key: str) -> list[str | int]:
    for member in one.members:
        if member.key == key and isinstance(member.node, Choice) and member.node.name == "literal":
            values = [value for kind, value in member.node.choices if kind in (str, int)]
            return values if len(values) == len(member.node.choices) else []  # type: ignore[return-value]
    return []


def refuse_endless(root: Node) -> None:
    """Unsupported when a union tries several types that may contain the union again: what it takes to find
    out would double with each level of nesting.
    """
    for union in (node for node in _reachable(root) if isinstance(node, Union)):
        for kind in (dict, list):
            tried = union.candidates(kind)
            if len(tried) > 1 and any(union in _reachable(node) for node in tried):
                titles = " and ".join(
                    node.title if isinstance(node, Object) else node.expected for node in tried
                )
                raise Unsupported(
                    f"a union of {titles} contains itself; give each a field such as "
                    "`kind: Literal['...']`, with another value in each, to tell them apart by"
                )


def _reachable(root: Node) -> set[Node]:
    seen: set[Node] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += node.parts()
    return seen
