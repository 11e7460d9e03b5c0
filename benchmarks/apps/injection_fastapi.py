"""The same in FastAPI: a handler and the five dependencies it needs, two of them with `yield`."""
# ruff: noqa: B008, D103, FAST002

from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import Depends, FastAPI

on_loop, in_threads = FastAPI(), FastAPI()


async def settings() -> dict[str, str]:
    return {"database": "shop"}


async def session(found: dict[str, str] = Depends(settings)) -> AsyncIterator[dict[str, Any]]:
    opened = {"database": found["database"], "open": True}
    yield opened
    opened["open"] = False


async def user(token: str, database: dict[str, Any] = Depends(session)) -> dict[str, Any]:
    return {"name": token, "in": database["database"]}


async def audit(who: dict[str, Any] = Depends(user)) -> AsyncIterator[list[str]]:
    trail = [who["name"]]
    yield trail
    trail.append("done")


async def paging(page: int = 1, limit: int = 20) -> tuple[int, int]:
    return (page - 1) * limit, limit


@on_loop.get("/items/{item_id}")
async def item(
    item_id: int,
    database: dict[str, Any] = Depends(session),
    who: dict[str, Any] = Depends(user),
    trail: list[str] = Depends(audit),
    span: tuple[int, int] = Depends(paging),
) -> dict[str, Any]:
    return {
        "id": item_id,
        "open": database["open"],
        "user": who["name"],
        "trail": len(trail),
        "from": span[0],
    }


def plain_settings() -> dict[str, str]:
    return {"database": "shop"}


def plain_session(found: dict[str, str] = Depends(plain_settings)) -> Iterator[dict[str, Any]]:
    opened = {"database": found["database"], "open": True}
    yield opened
    opened["open"] = False


def plain_user(token: str, database: dict[str, Any] = Depends(plain_session)) -> dict[str, Any]:
    return {"name": token, "in": database["database"]}


def plain_audit(who: dict[str, Any] = Depends(plain_user)) -> Iterator[list[str]]:
    trail = [who["name"]]
    yield trail
    trail.append("done")


def plain_paging(page: int = 1, limit: int = 20) -> tuple[int, int]:
    return (page - 1) * limit, limit


@in_threads.get("/items/{item_id}")
def plain_item(
    item_id: int,
    database: dict[str, Any] = Depends(plain_session),
    who: dict[str, Any] = Depends(plain_user),
    trail: list[str] = Depends(plain_audit),
    span: tuple[int, int] = Depends(plain_paging),
) -> dict[str, Any]:
    return {
        "id": item_id,
        "open": database["open"],
        "user": who["name"],
        "trail": len(trail),
        "from": span[0],
    }
