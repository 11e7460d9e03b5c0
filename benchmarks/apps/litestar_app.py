"""The two routes in Litestar."""
# ruff: noqa: D103

from typing import Any

from litestar import Litestar, MediaType, get


@get("/", media_type=MediaType.TEXT)
async def home() -> str:
    return "Hello, World!"


@get("/users/{user_id:int}")
async def user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


app = Litestar([home, user])
