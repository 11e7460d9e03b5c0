"""What the clients of the matrix talk to: `penstock run tests.e2e.app:app`."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from penstock import App, BodyStream, RedirectResponse, Request, Response, StreamResponse, TextResponse

LARGE = bytes(range(256)) * 4096  # 1 MiB, the server's limit on content

app = App()


@dataclass
class Thing:
    name: str
    count: int = 1


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.get("/thread")
def thread() -> str:
    return "Hello, World!"


@app.get("/inline", run="inline")
def inline() -> str:
    return "Hello, World!"


@app.get("/peer")
async def peer(request: Request) -> dict[str, object]:
    """The client's port names the connection: two replies with the same one came over the same."""
    return {
        "port": request.client[1],
        "version": request.http_version,
        "fields": list(request.headers.items()),
    }


@app.post("/things", status=201)
async def create(thing: Thing) -> Thing:
    return thing


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(request.body, headers={"X-Framing": request.headers.get("transfer-encoding", "length")})


@app.post("/echo-thread")
def echo_thread(request: Request) -> Response:
    return Response(request.body)


@app.put("/count", body_limit=2**30)
async def count(content: BodyStream, request: Request) -> dict[str, object]:
    size = 0
    async for piece in content:
        size += len(piece)
    return {"size": size, "framing": request.headers.get("transfer-encoding", "length")}


@app.get("/large")
async def large() -> bytes:
    return LARGE


@app.get("/stream")
async def stream() -> AsyncIterator[bytes]:
    for start in range(0, len(LARGE), 65_536):
        yield LARGE[start : start + 65_536]


@app.get("/rows")
def rows() -> StreamResponse:
    return StreamResponse((f"row {number}\n" for number in range(1000)), media_type="text/plain")


@app.get("/moved")
async def moved() -> Response:
    return RedirectResponse("/", status=302)


@app.post("/moved")
async def moved_with_content() -> Response:
    return RedirectResponse("/echo")


@app.get("/nothing")
async def nothing() -> None: ...


@app.get("/slow/{seconds:float}")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


@app.get("/slow-thread/{seconds:float}")
def slow_thread(seconds: float) -> TextResponse:
    time.sleep(seconds)
    return TextResponse("done")


@app.get("/fails")
async def fails() -> str:
    raise RuntimeError("on purpose")


@app.get("/splits")
async def splits() -> Response:
    return Response(b"content", headers={"X-Split": "a\r\nSet-Cookie: b"})


@app.get("/splits-thread")
def splits_thread() -> Response:
    return Response(b"content", headers={"X-Split": "a\r\nSet-Cookie: b"})


@app.get("/splits-stream")
async def splits_stream() -> Response:
    return StreamResponse(iter([b"content"]), headers={"X-Split": "a\r\nSet-Cookie: b"})


@app.get("/fails-midway")
async def fails_midway() -> AsyncIterator[str]:
    yield "begun"
    raise RuntimeError("on purpose")
