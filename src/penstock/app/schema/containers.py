"""Lists and what is made of them, and objects used as dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.schema.nodes import Node
from penstock.app.schema.report import INVALID, clipped
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from penstock.app.schema.code import Code
    from penstock.app.schema.report import Loc, Report


class Many(Node):
    """A list of one type; a tuple, set or frozenset is made of one."""

    expected = "a list"
    kinds = frozenset({list})

    def __init__(self, item: Node, make: type) -> None:
        self.item, self.make = item, make
        self.name = make.__name__
        self.keeps = make is list and item.keeps

    def parts(self) -> Iterable[Node]:
        return (self.item,)

    def emit(self, code: Code, value: str) -> str:
        code.refuse_if(f"type({value}) is not list")
        made = value if self.item.keeps else code.fresh("made")
        _emit_items(code, self.item, value, made)
        if self.make is list:
            return made
        if self.make is tuple:
            return f"tuple({made})"
        code.add(
            "try:", f"    {value} = {self.name}({made})", "except TypeError:", "    raise Refused from None"
        )
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) is not list:
            return self.mismatch(loc, report)
        items = [self.item.walk(one, (*loc, index), report) for index, one in enumerate(value)]
        if any(one is INVALID for one in items):
            return INVALID
        try:
            return self.make(items)
        except TypeError:  # an element that cannot be hashed
            return self.mismatch(loc, report)


def _emit_items(code: Code, item: Node, values: str, made: str) -> None:
    """Write the loop that converts `values` to the list `made`, or only checks them when it is `values`."""
    one = code.fresh("one")
    mark = len(code.lines)
    if made == values:
        with code.block(f"for {one} in {values}:"):
            expression = item.emit(code, one)
            if expression != one:  # a call, which refuses what does not fit
                code.add(expression)
        if len(code.lines) == mark + 1:  # there is nothing to check
            code.lines.pop()
        return
    code.add(f"{made} = []")
    with code.block(f"for {one} in {values}:"):
        expression = item.emit(code, one)
        if len(code.lines) == mark + 2:  # PERF: 30% less than appending
            del code.lines[mark:]
        else:
            code.add(f"{made}.append({expression})")
    if len(code.lines) == mark:
        code.add(f"{made} = [{expression} for {one} in {values}]")


class Fixed(Node):
    """An array with a type for each place: a tuple, or a NamedTuple, whose last elements may be left out."""

    kinds = frozenset({list})

    def __init__(
        self, items: Sequence[Node], make: Callable[..., Any] | None = None, least: int | None = None
    ) -> None:
        self.items, self.make = list(items), make
        self.least = len(self.items) if least is None else least
        self.name = "tuple"
        self.annotation: Any = None
        """The NamedTuple as it was written."""

    @property
    def expected(self) -> str:  # type: ignore[override]
        most = len(self.items)
        return (
            f"a list of {most} elements"
            if self.least == most
            else f"a list of {self.least} to {most} elements"
        )

    def parts(self) -> Iterable[Node]:
        return self.items

    def emit(self, code: Code, value: str) -> str:
        if self.make is not None:
            return f"{code.function(self)}({value})"
        return self._emit_all(code, value)

    def emit_body(self, code: Code, value: str) -> None:
        code.add(f"return {self._emit_all(code, value)}")

    def _emit_all(self, code: Code, value: str) -> str:
        most = len(self.items)
        code.refuse_if(f"type({value}) is not list or not {self.least} <= len({value}) <= {most}")
        made = []
        for place in range(self.least):
            name = code.fresh()
            code.add(f"{name} = {value}[{place}]")
            made.append(self.items[place].emit(code, name))
        if self.least == most:
            return self._made(code, made)
        rest = code.fresh("rest")
        code.add(f"{rest} = []")
        for place in range(self.least, most):
            with code.block(f"if len({value}) > {place}:"):
                name = code.fresh()
                code.add(f"{name} = {value}[{place}]")
                code.add(f"{rest}.append({self.items[place].emit(code, name)})")
        return self._made(code, [*made, f"*{rest}"])

    def _made(self, code: Code, made: list[str]) -> str:
        inside = ", ".join(made)
        if self.make is not None:
            return f"{code.constant(self.make, 'make')}({inside})"
        return f"({inside},)" if made else "()"

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) is not list or not self.least <= len(value) <= len(self.items):
            return self.mismatch(loc, report)
        made = [
            item.walk(one, (*loc, place), report)
            for place, (item, one) in enumerate(zip(self.items, value, strict=False))
        ]
        if any(one is INVALID for one in made):
            return INVALID
        if self.make is None:
            return tuple(made)
        try:
            return self.make(*made)
        except ValueError as error:
            return report.add(loc, redactor().text(str(error)), "value")


class Keyed(Node):
    """A dict: JSON's names are texts, so `convert_key` reads a key as the text of a query is read; None keeps
    it.
    """

    expected, name = "an object", "dict"
    kinds = frozenset({dict})

    def __init__(
        self,
        item: Node,
        convert_key: Callable[[str], Any] | None,
        key_faults: Callable[[str], Iterable[tuple[str, str]]] | None,
    ) -> None:
        self.item, self.convert_key, self.key_faults = item, convert_key, key_faults
        self.keeps = item.keeps and convert_key is None
        self.key_annotation: object = str

    def parts(self) -> Iterable[Node]:
        return (self.item,)

    def emit(self, code: Code, value: str) -> str:
        code.refuse_if(f"type({value}) is not dict")
        if self.keeps:
            _emit_items(code, self.item, f"{value}.values()", f"{value}.values()")
            return value
        key, one, made = code.fresh("key"), code.fresh("one"), code.fresh("made")
        code.add(f"{made} = {{}}")
        with code.block(f"for {key}, {one} in {value}.items():"):
            if self.convert_key is not None:
                code.add(f"{key} = {code.constant(self.convert_key, 'key')}({key})")
            code.add(f"{made}[{key}] = {self.item.emit(code, one)}")
        if self.convert_key is not None:  # "1" and "01" are one integer
            code.refuse_if(f"len({made}) != len({value})")
        return made

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        if type(value) is not dict:
            return self.mismatch(loc, report)
        made, fits = {}, True
        for key, one in value.items():
            where = (*loc, clipped(key))
            faults = [] if self.key_faults is None else list(self.key_faults(key))
            for message, name in faults:
                report.add(where, f"the name: {message}", name)
            item = self.item.walk(one, where, report)
            if faults or item is INVALID:
                fits = False
                continue
            converted = key if self.convert_key is None else self.convert_key(key)
            if converted in made:
                report.add(where, "the name stands for the same key as another", "key")
                fits = False
            made[converted] = item
        return made if fits else INVALID
