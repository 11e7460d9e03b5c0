"""An application with a route for each kind of reply, to be asked over a socket and in process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock import (
    App,
    BodyStream,
    Compression,
    Event,
    EventStream,
    FileResponse,
    HTTPError,
    RedirectResponse,
    Request,
    Response,
    StaticFiles,
    StreamResponse,
)

app = App(compression=Compression(minimum_bytes=200))
app.mount("/static", StaticFiles(Path(__file__).parent))


@dataclass
class Item:
    name: str
    count: int = 1


@app.get("/")
async def home() -> dict[str, object]:
    return {"hello": "world"}


@app.get("/thread/{number:int}")
def in_thread(number: int, q: str = "") -> str:
    return f"{number} {q}"


@app.get("/inline", run="inline")
def inline(request: Request) -> dict[str, object]:
    return {"cookies": request.cookies, "agent": request.headers.get("user-agent"), "target": request.target}


@app.get("/process", run="process")
def in_process(n: int) -> dict[str, object]:
    return {"square": n * n}


@app.get("/pid", run="process")
def pid() -> int:
    return os.getpid()


@app.post("/items", status=201)
async def create(item: Item) -> Item:
    return item


@app.post("/echo")
def echo(request: Request) -> Response:
    return Response(request.body, media_type=request.headers.get("content-type"))


@app.post("/small", body_limit=4)
async def small(request: Request) -> Response:
    return Response(request.body)


@app.post("/streamed")
async def streamed(body: BodyStream) -> str:
    return str(sum([len(piece) async for piece in body]))


@app.delete("/items/{number:int}")
async def delete(number: int) -> None: ...


@app.get("/status/{number:int}")
async def status(number: int) -> Response:
    return Response(b"text", number, {"ETag": '"x"'})


@app.get("/stream")
async def stream() -> StreamResponse:
    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return StreamResponse(pieces())


@app.get("/lines")
def lines() -> StreamResponse:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamResponse(pieces(), headers={"Content-Length": "2"})


@app.get("/events")
async def events() -> EventStream:
    async def source() -> AsyncIterator[Event | str]:
        yield Event({"n": 1}, event="count", id="7")
        yield "two\nlines"

    return EventStream(source())


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(__file__)


@app.get("/long")
async def long() -> str:
    return "again and " * 100


@app.get("/cookies")
async def cookies() -> Response:
    response = Response(b"")
    response.headers.append("Set-Cookie", "a=1; Path=/")
    response.headers.append("Set-Cookie", "b=2; Path=/thread")
    response.headers.append("Set-Cookie", "old=; Max-Age=0; Path=/")
    return response


@app.get("/teapot")
async def teapot() -> None:
    raise HTTPError(418, "no coffee", headers={"X-Tea": "green"})


@app.get("/boom")
async def boom() -> None:
    raise ValueError("secret")


@app.get("/bad-field")
async def bad_field() -> Response:
    return Response(b"", headers={"X-Bad": "a\r\nb: c"})


@app.get("/own-framing")
async def own_framing() -> Response:
    return Response(b"abc", headers={"Transfer-Encoding": "chunked"})


@app.get("/wrong-length")
async def wrong_length() -> Response:
    return Response(b"abc", headers={"Content-Length": "7"})


@app.get("/last")
async def last() -> Response:
    return Response(b"bye", headers={"Connection": "close"})


@app.route("/redirect/{number:int}", methods=["GET", "POST", "PUT"])
async def redirect(number: int) -> RedirectResponse:
    return RedirectResponse("/target", number)


@app.route("/target", methods=["GET", "POST", "PUT"])
async def target(request: Request) -> dict[str, object]:
    kind = request.headers.get("content-type")
    return {"method": request.method, "content": request.body.decode(), "type": kind}
