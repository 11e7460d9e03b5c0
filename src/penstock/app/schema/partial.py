"""The part of a model a PATCH sends."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from penstock.errors import ValidationError

T = TypeVar("T")


class Partial(Mapping[str, Any], Generic[T]):
    """Those fields of a dataclass or TypedDict that were sent, each a whole and valid value.

    As the annotation of a body, `Partial[Item]` takes an object with any of Item's fields. What was not sent
    is not in it, so null and absent differ.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Item:
    ...     name: str
    ...     price: float
    >>> patch = Partial[Item]({"price": 2.5})
    >>> patch.apply(Item("pump", 1.0))
    Item(name='pump', price=2.5)
    """

    __slots__ = ("_sent",)

    def __init__(self, sent: Mapping[str, Any]) -> None:
        self._sent = dict(sent)

    def __getitem__(self, name: str) -> Any:
        return self._sent[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent)

    def __len__(self) -> int:
        return len(self._sent)

    def __repr__(self) -> str:
        return f"Partial({self._sent!r})"

    def apply(self, whole: T) -> T:
        """Return a copy of `whole` with what was sent in place of what was there. What the class itself
        refuses by ValueError is a ValidationError, the client's fault.
        """
        if isinstance(whole, dict):
            return cast("T", {**whole, **self._sent})
        try:
            return cast("T", dataclasses.replace(cast("Any", whole), **self._sent))
        except ValueError as error:
            raise ValidationError([{"loc": ["body"], "msg": str(error)[:500], "type": "value"}]) from None
