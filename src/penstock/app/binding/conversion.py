"""From an annotation to the function that makes its values from text (path, query, fields, cookies).

A `Conversion` converts or raises ValueError, and can name its faults: scalars from a table, Enum by value,
Literal, unions, lists, and the constraints that stand with them.
"""

from __future__ import annotations

import types
import typing
from copy import copy
from enum import Enum
from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import NoSuchType, Unsupported, is_union, name_of, peel, secret_of, split
from penstock.app.schema.constraints import broken, constraints_in, make_constraints
from penstock.app.schema.report import MAX_FAULTS
from penstock.http.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.app.schema.constraints import Constraint
    from penstock.app.schema.report import Fault

    Convert = Callable[[Any], Any]


class Conversion:
    """How the values of one annotation are made from text."""

    __slots__ = ("_base", "constraints", "convert", "expected", "is_optional", "item", "kind")

    def __init__(
        self,
        convert: Convert,
        expected: str,
        kind: str,
        *,
        item: Conversion | None = None,
        is_optional: bool = False,
    ) -> None:
        self.convert = self._base = convert
        self.expected = expected
        """What a fault says was wanted: "an integer"."""
        self.kind = kind
        """What a fault's `type` says: "int"."""
        self.item = item
        """The conversion of a list's elements; None for everything else."""
        self.is_optional = is_optional
        """True when None is a value, too."""
        self.constraints: list[Constraint] = []
        """What `convert` checks besides."""

    def constrained(self, constraints: list[Constraint]) -> Conversion:
        """Return the conversion that also holds values to these."""
        inner, checks = self.convert, [constraint.holds for constraint in constraints]

        def convert(value: Any) -> Any:
            made = inner(value)
            for holds in checks:
                if not holds(made):
                    raise ValueError("constraint")
            return made

        result = copy(self)
        result.convert, result.constraints = convert, [*self.constraints, *constraints]
        return result

    @property
    def keeps(self) -> bool:
        """True when the value of every text is itself."""
        return self.kind == "str" and self.convert is self._base

    def is_spelled(self, text: str) -> bool:
        """Tell whether a text is a value of the annotation, whatever the constraints."""
        try:
            self._base(text)
        except ValueError:
            return False
        return True

    def as_optional(self) -> Conversion:
        """Return the same, of which None is a value, too."""
        result = copy(self)
        result.is_optional = True
        return result

    def faults(self, value: Any, loc: list[str | int]) -> list[Fault]:
        """Return the faults of a value, a hundred at most; `[]` exactly when `convert` takes it."""
        if self.item is None:
            return [{"loc": loc, "msg": message, "type": kind} for message, kind in self.messages(value)]
        found: list[Fault] = []
        for index, one in enumerate(value):
            found += self.item.faults(one, [*loc, index])
            if len(found) >= MAX_FAULTS:
                return found
        if not found:  # elements are as they should be: the list itself
            made = [self.item.convert(one) for one in value]
            found += [
                {"loc": loc, "msg": f"expected {one.expected}", "type": one.name}
                for one in broken(self.constraints, made)
            ]
        return found

    def messages(self, text: str) -> list[tuple[str, str]]:
        """Return what is wrong with one text, as message and kind."""
        try:
            made = self._base(text)
        except ValueError:
            return [(f"expected {self.expected}", self.kind)]
        return [(f"expected {one.expected}", one.name) for one in broken(self.constraints, made)]


class Notation:
    """How values are spelled in text: which scalars there are, what an Enum or Literal value looks like."""

    def __init__(self, scalars: Mapping[object, Conversion], spelling: Callable[[object], str]) -> None:
        self._scalars = scalars
        self._spelling = spelling

    def conversion(self, annotation: object) -> Conversion:
        """Return the conversion to an annotation; Unsupported says why there is none."""
        annotation, metadata = split(annotation)
        bounds = constraints_in(metadata)
        if not bounds:
            return self._conversion(annotation)
        if is_union(annotation) and len(_members(annotation)) > 1:
            rest = tuple(one for one in metadata if constraints_in([one]))
            members: list[object] = [typing.Annotated[(one, *rest)] for one in _members(annotation)]
            return self._union(members, is_optional=len(members) < len(typing.get_args(annotation)))
        if (typing.get_origin(annotation) or annotation) is Secret:
            return self._secret(annotation, tuple(one for one in metadata if constraints_in([one])))
        conversion = self._conversion(annotation)
        return conversion.constrained(make_constraints(bounds, conversion.kind))

    def _secret(self, annotation: object, bounds: tuple[object, ...] = ()) -> Conversion:
        inner = secret_of(annotation)
        conversion = self.conversion(typing.Annotated[(inner, *bounds)] if bounds else inner)
        if conversion.item is not None or conversion.is_optional:
            raise Unsupported(f"{name_of(annotation)} is of one value: list[Secret[str]], Secret[str] | None")
        convert = conversion.convert
        result = copy(conversion)
        result.convert = lambda text: Secret(convert(text))
        return result

    def _conversion(self, annotation: Any) -> Conversion:
        if (typing.get_origin(annotation) or annotation) is Secret:
            return self._secret(annotation)
        if _is_hashable(annotation) and annotation in self._scalars:
            return self._scalars[annotation]
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if is_union(annotation):
            members = _members(annotation)
            return self._union(members, is_optional=len(members) < len(arguments))
        if origin is typing.Literal:
            return self._choice(
                [(one.value if isinstance(one, Enum) else one, one) for one in arguments], "literal"
            )
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return self._choice([(member.value, member) for member in annotation], "enum")
        if origin is list and arguments:
            return self._list(arguments[0])
        raise NoSuchType(f"{name_of(annotation)} is no type a request can be converted to")

    def _list(self, annotation: object) -> Conversion:
        item = self.conversion(annotation)
        if item.item is not None:
            raise Unsupported(f"a list of lists, list[{name_of(annotation)}], cannot be spelled here")
        convert = item.convert
        return Conversion(lambda values: [convert(value) for value in values], "a list", "list", item=item)

    def _union(self, members: list[object], *, is_optional: bool) -> Conversion:
        # `str` takes everything text can spell, so it comes last whatever the order.
        conversions = [self.conversion(one) for one in sorted(members, key=_takes_all)]
        if len(conversions) == 1:
            return conversions[0].as_optional()
        if any(one.item is not None for one in conversions):
            raise Unsupported("a list or something else cannot be told apart here")
        converts = [one.convert for one in conversions]

        def convert_any(value: object) -> object:
            for convert in converts:
                try:
                    return convert(value)
                except ValueError:
                    continue
            raise ValueError("union")

        expected = " or ".join(one.expected for one in conversions)
        return Conversion(convert_any, expected, "union", is_optional=is_optional)

    def _choice(self, choices: list[tuple[object, object]], kind: str) -> Conversion:
        spelled: dict[str, object] = {}
        for value, result in choices:
            if not isinstance(value, (str, int, types.NoneType)):
                raise Unsupported(f"{value!r} in an {kind} is neither text nor an integer nor a bool")
            if value is not None:
                spelled.setdefault(self._spelling(value), result)

        def convert(text: str) -> object:
            try:
                return spelled[text]
            except KeyError:
                raise ValueError(kind) from None

        values = [value for value, _ in choices]
        return Conversion(
            convert, f"one of {', '.join(map(_show, values))}", kind, is_optional=None in values
        )


def _takes_all(annotation: object) -> bool:
    plain = peel(annotation)
    return plain is str or ((typing.get_origin(plain) or plain) is Secret and secret_of(plain) is str)


def _members(annotation: object) -> list[object]:
    return [one for one in typing.get_args(annotation) if one is not types.NoneType]


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
