"""The three routes in FastAPI."""
# ruff: noqa: D103

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

app = FastAPI()


class NewUser(BaseModel):  # noqa: D101 - the model of `create`
    name: str = Field(min_length=1, max_length=100)
    age: int = Field(ge=0, le=150)
    email: str


@app.get("/", response_class=PlainTextResponse)
async def home() -> str:
    return "Hello, World!"


@app.get("/users/{user_id}")
async def user(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@app.post("/users", status_code=201)
async def create(user: NewUser) -> dict[str, Any]:
    return {"id": 1, "name": user.name, "age": user.age, "email": user.email}
