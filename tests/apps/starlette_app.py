"""A small Starlette application: sessions, mounts, files, streams, background work, WebSocket."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

FOLDER = Path(os.environ["SHOP_FOLDER"])
events: list[str] = []


@asynccontextmanager
async def lifespan(app):
    events.append("up")
    yield {"rates": {"EUR": 1}}


async def home(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JSONResponse({"visits": request.session["visits"], "rates": request.state.rates})


async def later(request):
    return PlainTextResponse("now", background=BackgroundTask(work))


async def work():
    await asyncio.sleep(0.01)
    events.append("worked")


async def upload(request):
    length = 0
    async for piece in request.stream():
        length += len(piece)
    return PlainTextResponse(str(length))


async def ticks(request):
    async def make():
        try:
            number = 0
            while True:
                yield f"data: {number}\n\n"
                number += 1
                await asyncio.sleep(0.005)
        finally:
            events.append("ticks ended")

    return StreamingResponse(make(), media_type="text/event-stream")


async def item(request):
    number = request.path_params["number"]
    if number == 0:
        raise HTTPException(404, "no such item")
    return JSONResponse([str(request.url), str(request.url_for("shop:item", number=number + 1))])


async def old(request):
    return RedirectResponse(request.url_for("shop:item", number=1))


async def hint(request):
    await request.send_early_hints("</style.css>; rel=preload")
    return PlainTextResponse("hinted")


async def download(request):
    return FileResponse(FOLDER / "big.bin", filename="big.bin")


async def show_events(request):
    gc.collect()  # Starlette leaves the generator of a stream that broke to the collector
    return JSONResponse(events)


async def chat(websocket):
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(f"{websocket.session['visits']} {message}")


def blocking(request):
    return PlainTextResponse("from a thread")


app = Starlette(
    lifespan=lifespan,
    middleware=[
        Middleware(SessionMiddleware, secret_key="test"),
        Middleware(CORSMiddleware, allow_origins=["https://page.example"]),
        Middleware(GZipMiddleware, minimum_size=100),
    ],
    routes=[
        Route("/", home),
        Route("/later", later),
        Route("/upload", upload, methods=["POST"]),
        Route("/ticks", ticks),
        Route("/old", old),
        Route("/hint", hint),
        Route("/download", download),
        Route("/blocking", blocking),
        Route("/events", show_events),
        Mount("/shop", routes=[Route("/items/{number:int}", item, name="item")], name="shop"),
        Mount("/files", StaticFiles(directory=FOLDER)),
        WebSocketRoute("/chat", chat),
    ],
)
