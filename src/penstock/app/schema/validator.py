"""Validators: what a type is compiled to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import name_of
from penstock.app.schema.code import Code
from penstock.app.schema.reading import read_type
from penstock.app.schema.report import Enough, Report
from penstock.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.schema.markers import Unknown
    from penstock.app.schema.report import Fault, Loc


class Validator:
    """Makes the values of one type from decoded JSON."""

    __slots__ = ("convert", "node", "title")

    def __init__(self, annotation: object, unknown: Unknown = "ignore") -> None:
        self.node = read_type(annotation, unknown)
        self.title = name_of(annotation)
        self.convert: Callable[[Any], Any] = self._compile_and_convert
        """The quick way: the value, or ValueError at the first fault."""

    def _compile_and_convert(self, value: Any) -> Any:
        # PERF: what is wrong with a type is known when it is read; its code is written when a value comes. An
        # application of 300 models starts in 0.2 s instead of 0.4.
        self.convert = Code().compiled(self.node, self.title)
        return self.convert(value)

    def faults(self, value: object, loc: Loc = ("body",)) -> list[Fault]:
        """Return the faults of a value, a hundred at most; `[]` exactly when `convert` takes it."""
        report = Report()
        try:
            self.node.walk(value, loc, report)
        except Enough:
            pass
        return report.faults

    def validate(self, value: object, loc: Loc = ("body",)) -> Any:
        """Return what decoded JSON becomes, or raise ValidationError with every fault."""
        try:
            return self.convert(value)
        except ValueError:
            pass
        except RecursionError:
            raise ValidationError([{"loc": list(loc), "msg": "nested too deep", "type": "depth"}]) from None
        raise ValidationError(self.faults(value, loc))


def compile_validator(annotation: object, *, unknown: Unknown = "ignore") -> Validator:
    """Return the validator of a type; Unsupported says what in it cannot be read.

    >>> compile_validator(list[int]).validate([1, 2])
    [1, 2]
    """
    return Validator(annotation, unknown)
