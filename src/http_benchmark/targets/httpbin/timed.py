"""Replies that take their time: `/delay/{s}` and `/drip`.

Times are those of an event loop, right to about a millisecond. For a delay that a measurement is checked
against there is `http_benchmark.targets.trouble`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from http_benchmark.targets.httpbin.bounds import (
    BODY_OCTETS,
    CONTENT_OCTETS,
    DELAY_S,
    DRIP_S,
    check_seconds,
    int_of,
    seconds_of,
)
from http_benchmark.targets.httpbin.told import tell_content
from penstock import JSONResponse, Request, Response, Router, StreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = Router(tags=["timed"])

_STEPS_PER_S: Final = 200  # of a drip; finer than a loop keeps time is no use


@router.route("/delay/{delay}", ["GET", "POST", "PUT", "PATCH", "DELETE"], body_limit=BODY_OCTETS)
async def delay(request: Request, delay: str) -> JSONResponse:
    """What the request was, after so many seconds."""
    await asyncio.sleep(check_seconds(delay, DELAY_S, "the delay"))
    told = tell_content(request)
    del told["json"]
    return JSONResponse(told)


@router.get("/drip")
async def drip(request: Request) -> Response:
    """`numbytes` octets, evenly over `duration` seconds, beginning after `delay`."""
    octets = int_of(request, "numbytes", 10, CONTENT_OCTETS, least=1)
    duration_s = seconds_of(request, "duration", 2.0, DRIP_S)
    code = int_of(request, "code", 200, 599, least=200)
    await asyncio.sleep(seconds_of(request, "delay", 0.0, DELAY_S))
    fields = {"Content-Length": str(octets)}
    return StreamResponse(spread(b"*" * octets, duration_s), code, fields)


async def spread(content: bytes, duration_s: float) -> AsyncIterator[bytes]:
    """Content in pieces, the first at once, the last at the end of the time."""
    steps = min(len(content), max(1, int(duration_s * _STEPS_PER_S)))
    started = time.monotonic()
    for step in range(steps):
        share = step / (steps - 1) if steps > 1 else 1.0
        left_s = started + duration_s * share - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)
        yield content[len(content) * step // steps : len(content) * (step + 1) // steps]
