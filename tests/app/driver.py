"""Drives an application in process, as a server would, without one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from penstock.http.request import Request

if TYPE_CHECKING:
    from penstock.app.application import App
    from penstock.http.response import Response

JSON = ("content-type", "application/json")


def send(
    app: App, method: str, target: str, body: Any = b"", headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """Return the response to one request; a body that is not bytes is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers = (JSON, *headers)
    return answer(app, Request.build(method, target, (("host", "test"), *headers), body))


def get(app: App, target: str, **options: Any) -> Response:
    return send(app, "GET", target, **options)


def answer(app: App, request: Request) -> Response:
    reply = app.resolve(request).call(request)

    async def finish() -> Response:
        return await reply

    return asyncio.run(finish()) if hasattr(reply, "__await__") else reply


def content(response: Response) -> Any:
    return json.loads(response.body)


def faults(response: Response) -> list[tuple[str, ...]]:
    """Return where the faults of a 422 are, with their types."""
    assert response.status == 422, response.body
    return [(*map(str, fault["loc"]), fault["type"]) for fault in content(response)["errors"]]
