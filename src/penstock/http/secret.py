"""`Secret[str]`: a value that never shows itself; `reveal()` is the one way to it, and easy to search for.

repr, str, format, logging and JSON say `[redacted]`, and so does every tool made of them. Two are equal when
their values are, compared in a time that tells nothing of where they differ. It is true when its value is,
hashable when that is, copied and pickled as it: processes of a pool get the value, so a pickle of it is as
secret as the value was.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from penstock.http.secret_shapes import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Secret(Generic[T]):
    """A value that is not shown: `password: Secret[str]`.

    >>> key = Secret("q3Zp0vN-8yT1mWbX")
    >>> key, f"{key}", key.reveal()[:4]
    (Secret('[redacted]'), '[redacted]', 'q3Zp')
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        object.__setattr__(self, "_value", value)

    def reveal(self) -> T:
        """Return the value itself."""
        value: T = object.__getattribute__(self, "_value")
        return value

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{REDACTED}')"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = self.reveal(), other.reveal()
        if isinstance(mine, str) and isinstance(theirs, str):
            return compare_digest(
                mine.encode("utf-8", "surrogatepass"), theirs.encode("utf-8", "surrogatepass")
            )
        if isinstance(mine, bytes) and isinstance(theirs, bytes):
            return compare_digest(mine, theirs)
        return bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change; make another")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change; make another")

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[T]]:
        return type(self), (self.reveal(),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Say to pydantic, which asks its users' types, what it is made of."""
        from typing import get_args

        from pydantic_core import core_schema

        inner = handler.generate_schema((get_args(source) or (str,))[0])
        plain = core_schema.no_info_before_validator_function(_revealed, inner)
        shown = core_schema.plain_serializer_function_ser_schema(str)
        return core_schema.no_info_after_validator_function(cls, plain, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: Any) -> Any:
        schema = {**handler(source), "writeOnly": True}
        return {"format": "password", **schema} if schema.get("type") == "string" else schema


def _revealed(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value
