"""The segment tree: one node a segment, literal text first, then converters by rank, then `str`, then `path`,
with backtracking.

The method is part of the match: `DELETE /users/me` finds `/users/{id}` when `/users/me` knows only GET. A
search visits a node at most once, because each has one parent, so its cost is bounded by the size of the
tree, whatever the path. A node is a tree itself; there is no other state, and nothing changes after start-up.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Generic, TypeVar

from penstock.app.routing.converters import PATH, STR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from penstock.app.routing.converters import Converter
    from penstock.app.routing.template import Parameter

T = TypeVar("T")


class Node(Generic[T]):
    """The routes below one prefix of segments. `T` is what a route leads to."""

    __slots__ = ("_children", "literals", "methods", "rest", "variables")

    def __init__(self) -> None:
        self.methods: dict[str, T] = {}
        """What answers when the path ends here."""
        self.literals: dict[str, Node[T]] = {}
        self.variables: list[tuple[Callable[[str], object] | None, Node[T]]] = []
        """One child for each converter used at this level, by rank; None takes any segment (`str`)."""
        self.rest: dict[str, T] = {}
        """What answers when a `path` parameter takes all that is left."""
        self._children: list[tuple[int, Converter, Node[T]]] = []

    def leaf(self, segments: Sequence[str | Parameter]) -> dict[str, T]:
        """Return the methods of the route with these segments, made where absent; the caller adds to them."""
        node = self
        for segment in segments:
            if isinstance(segment, str):
                node = node.literals.setdefault(segment, Node())
            elif segment.converter is PATH:
                return node.rest
            else:
                node = node.variable(segment)
        return node.methods

    def leaves(self) -> Iterator[dict[str, T]]:
        """Yield the methods of every route in the tree."""
        yield from (methods for methods in (self.methods, self.rest) if methods)
        for child in (*self.literals.values(), *(node for _, _, node in self._children)):
            yield from child.leaves()

    def find_first(self, segments: list[str], method: str, values: list[object]) -> T | None:
        """Return what `find` would find without once turning back; None means ask `find`.

        PERF: 0.22 us instead of 0.40 for `/users/42`. Where the first leaf of a search answers, it is right.
        """
        node = self
        left = iter(segments)
        try:
            for segment in left:
                child = node.literals.get(segment)
                if child is None:
                    if not segment:
                        return None
                    if not node.variables:
                        values.append("/".join((segment, *left)))
                        return node.rest.get(method)
                    convert, child = node.variables[0]
                    values.append(segment if convert is None else convert(segment))
                node = child
        except ValueError:
            return None
        return node.methods.get(method)

    def find(
        self, segments: list[str], index: int, method: str, values: list[object], allowed: set[str]
    ) -> T | None:
        """Return what answers, with the values of its parameters in `values`; None leaves in `allowed` what
        other methods would.
        """
        if index == len(segments):
            found = self.methods.get(method)
            if found is None:
                allowed.update(self.methods)
            return found
        segment = segments[index]
        child = self.literals.get(segment)
        if child is not None:
            found = child.find(segments, index + 1, method, values, allowed)
            if found is not None:
                return found
        if not segment:  # a parameter is never empty, and a `path` never begins with "/"
            return None
        for convert, child in self.variables:
            try:
                values.append(segment if convert is None else convert(segment))
            except ValueError:
                continue
            found = child.find(segments, index + 1, method, values, allowed)
            if found is not None:
                return found
            values.pop()
        found = self.rest.get(method)
        if found is None:
            allowed.update(self.rest)
        else:
            values.append("/".join(segments[index:]))
        return found

    def variable(self, parameter: Parameter) -> Node[T]:
        """Return the child for a parameter of this level, made where absent; its name does not matter."""
        for _, converter, node in self._children:
            if converter is parameter.converter:
                return node
        child: Node[T] = Node()
        self._children.append((parameter.rank, parameter.converter, child))
        self._children.sort(key=itemgetter(0))
        self.variables = [(None if made is STR else made.match, node) for _, made, node in self._children]
        return child
