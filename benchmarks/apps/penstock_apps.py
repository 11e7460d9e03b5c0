"""The same three routes three times: as `async def`, as `def` in threads, as `def` on the loop."""
# ruff: noqa: D103

from dataclasses import dataclass
from typing import Any

from penstock import App

on_loop, in_threads, inline = App(), App(), App()


@dataclass
class NewUser:  # noqa: D101 - the model of `create`
    name: str
    age: int
    email: str


@on_loop.get("/")
async def home() -> str:
    return "Hello, World!"


@on_loop.get("/users/{user_id}")
async def user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@in_threads.get("/")
@inline.get("/", run="inline")
def plain_home() -> str:
    return "Hello, World!"


@in_threads.get("/users/{user_id}")
@inline.get("/users/{user_id}", run="inline")
def plain_user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@on_loop.post("/users", status=201)
async def create(user: NewUser) -> dict[str, Any]:
    return {"id": 1, "name": user.name, "age": user.age, "email": user.email}


@in_threads.post("/users", status=201)
@inline.post("/users", status=201, run="inline")
def plain_create(user: NewUser) -> dict[str, Any]:
    return {"id": 1, "name": user.name, "age": user.age, "email": user.email}
