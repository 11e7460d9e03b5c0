"""The same small service as a Penstock application, an ASGI and a WSGI one: each makes a span of its own in what it does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from opentelemetry import trace

from penstock import App, BackgroundTasks, HTTPError, Request, StreamResponse, WebSocket, trace_headers

app = App()
tracer = trace.get_tracer("shop")


def work(name: str = "work") -> dict[str, str]:
    with tracer.start_as_current_span(name):
        return trace_headers()


@app.get("/inline/{n}", run="inline")
def inline(n: int) -> dict[str, str]:
    return work()


@app.get("/thread/{n}")
def thread(n: int) -> dict[str, str]:
    return work()


@app.get("/task/{n}")
async def task(n: int) -> dict[str, str]:
    return work()


@app.get("/late/{n}")
async def late(n: int) -> dict[str, str]:
    await asyncio.sleep(0.001)
    return await asyncio.create_task(in_task())


async def in_task() -> dict[str, str]:
    return work()


@app.get("/to-thread/{n}")
async def to_thread(n: int) -> dict[str, str]:
    return await asyncio.to_thread(work)


@app.get("/plain")
def plain(request: Request) -> dict[str, Any]:
    return {**trace_headers(), "trace_id": request.trace_id, "span_id": request.span_id}


@app.get("/process", run="process")
def process() -> dict[str, str]:
    return trace_headers()


@app.post("/body")
async def body(request: Request) -> dict[str, str]:
    return work()


@app.get("/stream/{n}")
async def stream(n: int) -> StreamResponse:
    told = json.dumps(trace_headers())

    async def pieces():
        yield told
        await asyncio.sleep(0.05)
        work("last")

    return StreamResponse(pieces())


@app.get("/overdue", timeout_s=0.05)
async def overdue() -> None:
    await asyncio.sleep(30)


@app.get("/breaks")
async def breaks() -> StreamResponse:
    async def pieces():
        yield "a piece"
        raise RuntimeError("no access with password=hunter2hunter2")

    return StreamResponse(pieces())


@app.get("/background/{n}")
def background(n: int, tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add(work, "behind")
    return work()


@app.get("/fails")
def fails() -> None:
    raise RuntimeError("no access with password=hunter2hunter2")


@app.get("/refuses")
def refuses() -> None:
    raise HTTPError(503, "later")


@app.get("/missing")
async def missing() -> None:
    raise HTTPError(404)


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(work())


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/fails":
        raise RuntimeError("no access with password=hunter2hunter2")
    content = json.dumps(work()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise RuntimeError("no access with password=hunter2hunter2")
    start_response("200 OK", [])
    return [json.dumps(work()).encode()]
