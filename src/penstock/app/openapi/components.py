"""The schemas that have a name, `#/components/schemas/...`, and how two of one name get different ones.

While the document is made, a reference is a `Ref`, which knows what it means and not what that is called.
Names are given at the end, when all are known, so that they do not depend on the order of routes: a name that
is wanted once is kept, one that is wanted twice gets the module in front, and only what is still alike (two
classes of functions of one module) is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Schema = dict[str, Any]

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9._-]+")  # OpenAPI 3.1.1 §4.8.7


class Ref(str):
    """A reference to a component, to be replaced by its pointer. Its text is the index of the component."""

    __slots__ = ()


class Component:
    """One schema with a name."""

    __slots__ = ("module", "name", "schema", "suffix")

    def __init__(self, name: str, module: str, suffix: str) -> None:
        self.name, self.module, self.suffix = name, module, suffix
        self.schema: Schema = {}

    def wanted(self, *, whole: bool) -> str:
        name = f"{self.module}.{self.name}{self.suffix}" if whole else self.name + self.suffix
        return _NOT_IN_NAMES.sub("_", name).strip("_") or "Schema"


class Components:
    """Every component of a document, in the order they were met."""

    def __init__(self) -> None:
        self._all: list[Component] = []
        self._places: dict[Hashable, Ref] = {}

    def ref(
        self, key: Hashable, name: str, module: str, make: Callable[[], Schema], suffix: str = ""
    ) -> Schema:
        """Return the reference to what `key` stands for; it is made once, and may refer to itself."""
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = Ref(len(self._all))
            component = Component(name, module, suffix)
            self._all.append(component)
            component.schema = make()
        return {"$ref": found}

    def schema(self, ref: Ref) -> Schema:
        return self._all[int(ref)].schema

    def named(self) -> tuple[dict[str, Schema], list[str]]:
        """Return the schemas by name, in alphabetical order, and the names by index."""
        names = self._names()
        found = {name: one.schema for name, one in zip(names, self._all, strict=True)}
        return {name: found[name] for name in sorted(found)}, names

    def _names(self) -> list[str]:
        short = Counter(one.wanted(whole=False) for one in self._all)
        names = [one.wanted(whole=short[one.wanted(whole=False)] > 1) for one in self._all]
        found: dict[str, None] = {}
        for name in names:
            different, number = name, 1
            while different in found:
                number += 1
                different = f"{name}_{number}"
            found[different] = None
        return list(found)


def resolved(value: Any, names: list[str]) -> Any:
    """Return a document with every Ref in it replaced by its pointer."""
    if isinstance(value, Ref):
        return f"#/components/schemas/{names[int(value)]}"
    if isinstance(value, dict):
        return {key: resolved(one, names) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolved(one, names) for one in value]
    return value
