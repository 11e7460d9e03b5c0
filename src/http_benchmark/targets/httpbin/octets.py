"""Content by its size: `/bytes/{n}`, `/stream-bytes/{n}`, `/stream/{n}` and `/range/{n}`."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Final

from http_benchmark.targets.httpbin.bounds import (
    CONTENT_OCTETS,
    DRIP_S,
    LINES,
    check_count,
    int_of,
    seconds_of,
)
from http_benchmark.targets.httpbin.timed import spread
from http_benchmark.targets.httpbin.told import tell_request
from penstock import Request, Response, Router, StreamResponse
from penstock.http.json import dumps
from penstock.http.partial import narrow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

router = Router(tags=["octets"])

_PIECE: Final = 10 * 1024  # httpbin's
_SEED: Final = 10**15
_ALPHABET: Final = bytes(range(ord("a"), ord("z") + 1))


@router.get("/bytes/{n:int}", run="inline")
def some_bytes(request: Request, n: int) -> Response:
    """`n` octets by chance; the same ones for the same `seed`."""
    return Response(_octets(request, n), media_type="application/octet-stream")


@router.get("/stream-bytes/{n:int}")
async def stream_bytes(request: Request, n: int) -> StreamResponse:
    """The same in chunks of `chunk_size` octets."""
    content = _octets(request, n)
    size = int_of(request, "chunk_size", _PIECE, CONTENT_OCTETS, least=1)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    return StreamResponse(pieces())


def _octets(request: Request, n: int) -> bytes:
    check_count(n, CONTENT_OCTETS, "the number of octets")
    if "seed" in request.query:
        return random.Random(int_of(request, "seed", 0, _SEED)).randbytes(n)  # noqa: S311 - no secret
    return os.urandom(n)


@router.get("/stream/{n:int}")
async def stream(request: Request, n: int) -> StreamResponse:
    """`n` lines of JSON, each what the request was and its own number."""
    told = tell_request(request)
    check_count(n, LINES, "the number of lines")

    async def lines() -> AsyncIterator[bytes]:
        for number in range(n):
            yield dumps({**told, "id": number}) + b"\n"

    return StreamResponse(lines(), media_type="application/json")


@router.get("/range/{n:int}")
async def a_range(request: Request, n: int) -> Response:
    """`n` octets, or those that `Range` asks for; in pieces of `chunk_size` over `duration` seconds."""
    check_count(n, CONTENT_OCTETS, "the number of octets", least=1)
    size = int_of(request, "chunk_size", CONTENT_OCTETS, CONTENT_OCTETS, least=1)
    duration_s = seconds_of(request, "duration", 0.0, DRIP_S)
    content = (_ALPHABET * (n // len(_ALPHABET) + 1))[:n]
    fields = {"ETag": f'"range{n}"', "Accept-Ranges": "bytes"}
    reply = narrow(request, Response(content, headers=fields))
    if not reply.body or (size >= len(reply.body) and not duration_s):
        return reply
    source = spread(reply.body, duration_s) if duration_s else _pieces(reply.body, size)
    lines = [*reply.headers.lines(), ("Content-Length", str(len(reply.body)))]
    return StreamResponse(source, reply.status, lines, reply.media_type or "application/octet-stream")


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]
