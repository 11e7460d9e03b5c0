"""The same page made anew in 1 ms, kept as octets, kept as a response; and plain text beside it."""
# ruff: noqa: D103

import asyncio
import time
from typing import Any

from penstock import App, MemoryStore, RateLimit, Response, ResponseCache

app = App()
PAGE: dict[str, Any] = {"id": 7, "name": "user-7", "verbose": False}
HELLO = b"Hello, World!"
_MADE_S = 0.001


def _work() -> None:
    end = time.perf_counter() + _MADE_S
    while time.perf_counter() < end:
        pass


def _page(user_id: int, verbose: bool) -> dict[str, Any]:  # noqa: FBT001 - as the handlers have it
    _work()
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@app.get("/hello", run="inline")
def hello() -> str:
    return "Hello, World!"


@app.get("/made/{user_id}")
async def made(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query field
    return _page(user_id, verbose)


@app.get("/waited/{user_id}")
async def waited(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
    await asyncio.sleep(_MADE_S)
    return {"id": user_id, "name": f"user-{user_id}", "verbose": verbose}


@app.get("/cached/{user_id}", cached=3600)
async def cached(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
    return _page(user_id, verbose)


@app.get("/cached-hello", cached=3600)
def cached_hello() -> str:
    return "Hello, World!"


@app.get("/stored/{user_id}", hooks=[ResponseCache(MemoryStore(), ttl_s=3600)])
async def stored(user_id: int, verbose: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
    return _page(user_id, verbose)


KEPT = Response(HELLO, 200, {"Cache-Control": "max-age=60"}, "text/plain; charset=utf-8")
KEPT_OCTETS = KEPT.keep()


@app.get("/response", run="inline")
def response() -> Response:
    return KEPT


@app.get("/kept-response", run="inline")
def kept_response() -> Response:
    return KEPT_OCTETS


@app.get("/limited", run="inline", hooks=[RateLimit("100000000/second", name="bench")])
def limited() -> str:
    return "Hello, World!"
