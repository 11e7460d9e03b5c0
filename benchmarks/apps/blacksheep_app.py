"""The two routes in BlackSheep."""
# ruff: noqa: D103

from typing import Any

from blacksheep import Application, get, json

app = Application()


@get("/")
async def home() -> str:
    return "Hello, World!"


@get("/users/{user_id}")
async def user(user_id: int, verbose: bool = False) -> Any:  # noqa: FBT001, FBT002 - a query field
    return json({"id": user_id, "name": f"user-{user_id}", "verbose": verbose})
