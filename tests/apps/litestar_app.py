"""A small Litestar application: models, dependencies, forms, events, files, WebSocket."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from litestar import Litestar, Request, get, post, websocket
from litestar.connection import WebSocket
from litestar.datastructures import State, UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import File, ServerSentEvent, Stream
from litestar.static_files import create_static_files_router

FOLDER = Path(os.environ["SHOP_FOLDER"])


@dataclass
class Item:
    name: str
    price: float


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
    app.state.started = True
    yield


async def provide_user(request: Request) -> str:
    return request.cookies.get("user", "nobody")


@get("/")
async def home(state: State, user: str) -> dict:
    return {"started": state.started, "user": user}


@post("/items")
async def create(data: Item) -> Item:
    return data


@post("/upload")
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> str:
    return f"{data.filename} {len(await data.read())}"


@get("/stream")
async def stream() -> Stream:
    async def make() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number}\n"

    return Stream(make())


@get("/sse")
async def sse() -> ServerSentEvent:
    async def make() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    return ServerSentEvent(make())


@get("/download", sync_to_thread=True)
def download() -> File:
    return File(FOLDER / "big.bin", filename="big.bin")


@websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept(subprotocols="chat")
    await socket.send_json(await socket.receive_json())
    await socket.close(4000, "done")


app = Litestar(
    [
        home,
        create,
        upload,
        stream,
        sse,
        download,
        chat,
        create_static_files_router("/files", directories=[FOLDER]),
    ],
    dependencies={"user": Provide(provide_user)},
    lifespan=[lifespan],
)
