"""The three routes in BlackSheep."""
# ruff: noqa: D103

from dataclasses import dataclass
from typing import Any

from blacksheep import Application, get, json, post

app = Application()


@dataclass
class NewUser:  # noqa: D101 - the model of `create`
    name: str
    age: int
    email: str


@get("/")
async def home() -> str:
    return "Hello, World!"


@get("/users/{user_id}")
async def user(user_id: int, verbose: bool = False) -> Any:  # noqa: FBT001, FBT002 - a query field
    return json({"id": user_id, "name": f"user-{user_id}", "verbose": verbose})


@post("/users")
async def create(user: NewUser) -> Any:
    return json({"id": 1, "name": user.name, "age": user.age, "email": user.email}, status=201)
