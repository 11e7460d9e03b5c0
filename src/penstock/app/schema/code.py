"""Writing the source of a validator: lines, fresh names, and the objects the source refers to by name.

One `Code` is one validator: a function for each type that has a name of its own, which is what makes
recursive types possible, and everything else inline.
"""

from __future__ import annotations

import linecache
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from penstock.app.schema.report import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.app.schema.nodes import Node


class Code:
    """The source being written."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"Refused": Refused}
        self.lines: list[str] = []
        self._depth = 0
        self._count = 0
        self._names: dict[int, str] = {}
        """Of functions, by the identity of their node."""
        self.later: list[str] = []
        """Lines that follow all functions, since they name them."""
        self._to_write: list[tuple[str, Node]] = []
        self._seen: list[object] = []
        """Keeps what `_names` knows by identity."""

    def add(self, *lines: str) -> None:
        self.lines += ["    " * self._depth + line for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Everything added inside belongs to `head`, such as "for x in y:"."""
        self.add(head)
        self._depth += 1
        yield
        self._depth -= 1

    def refuse_if(self, condition: str) -> None:
        self.add(f"if {condition}:", "    raise Refused")

    def fresh(self, word: str = "v") -> str:
        """Return a name nothing else has."""
        self._count += 1
        return f"{word}{self._count}"

    def constant(self, value: object, word: str = "c") -> str:
        """Return a name for an object."""
        name = self.fresh(f"{word}_")
        self.scope[name] = value
        return name

    def function(self, node: Node) -> str:
        """Return the name of the function that converts what a node stands for; it is written once."""
        name = self._names.get(id(node))
        if name is None:
            name = self._names[id(node)] = self.fresh("convert_")
            self._seen.append(node)
            self._to_write.append((name, node))
        return name

    def compiled(self, root: Node, title: str) -> Callable[[Any], Any]:
        """Return the function that converts what `root` stands for."""
        name = self.function(root)
        while self._to_write:
            function, node = self._to_write.pop()
            with self.block(f"def {function}(value):"):
                node.emit_body(self, "value")
        self.finish(f"<validator {title}>")
        function_made: Callable[[Any], Any] = self.scope[name]
        return function_made

    def finish(self, file: str) -> None:
        """Define in `scope` what was written; tracebacks show it under the name `file`."""
        source = "\n".join([*self.lines, *self.later]) + "\n"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), self.scope)  # noqa: S102 - names are ours, the rest is repr() of text
