"""The two routes in FastAPI."""
# ruff: noqa: D103

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def home() -> str:
    return "Hello, World!"


@app.get("/users/{user_id}")
async def user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}
