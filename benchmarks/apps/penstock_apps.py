"""The same two routes three times: as `async def`, as `def` in threads, as `def` on the loop."""
# ruff: noqa: D103

from typing import Any

from penstock import App

on_loop, in_threads, inline = App(), App(), App()


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
