"""A small FastAPI application: dependencies, validation, streams, background work, WebSocket."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

FOLDER = Path(os.environ["SHOP_FOLDER"])
events: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict]:
    events.append("up")
    yield {"started": True}


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


async def connection() -> AsyncIterator[str]:
    events.append("opened")
    yield "connected"
    events.append("closed")


def user(authorization: Annotated[str | None, Header()] = None) -> str:
    if authorization is None:
        raise HTTPException(401, "who are you", {"WWW-Authenticate": "Bearer"})
    return authorization.removeprefix("Bearer ")


@app.get("/")
async def home(request: Request, found: Annotated[str, Depends(connection)]) -> dict:
    return {"found": found, "started": request.state.started}


@app.post("/items", status_code=201)
async def create(item: Item, name: Annotated[str, Depends(user)], tasks: BackgroundTasks) -> Item:
    tasks.add_task(events.append, f"{name} made {item.name}")
    return item


@app.get("/thread/{number}")
def thread(number: int, q: Annotated[list[str], Depends(lambda q="a": [q])]) -> dict:
    return {"number": number, "q": q}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def make() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number}\n"

    return StreamingResponse(make(), media_type="text/plain")


@app.get("/download")
async def download() -> FileResponse:
    return FileResponse(FOLDER / "big.bin")


@app.get("/fail")
async def fail() -> None:
    raise ValueError("on purpose")


@app.get("/events")
async def show_events() -> list[str]:
    return events


@app.websocket("/chat/{room}")
async def chat(websocket: WebSocket, room: int, found: Annotated[str, Depends(connection)]) -> None:
    await websocket.accept()
    async for message in websocket.iter_json():
        await websocket.send_json({"room": room, "found": found, **message})
