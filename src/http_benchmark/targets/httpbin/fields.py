"""Fields a client has to understand: `/cache`, `/cache/{n}`, `/etag/{etag}` and `/response-headers`."""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from http_benchmark.targets.httpbin.bounds import check_count
from http_benchmark.targets.httpbin.told import gather, tell_request
from penstock import BadRequest, JSONResponse, Request, Response, Router
from penstock.errors import LocalProtocolError
from penstock.http.dates import format_date
from penstock.http.json import dumps
from penstock.http.partial import narrow

router = Router(tags=["fields"])

_YEAR_S: Final = 365 * 86_400
_OF_FRAMING: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "date", "trailer", "upgrade"}
)


@router.get("/cache", run="inline")
def cache(request: Request) -> Response:
    """304 for whoever sends If-Modified-Since or If-None-Match, else what the request was."""
    if "if-modified-since" in request.headers or "if-none-match" in request.headers:
        return Response(b"", 304)
    fields = {"Last-Modified": format_date(time.time()), "ETag": f'"{uuid.uuid4().hex}"'}
    return JSONResponse(tell_request(request), headers=fields)


@router.get("/cache/{n:int}", run="inline")
def cache_for(request: Request, n: int) -> JSONResponse:
    """What the request was, to be kept for `n` seconds."""
    check_count(n, _YEAR_S, "the number of seconds")
    return JSONResponse(tell_request(request), headers={"Cache-Control": f"public, max-age={n}"})


@router.get("/etag/{etag}", run="inline")
def etag(request: Request, etag: str) -> Response:
    """What the request was, with that ETag; 304 and 412 by If-None-Match and If-Match."""
    if not (etag.isascii() and etag.isprintable() and '"' not in etag and " " not in etag):
        raise BadRequest("an ETag is of visible ASCII without quotes")
    return narrow(request, JSONResponse(tell_request(request), headers={"ETag": f'"{etag}"'}))


@router.route("/response-headers", ["GET", "POST"], run="inline")
def response_headers(request: Request) -> Response:
    """The fields the query names, in the head and as JSON."""
    given = request.query.items()
    for name, _ in given:
        if name.lower() in _OF_FRAMING:
            raise BadRequest(f"{name} says how the reply is framed, and cannot be chosen")
    told: dict[str, Any] = {"Content-Type": "application/json", **gather(given)}
    # The length is a member of the content it is the length of.
    length = len(dumps(told))
    while (new := len(dumps({**told, "Content-Length": str(length)}))) != length:
        length = new
    response = JSONResponse({**told, "Content-Length": str(length)})
    try:
        for name, value in given:
            response.headers.append(name, value)
        response.headers.rendered()
    except LocalProtocolError as error:
        raise BadRequest(f"no field: {error.detail}") from None
    return response
