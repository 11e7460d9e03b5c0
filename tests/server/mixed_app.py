"""An application with one path for each place a handler runs in, for servers in a process of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from penstock import App, BodyStream, Request, Response


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    yield
    print("the application stops", file=sys.stderr, flush=True)


app = App(lifespan=lifespan)


@app.get("/", run="inline")
def home() -> str:
    return "ok"


@app.post("/thread")
def thread(request: Request) -> Response:
    return Response(request.body)


@app.post("/task")
async def task(request: Request) -> Response:
    return Response(request.body)


@app.post("/read")
async def read(stream: BodyStream) -> Response:
    return Response(await stream.read())


@app.get("/stream")
def stream() -> Iterator[bytes]:
    yield b"a"
    yield b"b"


@app.get("/slow")
async def slow(seconds: float = 1.0) -> str:
    print("slow begins", file=sys.stderr, flush=True)
    await asyncio.sleep(seconds)
    return "slow"


@app.get("/slow_thread")
def slow_thread(seconds: float = 1.0) -> str:
    print("slow begins", file=sys.stderr, flush=True)
    time.sleep(seconds)
    return "slow"


@app.get("/stubborn")
async def stubborn() -> str:
    print("slow begins", file=sys.stderr, flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass


@app.get("/figures", run="inline")
def figures() -> dict[str, Any]:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "resident_bytes": resident,
        "cpu_s": time.process_time(),
        "open": len(list(Path("/proc/self/fd").iterdir())),
    }


@app.get("/square/{number}", run="process")
def square(number: int) -> int:
    return number * number


@app.get("/fail_in_process", run="process")
def fail_in_process() -> int:
    raise ValueError("on purpose")


@app.get("/die_in_process", run="process")
def die_in_process() -> int:
    os._exit(3)


@app.get("/pid", run="process")
def pid() -> int:
    return os.getpid()


@app.get("/sleep_in_process", run="process")
def sleep_in_process() -> int:
    time.sleep(0.3)
    return os.getpid()


@app.get("/hang_in_process", run="process")
def hang_in_process() -> int:
    print("hang begins", file=sys.stderr, flush=True)
    time.sleep(3_600)
    return 0
