"""An application that says, from every place its code may run in, which request it works for."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from penstock import (
    App,
    BackgroundTasks,
    BodyStream,
    Depends,
    EventStream,
    Request,
    StreamResponse,
    WebSocket,
    current_request,
    trace_headers,
)
from penstock.http.current import current

app = App()
random.seed(7)  # as an application may, in each of its workers
noted: dict[str, Any] = {}
"""What code said that has no reply to say it in; by request id and place."""


def say() -> dict[str, Any]:
    request = current_request()
    return {**trace_headers(), "path": request and request.path, "route": request and request.route}


def note(place: str) -> None:
    noted[f"{trace_headers().get('X-Request-ID')} {place}"] = say()


@app.get("/noted")
def read_noted() -> dict[str, Any]:
    return noted


@app.get("/ids")
def ids(request: Request) -> list[Any]:
    return [os.getpid(), request.trace_id, request.span_id]


@app.get("/inline/{n}", run="inline")
def inline(n: int) -> dict[str, Any]:
    return say()


@app.get("/thread/{n}")
def thread(n: int) -> dict[str, Any]:
    return say()


@app.get("/task/{n}")
async def task(n: int) -> dict[str, Any]:
    return say()


@app.get("/late/{n}")
async def late(n: int) -> dict[str, Any]:
    await asyncio.sleep(0.001)
    return await asyncio.create_task(in_task())


async def in_task() -> dict[str, Any]:
    return say()


@app.get("/to-thread/{n}")
async def to_thread(n: int) -> dict[str, Any]:
    return await asyncio.to_thread(say)


@app.get("/own-pool/{n}")
def own_pool(n: int) -> dict[str, Any]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, say).result()


@app.get("/process/{n}", run="process")
def process(n: int) -> dict[str, Any]:
    traced = current.get()
    logging.getLogger("shop").error("in a process")
    return {
        **say(),
        "is": type(traced).__name__,
        "route": traced.route,
        "path": traced.raw_path.decode(),
        "span_id": traced.span_id,
    }


@app.post("/body/{n}")
async def body(n: int, request: Request) -> dict[str, Any]:
    return {**say(), "octets": len(request.body)}


@app.post("/body-stream/{n}")
async def body_stream(n: int, stream: BodyStream) -> dict[str, Any]:
    octets = sum([len(piece) async for piece in stream])
    return {**say(), "octets": octets}


@app.get("/stream/{n}")
def stream(n: int) -> StreamResponse:
    return StreamResponse(pieces())


def pieces() -> Iterator[str]:

    yield "["
    yield json.dumps(say())
    yield "]"


@app.get("/async-stream/{n}")
async def async_stream(n: int) -> StreamResponse:
    async def iterate() -> AsyncIterator[str]:
        for piece in pieces():
            await asyncio.sleep(0)
            yield piece

    return StreamResponse(iterate())


@app.get("/events/{n}")
async def events(n: int) -> EventStream:
    async def iterate() -> AsyncIterator[dict[str, Any]]:
        await asyncio.sleep(0)
        yield say()

    return EventStream(iterate())


def generated() -> Iterator[dict[str, Any]]:
    yield say()
    note("generator")


async def generated_async() -> AsyncIterator[dict[str, Any]]:
    yield say()
    note("async generator")


@app.get("/generator/{n}")
def generator(n: int, told: dict = Depends(generated)) -> dict[str, Any]:
    return told


@app.get("/async-generator/{n}")
async def async_generator(n: int, told: dict = Depends(generated_async)) -> dict[str, Any]:
    return told


async def in_background() -> None:
    await asyncio.sleep(0)
    note("async background")


@app.get("/background/{n}")
async def background(n: int, tasks: BackgroundTasks) -> dict[str, Any]:
    tasks.add(in_background)
    tasks.add(note, "background")
    return say()


@app.get("/thread-background/{n}")
def thread_background(n: int, tasks: BackgroundTasks) -> dict[str, Any]:
    tasks.add(in_background)
    tasks.add(note, "background")
    return say()


@app.get("/spawn/{n}")
async def spawn(n: int) -> dict[str, Any]:
    app.spawn(in_background)
    app.spawn(note, "background")
    return say()


@app.get("/thread-spawn/{n}")
def thread_spawn(n: int) -> dict[str, Any]:
    app.spawn(in_background)
    app.spawn(note, "background")
    return say()


@app.events.on("happened")
async def heard_on_loop() -> None:
    note("async listener")


@app.events.on("happened")
def heard_in_thread() -> None:
    note("listener")


@app.get("/emit/{n}")
async def emit(n: int) -> dict[str, Any]:
    await app.events.aemit("happened")
    return say()


@app.get("/thread-emit/{n}")
def thread_emit(n: int) -> dict[str, Any]:
    app.events.emit("happened")
    return say()


@app.websocket("/socket/{n}")
async def socket(websocket: WebSocket, n: int) -> None:
    await websocket.accept()
    async for _ in websocket:
        await websocket.send_json(say())


runs: list[dict[str, Any]] = []
ran = threading.Event()


@app.every(0.005, at_once=True)
def run() -> None:
    if len(runs) < 5:
        runs.append(say())
    else:
        ran.set()


@app.get("/runs")
def read_runs() -> list[dict[str, Any]]:
    ran.wait(20)
    return runs
