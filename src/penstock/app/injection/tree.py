"""Reading what a handler depends on, at start-up, into a tree of nodes with signatures.

A function that several depend on is one node, so that it is called once. What cannot be is an
ApplicationError that names the chain: `shop:order -> shop:get_db -> shop:settings (/srv/shop.py:12):
parameter 'x' ...`. Overrides take effect here: the tree holds what is called in the end.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.binding.signature import check_content, read_arguments
from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import is_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from penstock.app.application import App
    from penstock.app.binding.signature import Signature
    from penstock.app.injection.depends import Declared, RunsDependency
    from penstock.app.routing.template import Template

    Function = Callable[..., Any]


class Dependency:
    """A function that is called for a handler, or for another dependency."""

    __slots__ = (
        "declared",
        "function",
        "is_async",
        "is_async_generator",
        "is_generator",
        "may_be_async",
        "run",
        "signature",
    )

    def __init__(
        self, declared: Function, function: Function, run: RunsDependency | None, signature: Signature
    ) -> None:
        self.declared = declared
        """What `Depends` named."""
        function = _without_context_manager(function)
        self.function = function
        """What is called: the same, unless it is overridden."""
        self.run = run
        """As declared; None: where the handler runs."""
        self.signature = signature
        self.is_async = is_function(inspect.iscoroutinefunction, function)
        """Calling it makes something to await."""
        self.may_be_async = self.is_async or inspect.iscoroutinefunction(inspect.unwrap(function))
        """It is decorated, and what is inside is async: what it returns tells."""
        inner = inspect.unwrap(function)
        self.is_generator = is_function(inspect.isgeneratorfunction, function) or inspect.isgeneratorfunction(
            inner
        )
        self.is_async_generator = is_function(
            inspect.isasyncgenfunction, function
        ) or inspect.isasyncgenfunction(inner)

    @property
    def waits(self) -> bool:
        """It runs on the loop, and may wait there."""
        return self.may_be_async or self.is_async_generator

    @property
    def yields(self) -> bool:
        """It goes on once the reply is out."""
        return self.is_generator or self.is_async_generator

    @property
    def name(self) -> str:
        """The name of the function, for generated code: an ASCII identifier."""
        name: str = getattr(self.function, "__name__", type(self.function).__name__)
        return name if name.isidentifier() and name.isascii() else "it"

    def __repr__(self) -> str:
        return f"<Dependency {handler_name(self.function)}>"


class _Link(NamedTuple):
    """A function on the way from the handler to what is read."""

    function: Function
    where: str


def read_tree(
    handler: Function,
    template: Template,
    dependencies: Iterable[Declared] = (),
    overrides: Mapping[Any, Any] | None = None,
) -> Signature:
    """Return the signature of a handler with all it depends on; `dependencies` are those that it does not
    name itself, outermost first.
    """
    reader = _Reader(handler, template, overrides or {})
    chain = (_Link(handler, handler_name(handler)),)
    above = tuple(reader.read(declared, chain, declared.function) for declared in dependencies)
    signature = reader.read_signature(handler, chain)._replace(dependencies=above)
    signatures = [signature, *(node.signature for node in walk(signature))]
    shared = check_content(describe(handler), signatures)
    for node in walk(signature):
        node.signature = shared[id(node.signature)]
    return shared[id(signature)]


def walk(signature: Signature) -> Iterator[Dependency]:
    """Yield everything a signature depends on, each once, in the order of the calls: what others need
    comes before them.
    """
    seen: set[int] = set()

    def visit(signature: Signature) -> Iterator[Dependency]:
        for node in signature.direct_dependencies():
            if id(node) not in seen:
                seen.add(id(node))
                yield from visit(node.signature)
                yield node

    return visit(signature)


def overrides_of(apps: Iterable[App]) -> dict[Any, Any]:
    """Return the overrides that hold for a route of these applications, given outermost first; the outermost
    wins. ApplicationError for one that cannot be called.
    """
    found: dict[Any, Any] = {}
    for app in reversed(tuple(apps)):
        for function, other in app.overrides.items():
            if not callable(other):
                raise ApplicationError(
                    f"overrides: {describe(function)} is to be replaced by {other!r}, which is no function"
                )
            found[function] = other
    return found


class _Reader:
    """Reads the tree of one handler."""

    def __init__(self, handler: Function, template: Template, overrides: Mapping[Any, Any]) -> None:
        self._handler = handler
        self._template = template
        self._overrides = overrides
        self._nodes: dict[Any, Dependency] = {}
        """Those that are called once, by function."""

    def read_signature(self, function: Function, chain: tuple[_Link, ...]) -> Signature:
        """Return a signature without the checks of the content, which concern all of them."""
        where = " -> ".join([*(link.where for link in chain[:-1]), describe(function)])
        is_handler = len(chain) == 1

        def read(declared: Declared, annotated: object) -> Dependency:
            return self.read(declared, chain, annotated)

        signature = read_arguments(function, self._template, where, read)
        stream = signature.first("stream")
        if stream is not None and not is_handler:
            raise ApplicationError(
                f"{where}: parameter {stream.name!r}: only the handler itself takes the BodyStream"
            )
        return signature

    def read(self, declared: Declared, chain: tuple[_Link, ...], annotated: object) -> Dependency:
        """Return the node of a `Depends(...)` found at the end of this chain."""
        names = " -> ".join(link.where for link in chain)
        named = declared.function if declared.function is not None else annotated
        if not callable(named) or named is inspect.Parameter.empty:
            raise ApplicationError(
                f"{names}: Depends() stands for the class it is annotated with, and that is "
                f"{'none' if named is inspect.Parameter.empty else repr(named)}; write Depends(function)"
            )
        function = self._overridden(named, chain)
        links = (*chain, _Link(function, handler_name(function)))
        if any(_is_same(link.function, function) for link in chain):
            circle = " -> ".join(link.where for link in links)
            raise ApplicationError(f"{circle}: these depend on each other in a circle")
        key = _key(function)
        node = self._nodes.get(key) if declared.use_cache else None
        if node is not None:
            if node.run != declared.run:
                raise ApplicationError(
                    f"{' -> '.join(link.where for link in links)}: Depends says run={declared.run!r} here "
                    f"and run={node.run!r} elsewhere, and it is called once; say the same, or use_cache=False"
                )
            return node
        node = Dependency(named, function, declared.run, self.read_signature(function, links))
        if (node.is_async or node.is_async_generator) and declared.run is not None:
            raise ApplicationError(
                f"{' -> '.join(link.where for link in links)}: an async def dependency always runs on the "
                f"loop; remove run={declared.run!r} or the async"
            )
        if declared.use_cache:
            self._nodes[key] = node
        return node

    def _overridden(self, function: Function, chain: tuple[_Link, ...]) -> Function:
        """Return what is called for a function. What replaces it may depend on it, and gets the original."""
        try:
            other: Function = self._overrides.get(function, function)
        except TypeError:  # not hashable, so it is no key
            return function
        return function if any(_is_same(link.function, other) for link in chain) else other


def _without_context_manager(function: Function) -> Function:
    """Return the generator function inside a `@contextmanager` one, which as a dependency is the same."""
    names = getattr(function, "__globals__", {})
    wrapped: Function = getattr(function, "__wrapped__", function)
    return wrapped if names.get("__name__") == "contextlib" else function


def _key(function: Function) -> Any:
    """Return what makes a function the same: equality, where that can be asked."""
    try:
        hash(function)
    except TypeError:
        return id(function)
    return function


def _is_same(one: Function, other: Function) -> bool:
    return one is other or bool(_key(one) == _key(other))
