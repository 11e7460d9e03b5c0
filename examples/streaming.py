"""Content piece by piece, in both directions: `penstock run examples.streaming:app`.

What is streamed is never held whole: a response waits for a slow client, an upload for a slow handler.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator

from penstock import App, BodyStream, StreamResponse

app = App()


@app.get("/countdown/{start:int}")
async def countdown(start: int) -> AsyncIterator[str]:
    """An async generator runs on the loop; each piece is sent as soon as it is yielded."""
    for number in range(start, 0, -1):
        yield f"{number}\n"
        await asyncio.sleep(0.1)
    yield "lift-off\n"


@app.get("/rows/{count:int}")
def rows(count: int) -> StreamResponse:
    """A plain iterator is driven by pool threads, so it may block."""

    def lines() -> Iterator[str]:
        yield "number,square\r\n"
        for number in range(count):
            time.sleep(0.001)  # a query, say
            yield f"{number},{number * number}\r\n"

    return StreamResponse(lines(), media_type="text/csv")


@app.post("/sha256", body_limit=2**40)
async def sha256(content: BodyStream) -> dict[str, object]:
    """A handler with a BodyStream begins once the head is there, and may take more than fits in memory."""
    digest, size = hashlib.sha256(), 0
    async for piece in content:
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/lines", body_limit=2**40)
def count_lines(content: BodyStream) -> dict[str, int]:
    """In a `def` handler the same stream is a plain iterator."""
    return {"lines": sum(piece.count(b"\n") for piece in content)}
