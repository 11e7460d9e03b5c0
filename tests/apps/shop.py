"""A small App as a foreign server is to serve it: `uvicorn tests.apps.shop:app`, `hypercorn tests.apps.shop:app`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

from penstock import (
    App,
    BodyStream,
    Event,
    EventStream,
    FileResponse,
    HTTPError,
    JSONResponse,
    Request,
    Response,
    StaticFiles,
    StreamResponse,
    WebSocket,
)

app = App()
events: list[str] = []
app.on_startup(lambda: events.append("up"))
FILE = os.environ.get("SHOP_FILE", __file__)
app.mount("/static", StaticFiles(Path(FILE).parent))


@app.get("/")
async def home(request: Request) -> dict:
    return {
        "version": request.http_version,
        "host": request.host,
        "url": request.url,
        "client": request.client[0] if request.client else None,
        "fields": request.headers.items(),
        "cookies": request.cookies,
    }


@app.get("/thread")
def thread() -> list:
    return events


@app.post("/echo")
async def echo(request: Request) -> bytes:
    return request.body


@app.post("/digest", body_limit=64_000_000)
async def digest(content: BodyStream) -> list:
    return take(hashlib.sha256(), [piece async for piece in content])


@app.post("/digest-in-thread", body_limit=64_000_000)
def digest_in_thread(content: BodyStream) -> list:
    return take(hashlib.sha256(), content)


def take(sum, pieces):
    length = 0
    for piece in pieces:
        sum.update(piece)
        length += len(piece)
    return [length, sum.hexdigest()]


@app.get("/stream")
async def stream() -> StreamResponse:
    total = 0

    async def make():
        nonlocal total
        for number in range(100):
            piece = f"{number}\n"
            total += len(piece)
            yield piece

    return StreamResponse(make(), trailers=lambda: [("X-Total", str(total))])


@app.get("/stream-in-thread")
def stream_in_thread() -> StreamResponse:
    return StreamResponse(str(number).encode() for number in range(10))


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(FILE)


@app.get("/fields")
async def fields() -> Response:
    hops = {"Connection": "close, x-hop", "Keep-Alive": "timeout=1", "Upgrade": "h2c"}
    return Response(b"x", headers={**hops, "X-Own": "ü", "Set-Cookie": "a=1"})


@app.get("/news")
async def news() -> EventStream:
    async def make():
        for number in range(3):
            yield Event(str(number), id=str(number))

    return EventStream(make())


@app.get("/forever")
async def forever(request: Request) -> StreamResponse:
    async def make():
        events.append("stream begun")
        try:
            while True:
                yield time.asctime()
                await asyncio.sleep(0.01)
        finally:
            events.append("stream closed")

    return StreamResponse(make())


@app.get("/wait", cancel_on_disconnect=True)
async def wait() -> None:
    events.append("wait begun")
    try:
        await asyncio.sleep(60)
    finally:
        events.append("wait cancelled")


@app.websocket("/talk/{room}", subprotocols=["shop"], message_limit_bytes=100_000)
async def talk(ws: WebSocket, room: str) -> None:
    await ws.send_json([room, ws.request.url, ws.headers.get("cookie"), ws.subprotocols])
    async for message in ws:
        if message == "close":
            await ws.close(4000, "done")
        elif message == "fail":
            raise ValueError("on purpose")
        else:
            await ws.send(message)
    events.append("talk ended")


@app.websocket("/denied")
async def deny(ws: WebSocket) -> None:
    raise HTTPError(402, "pay first")


@app.websocket("/refused")
async def refuse(ws: WebSocket) -> None:
    await ws.close()


@app.get("/fail")
async def fail() -> None:
    raise ValueError("on purpose")


@app.get("/events")
async def show_events() -> JSONResponse:
    return JSONResponse(events)
