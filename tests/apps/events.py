"""Event streams, compressed for who accepts it: for servers that are told `tests.apps.events:app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from penstock import App, Compression, Event, EventStream

app = App(compression=Compression(codings=["gzip"]))
left: list[str] = []


@app.get("/count")
async def count() -> AsyncIterator[Event]:
    for number in range(100):
        yield Event(number, id=str(number))


@app.get("/silent")
async def silent() -> EventStream:
    async def source() -> AsyncIterator[str]:
        yield "begun"
        try:
            await asyncio.Event().wait()
        finally:
            left.append("silent")

    return EventStream(source(), ping_interval_s=0.05)


@app.get("/left")
async def who_left() -> list[str]:
    return left
