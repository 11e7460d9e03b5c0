"""The three routes in Litestar."""
# ruff: noqa: D103

from typing import Annotated, Any

import msgspec
from litestar import Litestar, MediaType, get, post


class NewUser(msgspec.Struct):  # noqa: D101 - the model of `create`
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    age: Annotated[int, msgspec.Meta(ge=0, le=150)]
    email: str


@get("/", media_type=MediaType.TEXT)
async def home() -> str:
    return "Hello, World!"


@get("/users/{user_id:int}")
async def user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@post("/users")
async def create(data: NewUser) -> dict[str, Any]:
    return {"id": 1, "name": data.name, "age": data.age, "email": data.email}


app = Litestar([home, user, create])
