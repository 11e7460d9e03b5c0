"""An application for servers of others: what it has noted is told by `/events`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock import App, BackgroundTasks, Depends, HTTPError, Response, StreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

events: list[str] = []
app = App()


def plain() -> Iterator[str]:
    events.append("open")
    try:
        yield "plain"
    except HTTPError:
        events.append("HTTPError")
        raise
    finally:
        events.append("close")


async def waiting(name: str = Depends(plain)) -> AsyncIterator[str]:
    events.append("open async")
    yield f"{name} and waiting"
    await asyncio.sleep(0)
    events.append("close async")


@app.get("/events")
def tell() -> list:
    told = list(events)
    events.clear()
    return told


@app.get("/thread")
def in_thread(tasks: BackgroundTasks, name: str = Depends(plain)) -> str:
    tasks.add(events.append, "task")
    return name


@app.get("/task")
async def on_loop(tasks: BackgroundTasks, name: str = Depends(waiting)) -> str:
    tasks.add(events.append, "task")
    return name


@app.get("/error", dependencies=[Depends(waiting)])
async def fails() -> None:
    raise HTTPError(409)


@app.get("/stream")
def stream(name: str = Depends(waiting)) -> StreamResponse:
    def pieces() -> Iterator[bytes]:
        yield name.encode()
        events.append("sent")

    return StreamResponse(pieces())


@app.get("/endless", dependencies=[Depends(plain)])
async def endless() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
                await asyncio.sleep(0.001)  # who never waits never hears, behind these servers
        finally:
            events.append("stream")

    return StreamResponse(pieces())
