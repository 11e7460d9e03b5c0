"""An application with every kind of parameter, body and response: what it answers has to be what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from penstock import App, Body, Cookie, Field, Form, Header, Partial, Path, Query, Response, UploadFile

app = App(openapi_url="/openapi.json")


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclass
class Line:
    article: Annotated[str, Field(pattern=r"^[A-Z]{2}-[0-9]+$")]
    price: Annotated[float, Field(gt=0)]
    amount: Annotated[int, Field(ge=1, le=100)] = 1
    color: Color = Color.RED


@dataclass
class Order:
    __unknown_fields__ = "forbid"
    lines: Annotated[list[Line], Field(min_length=1)]
    where: Point | None = None
    via: Literal["post", "courier"] = "post"
    tags: set[str] = field(default_factory=set)
    meta: dict[str, int] = field(default_factory=dict)
    id: UUID | None = None
    total: Decimal | None = None


@dataclass
class Card:
    number: str
    kind: Literal["card"] = "card"


@dataclass
class Cash:
    kind: Literal["cash"] = "cash"


@dataclass
class Tree:
    value: int
    left: Tree | None = None


@app.post("/orders", status=201)
async def create(order: Order, x_client: Annotated[str, Header(max_length=40)]) -> dict[str, int]:
    return {"n": len(order.lines)}


@app.get("/q")
async def q(
    page: Annotated[int, Query(ge=1, le=10)] = 1,
    ratio: float = 1.0,
    flag: bool = False,
    color: Color = Color.RED,
    via: Literal["a", "b", 3] = "a",
    ids: list[int] = [],  # noqa: B006 - one of each request's own
    names: Annotated[list[str], Query(min_length=1, max_length=2)] = ["a"],  # noqa: B006
    opt: int | None = None,
    price: Decimal = Decimal(1),
    either: int | UUID = 1,
) -> dict:
    return {"page": page}


@app.get("/d")
async def d(
    day: date | None = None,
    at: datetime | None = None,
    t: time | None = None,
    td: timedelta | None = None,
    u: UUID | None = None,
) -> str:
    return "ok"


@app.get("/p/{n:int}/{u:uuid}/{f:float}")
async def p(n: Annotated[int, Path(ge=0)], u: UUID, f: float) -> None: ...
@app.get("/s/{word}/{rest:path}")
async def s(word: Annotated[str, Path(max_length=5)], rest: str) -> str:
    return "x"


@app.get("/h")
async def h(
    x_n: Annotated[int, Header()],
    session: Annotated[str | None, Cookie()] = None,
    n: Annotated[int, Cookie()] = 1,
    flag: Annotated[bool, Header()] = False,
) -> None: ...
@app.post("/pay")
async def pay(by: Card | Cash) -> str:
    return type(by).__name__


@app.post("/tree")
async def tree(tree: Tree) -> Tree:
    return tree


@app.patch("/lines")
async def lines(p: Partial[Line]) -> list[str]:
    return list(p)


@app.put("/any")
async def any_(
    a: Annotated[int, Body(embed=True)], b: Annotated[list[int | str | None] | None, Body(embed=True)] = None
) -> int:
    return a


@app.post("/form")
async def form(
    name: Annotated[str, Form(min_length=1)],
    age: Annotated[int, Form(ge=0)] = 0,
    ok: Annotated[bool, Form()] = False,
) -> dict:
    return {"name": name}


@app.post("/files")
async def files(file: UploadFile, note: Annotated[str, Form()] = "") -> dict:
    return {"n": file.size}


@app.post("/opt")
async def opt(x: Annotated[Line | None, Body()] = None) -> bool:
    return x is None


@app.get("/stream")
def stream() -> Iterator[str]:
    yield "a"


@app.get(
    "/answer", responses={202: {"headers": {"Location": {"schema": {"type": "string"}, "required": True}}}}
)
async def answer() -> Response:
    return Response(status=202, headers={"Location": "/d"})
