"""`/get`, `/post`, `/put`, `/patch`, `/delete`, `/anything`, and what is asked for alone: `/headers`, `/ip`,
`/user-agent`, `/uuid`.
"""

from __future__ import annotations

import uuid
from typing import Any

from http_benchmark.targets.httpbin.bounds import BODY_OCTETS
from http_benchmark.targets.httpbin.told import headers_of, origin_of, tell_content, tell_request
from penstock import JSONResponse, Request, Router

router = Router(tags=["methods"])


@router.get("/get", run="inline")
def get(request: Request) -> JSONResponse:
    """What the request was."""
    return JSONResponse(tell_request(request))


def _tell(request: Request) -> JSONResponse:
    return JSONResponse(tell_content(request))


for _method in ("POST", "PUT", "PATCH", "DELETE"):
    router.route(
        f"/{_method.lower()}",
        [_method],
        name=_method.lower(),
        run="inline",
        body_limit=BODY_OCTETS,
        summary="What the request and its content were.",
    )(_tell)


@router.route("/anything", ["GET", "POST", "PUT", "PATCH", "DELETE"], run="inline", body_limit=BODY_OCTETS)
def anything(request: Request) -> JSONResponse:
    """What the request was, by any method."""
    return JSONResponse({**tell_content(request), "method": request.method})


@router.route(
    "/anything/{rest:path}", ["GET", "POST", "PUT", "PATCH", "DELETE"], run="inline", body_limit=BODY_OCTETS
)
def anything_below(request: Request, rest: str) -> JSONResponse:  # noqa: ARG001 - it is in the URL told
    """What the request was, by any method and at any path."""
    return anything(request)


@router.get("/headers", run="inline")
def headers(request: Request) -> dict[str, Any]:
    """The fields that came."""
    return {"headers": headers_of(request)}


@router.get("/ip", run="inline")
def ip(request: Request) -> dict[str, str]:
    """The client's address."""
    return {"origin": origin_of(request)}


@router.get("/user-agent", run="inline")
def user_agent(request: Request) -> dict[str, str | None]:
    """What the client calls itself."""
    return {"user-agent": request.headers.get("user-agent")}


@router.get("/uuid", run="inline")
def make_uuid() -> dict[str, str]:
    """A random UUID, version 4."""
    return {"uuid": str(uuid.uuid4())}
