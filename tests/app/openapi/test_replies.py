"""What models of every kind send is what the document says of them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, Required, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from penstock import App, Field, TestClient


class Color(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    color: Color = Color.RED


@dataclass
class Item:
    number: Annotated[int, Field(alias="No")] = 1
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    clock: time = time(1, 2, 3, tzinfo=UTC)
    takes: timedelta = timedelta(seconds=1.5)
    key: UUID = UUID(int=3)  # noqa: RUF009
    price: Decimal = Decimal("1.50")
    octets: bytes | None = None
    colors: set[Color] = field(default_factory=lambda: {Color.RED})
    point: Point = Point(1)  # noqa: RUF009 - it does not change
    names: dict[int, Color] = field(default_factory=lambda: {1: Color.RED})
    inner: "Item | None" = None
    pair: tuple[int, str] = (1, "a")


class Box(TypedDict, total=False):
    size: Required[int]
    items: list[Item]


class Struct(msgspec.Struct, rename="camel"):
    some_name: int = 1
    day: date = date(2020, 1, 1)
    octets: bytes = b"x"


class Model(pydantic.BaseModel):
    some_name: int = pydantic.Field(1, alias="someName")
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    price: Decimal = Decimal("1.5")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Item, Item()),
        (list[Item], [Item(inner=Item())]),
        (dict[str, Item], {"a": Item()}),
        (Box, {"size": 1, "items": [Item()]}),
        (Point, Point(2)),
        (Color, Color.RED),
        (datetime, datetime(2020, 1, 1, tzinfo=UTC)),
        (Decimal, Decimal("1.50")),
        (Struct, Struct()),
        (list[Struct], [Struct()]),
        (Model, Model()),
        (dict[str, Model], {"a": Model()}),
        (Item | Struct | None, Struct()),
        (Item | Struct | None, None),
    ],
    ids=str,
)
def test_a_reply_is_what_its_annotation_says(annotation: Any, value: Any):
    app = App()

    def handler() -> Any:
        return value

    handler.__annotations__["return"] = annotation
    app.get("/")(handler)

    assert TestClient(app, check_schema=True).get("/").status in (200, 204)
