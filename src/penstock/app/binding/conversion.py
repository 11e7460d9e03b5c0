"""From an annotation to the function that makes its values, from text (path, query) or JSON (body).

A `Conversion` converts or raises ValueError, and can name its faults. Both notations read the same
annotations: scalars from a table, Enum by value, Literal, unions, lists; they differ in what spells a value,
and JSON has a null.
"""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fault = dict[str, object]
    Convert = Callable[[Any], Any]


class Unsupported(TypeError):
    """An annotation says nothing this package can make; the message is the reason."""


class Conversion:
    """How the values of one annotation are made from their notation."""

    __slots__ = ("convert", "expected", "is_optional", "item", "kind")

    def __init__(
        self,
        convert: Convert,
        expected: str,
        kind: str,
        *,
        item: Conversion | None = None,
        is_optional: bool = False,
    ) -> None:
        self.convert = convert
        self.expected = expected
        """What a fault says was wanted: "an integer"."""
        self.kind = kind
        """What a fault's `type` says: "int"."""
        self.item = item
        """The conversion of a list's elements; None for everything else."""
        self.is_optional = is_optional
        """True when None is a value, too."""

    def faults(self, value: object, loc: list[str | int]) -> list[Fault]:
        """Return every fault of a value; `[]` exactly when `convert` takes it."""
        if self.item is not None and isinstance(value, list):
            return [
                fault for index, one in enumerate(value) for fault in self.item.faults(one, [*loc, index])
            ]
        try:
            self.convert(value)
        except ValueError:
            return [{"loc": loc, "msg": f"expected {self.expected}", "type": self.kind}]
        return []


class Notation:
    """One way to spell values: which scalars it has, and what an Enum or Literal value looks like."""

    def __init__(
        self,
        scalars: Mapping[object, Conversion],
        spelling: Callable[[object], object],
        read: Callable[[Any], object],
        *,
        is_structured: bool,
    ) -> None:
        self._scalars = scalars
        self._spelling = spelling
        self._read = read
        self._is_structured = is_structured
        """Whether lists nest and null can be told from text."""

    def conversion(self, annotation: object) -> Conversion:
        """Return the conversion to an annotation; Unsupported says why there is none."""
        annotation = peel(annotation)
        if _is_hashable(annotation) and annotation in self._scalars:
            return self._scalars[annotation]
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Union or origin is types.UnionType:
            return self._union(list(arguments))
        if origin is typing.Literal:
            return self._choice(
                [(one.value if isinstance(one, Enum) else one, one) for one in arguments], "literal"
            )
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return self._choice([(member.value, member) for member in annotation], "enum")
        if origin is list and arguments:
            return self._list(arguments[0])
        raise Unsupported(f"{name_of(annotation)} is no type a request can be converted to")

    def _list(self, annotation: object) -> Conversion:
        item = self.conversion(annotation)
        if item.item is not None and not self._is_structured:
            raise Unsupported(f"a list of lists, list[{name_of(annotation)}], cannot be spelled here")
        convert = item.convert

        def convert_all(values: object) -> list[Any]:
            if type(values) is not list:
                raise ValueError("list")
            return [convert(value) for value in values]

        return Conversion(convert_all, "a list", "list", item=item)

    def _union(self, annotations: list[object]) -> Conversion:
        members = [one for one in annotations if one is not types.NoneType]
        is_optional = len(members) < len(annotations)
        # `str` takes everything text can spell, so it comes last whatever the order.
        members.sort(key=lambda one: peel(one) is str)
        conversions = [self.conversion(one) for one in members]
        accepts_null = is_optional and self._is_structured
        null = " or null" if accepts_null else ""
        if len(conversions) == 1:
            only = conversions[0]
            convert = _nullable(only.convert) if accepts_null else only.convert
            return Conversion(
                convert, only.expected + null, only.kind, item=only.item, is_optional=is_optional
            )
        if not self._is_structured and any(one.item is not None for one in conversions):
            raise Unsupported("a list or something else cannot be told apart here")
        converts = [one.convert for one in conversions]

        def convert_any(value: object) -> object:
            for convert in converts:
                try:
                    return convert(value)
                except ValueError:
                    continue
            raise ValueError("union")

        convert = _nullable(convert_any) if accepts_null else convert_any
        expected = " or ".join(one.expected for one in conversions) + null
        return Conversion(convert, expected, "union", is_optional=is_optional)

    def _choice(self, choices: list[tuple[object, object]], kind: str) -> Conversion:
        spelled: dict[object, object] = {}
        for value, result in choices:
            if not isinstance(value, (str, int, types.NoneType)):
                raise Unsupported(f"{value!r} in an {kind} is neither text nor an integer nor a bool")
            if value is not None or self._is_structured:
                spelled.setdefault(self._spelling(value), result)
        read = self._read

        def convert(value: object) -> object:
            try:
                return spelled[read(value)]
            except (KeyError, TypeError):  # TypeError: a list or an object is never a key
                raise ValueError(kind) from None

        values = [value for value, _ in choices]
        return Conversion(
            convert, f"one of {', '.join(map(_show, values))}", kind, is_optional=None in values
        )


def peel(annotation: object) -> object:
    """Return the type inside Annotated, NewType and `type` aliases."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # 3.12
            annotation = annotation.__value__  # type: ignore[attr-defined]
        else:
            return annotation


def name_of(annotation: object) -> str:
    """Return an annotation as one would write it.

    >>> name_of(int), name_of(list[int])
    ('int', 'list[int]')
    """
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return str(annotation)


def _nullable(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _is_hashable(annotation: object) -> bool:
    try:
        hash(annotation)
    except TypeError:
        return False
    return True


def _show(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
