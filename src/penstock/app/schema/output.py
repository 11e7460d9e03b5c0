"""What of a value goes into a response: the fields its declared type names, and no others.

The same trees that validate bodies are compiled the other way, from a value to what JSON can say:

    def show_1(value):
        if not isinstance(value, Mapping):
            return {'id': value.id, 'address': show_2(value.address)}
        made = {}
        made['id'] = value['id']
        if 'address' in value:
            made['address'] = show_2(value['address'])
        return made

A handler that promises `User` and returns a `UserInDatabase`, a row or a dict with more in it sends what a
`User` has: what was not promised is never sent by accident. Values are not checked here, only chosen;
`validate_response` does that, on what would be sent. PERF: 0.9 us for a dataclass of four fields with its
JSON, 1.6 when the encoder meets the dataclass itself (benchmarks/validation.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.code import Code
from penstock.app.schema.constraints import Constrained
from penstock.app.schema.containers import Fixed, Keyed, Many
from penstock.app.schema.foreign import Foreign
from penstock.app.schema.members import annotated_members
from penstock.app.schema.nodes import Alias, Hidden
from penstock.app.schema.objects import REQUIRED, Member, Object
from penstock.app.schema.partial import Partial
from penstock.app.schema.reading import read_type
from penstock.app.schema.unions import Tagged, Union
from penstock.app.schema.validator import compile_validator
from penstock.errors import BrokenPromise
from penstock.http.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.schema.nodes import Node


_UNDECIDED = (
    "this may be any of several types of the union that was promised; return an instance of one, or give "
    "them a Literal field to be told apart by"
)


def compile_output(annotation: object) -> Callable[[Any], Any] | None:
    """Return what chooses the promised part of a value, or None when everything of it is promised, as by
    `dict` or `int`. Unsupported says what in the type cannot be read.
    """
    root = read_type(annotation)
    if not _chooses(root, set()):
        return None
    return _Writer().compiled(root, repr(annotation))


def checked_output(annotation: object, show: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """Return the same with a check: BrokenPromise when a client would read what the type does not allow."""
    validator = compile_validator(annotation)

    def checked(value: Any) -> Any:
        shown = value if show is None else show(value)
        faults = validator.faults(loads(dumps(shown)), ("response",))
        if faults:
            told = "; ".join(f"{fault['loc']} {fault['msg']}" for fault in faults[:10])
            raise BrokenPromise(f"the response is no {validator.title}: {told}")
        return shown

    return checked


def _tell_missing(title: str, required: list[tuple[str, str]], value: Mapping[str, Any]) -> None:
    """BrokenPromise for a mapping that lacks what was promised."""
    missing = [key for key, name in required if key not in value and name not in value]
    if missing:
        raise BrokenPromise(f"the response is no {title}: it lacks {', '.join(missing)}") from None


def _chooses(node: Node, seen: set[int]) -> bool:
    """Tell whether something in a type leaves anything out."""
    if isinstance(node, (Object, Foreign)):
        return True
    if isinstance(node, Hidden):
        return False  # of one nothing is shown at all
    if id(node) in seen:
        return False
    seen.add(id(node))
    return any(_chooses(part, seen) for part in node.parts())


class _Writer:
    """The source being written: a function for each node that chooses."""

    def __init__(self) -> None:
        self._code = Code()
        self._code.scope |= {"Mapping": Mapping, "UNDECIDED": _UNDECIDED}
        self._names: dict[int, str] = {}
        self._to_write: list[tuple[str, Node]] = []

    def compiled(self, root: Node, title: str) -> Callable[[Any], Any]:
        name = self._function(root)
        while self._to_write:
            function, node = self._to_write.pop()
            with self._code.block(f"def {function}(value):"):
                self._write(node)
        self._code.finish(f"<output {title}>")
        made: Callable[[Any], Any] = self._code.scope[name]
        return made

    def _function(self, node: Node) -> str:
        name = self._names.get(id(node))
        if name is None:
            name = self._names[id(node)] = self._code.fresh("show_")
            self._to_write.append((name, node))
        return name

    def _shown(self, node: Node, value: str) -> str:
        """Return the expression of what is shown of `value`."""
        return f"{self._function(node)}({value})" if _chooses(node, set()) else value

    def _write(self, node: Node) -> None:
        add = self._code.add
        if isinstance(node, Object):
            self._write_object(node)
        elif isinstance(node, Foreign):
            add(f"return {self._code.constant(node.show, 'show')}(value)")
        elif isinstance(node, (Union, Tagged)):
            self._write_union(node)
        elif isinstance(node, Many):
            add(f"return [{self._shown(node.item, 'one')} for one in value]")
        elif isinstance(node, Keyed):
            add(f"return {{key: {self._shown(node.item, 'one')} for key, one in value.items()}}")
        elif isinstance(node, Fixed):
            shown = ", ".join(self._shown(item, f"value[{place}]") for place, item in enumerate(node.items))
            add(f"return [{shown}]")
        elif isinstance(node, (Alias, Constrained)):
            add(f"return {self._shown(node.inner, 'value')}")
        else:
            raise Unsupported(f"{type(node).__name__} cannot be shown")

    def _write_object(self, node: Object) -> None:
        members = [*node.members, *_made_by_itself(node)]
        if node.make is not Partial:
            pairs = [f"{one.key!r}: {self._shown(one.node, f'value.{one.name}')}" for one in members]
            with self._code.block("if not isinstance(value, Mapping):"):
                self._code.add(f"return {{{', '.join(pairs)}}}")
        keeps = node.unknown == "keep" and node.make is dict
        self._code.add("made = {**value}" if keeps else "made = {}")
        required = [(one.key, one.name) for one in members if one.default is REQUIRED]
        if not required:
            self._write_members(members)
            return
        with self._code.block("try:"):
            self._write_members(members)
        tell = self._code.constant(partial(_tell_missing, node.title, required), "tell_missing")
        self._code.add("except KeyError:", f"    {tell}(value)", "    raise")

    def _write_members(self, members: list[Member]) -> None:
        for one in members:
            self._write_member(one)
        self._code.add("return made")

    def _write_member(self, one: Member) -> None:
        """Take one member of a mapping, by its name in JSON or in Python; a KeyError when it is missing."""
        names = list(dict.fromkeys((one.key, one.name)))
        takes = [f"made[{one.key!r}] = {self._shown(one.node, f'value[{name!r}]')}" for name in names]
        if one.default is REQUIRED and len(names) == 1:
            self._code.add(takes[0])
            return
        self._code.add(f"if {one.key!r} in value:", f"    {takes[0]}")
        if one.default is REQUIRED:
            self._code.add("else:", f"    {takes[1]}")
        elif len(names) > 1:
            self._code.add(f"elif {one.name!r} in value:", f"    {takes[1]}")

    def _write_union(self, node: Union | Tagged) -> None:
        """By class, for what has one; else by what kind of JSON it would be."""
        members = _members(node)
        by_class = [(one, kind) for one in members if (kind := _class_of(one)) is not None]
        for one, kind in by_class:
            with self._code.block(f"if isinstance(value, {self._code.constant(kind, 'kind')}):"):
                self._code.add(f"return {self._shown(one, 'value')}")
        for tagged in (one for one in (node, *node.parts()) if isinstance(one, Tagged)):
            for tag, one in tagged.objects.items():
                is_it = f"isinstance(value, Mapping) and value.get({tagged.key!r}) == {tag!r}"
                self._code.add(f"if {is_it}:", f"    return {self._shown(one, 'value')}")
        choosing = [one for one in members if _chooses(one, set())]
        for test, kind in (("Mapping", dict), ("(list, tuple, set, frozenset)", list)):
            fitting = [one for one in choosing if kind in one.kinds]
            with self._code.block(f"if isinstance(value, {test}):"):
                if len(fitting) > 1:
                    self._code.add("raise TypeError(UNDECIDED)")
                else:
                    self._code.add(f"return {self._shown(fitting[0], 'value') if fitting else 'value'}")
        self._code.add("if value is None or isinstance(value, (str, int, float)):", "    return value")
        objects = [one for one in choosing if isinstance(one, (Object, Foreign))]
        if len(objects) == 1:  # a row, with the attributes of the one there is
            self._code.add(f"return {self._shown(objects[0], 'value')}")
        else:
            self._code.add("return value")


def _members(node: Union | Tagged) -> list[Node]:
    members: list[Node] = []
    for one in node.parts():
        members += _members(one) if isinstance(one, (Union, Tagged)) else [one]
    return members


def _class_of(node: Node) -> type | None:
    """Return the class whose instances a node is for, when no other node of a union can be meant by them."""
    inner = node.inner if isinstance(node, (Alias, Constrained)) else node
    kind = getattr(inner, "annotation", None)
    kind = getattr(kind, "__origin__", kind)
    if not isinstance(kind, type) or (issubclass(kind, dict) and isinstance(inner, Object)):
        return None  # a TypedDict has no instances
    return kind


def _made_by_itself(node: Object) -> Iterable[Member]:
    """Return the fields of a dataclass that no body can set (`init=False`), and a response shows."""
    kind: Any = getattr(node.annotation, "__origin__", node.annotation)
    if node.make is Partial or not dataclasses.is_dataclass(kind):
        return []
    names = [field.name for field in dataclasses.fields(kind) if not field.init]
    annotations = annotated_members(cast("type", kind)) if names else {}
    return [Member(name, name, read_type(annotations[name])) for name in names]
