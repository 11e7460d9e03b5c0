"""Penstock: an HTTP/1.1 server and web framework in pure Python, without dependencies.

>>> from penstock import App
>>> app = App()
>>> @app.get("/")
... def home() -> str:
...     return "Hello, World!"

This module is the list of public names and nothing else. Each is imported when it is first used, so that
`import penstock` costs next to nothing and a program pays only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.app.application import App
    from penstock.app.routing.router import Router
    from penstock.app.schema.markers import Body, Cookie, Field, Header, Path, Query
    from penstock.app.schema.partial import Partial
    from penstock.app.static.files import StaticFiles
    from penstock.app.testing.async_client import AsyncTestClient
    from penstock.app.testing.client import TestClient
    from penstock.app.websocket.socket import WebSocket
    from penstock.errors import ClientDisconnected, HTTPError, WebSocketDisconnect
    from penstock.http.compression import Compression
    from penstock.http.event_stream import EventStream
    from penstock.http.events import Event
    from penstock.http.file_response import FileResponse
    from penstock.http.handler import BodyStream
    from penstock.http.headers import Headers
    from penstock.http.request import Request
    from penstock.http.response import (
        HTMLResponse,
        JSONResponse,
        RedirectResponse,
        Response,
        StreamResponse,
        TextResponse,
    )

__version__ = "0.1.0"

_PLACES = {
    "App": "penstock.app.application",
    "AsyncTestClient": "penstock.app.testing.async_client",
    "Body": "penstock.app.schema.markers",
    "BodyStream": "penstock.http.handler",
    "ClientDisconnected": "penstock.errors",
    "Compression": "penstock.http.compression",
    "Cookie": "penstock.app.schema.markers",
    "Event": "penstock.http.events",
    "EventStream": "penstock.http.event_stream",
    "Field": "penstock.app.schema.markers",
    "FileResponse": "penstock.http.file_response",
    "HTMLResponse": "penstock.http.response",
    "HTTPError": "penstock.errors",
    "Header": "penstock.app.schema.markers",
    "Headers": "penstock.http.headers",
    "JSONResponse": "penstock.http.response",
    "Partial": "penstock.app.schema.partial",
    "Path": "penstock.app.schema.markers",
    "Query": "penstock.app.schema.markers",
    "RedirectResponse": "penstock.http.response",
    "Request": "penstock.http.request",
    "Response": "penstock.http.response",
    "Router": "penstock.app.routing.router",
    "StaticFiles": "penstock.app.static.files",
    "StreamResponse": "penstock.http.response",
    "TestClient": "penstock.app.testing.client",
    "TextResponse": "penstock.http.response",
    "WebSocket": "penstock.app.websocket.socket",
    "WebSocketDisconnect": "penstock.errors",
}

__all__ = [
    "App",
    "AsyncTestClient",
    "Body",
    "BodyStream",
    "ClientDisconnected",
    "Compression",
    "Cookie",
    "Event",
    "EventStream",
    "Field",
    "FileResponse",
    "HTMLResponse",
    "HTTPError",
    "Header",
    "Headers",
    "JSONResponse",
    "Partial",
    "Path",
    "Query",
    "RedirectResponse",
    "Request",
    "Response",
    "Router",
    "StaticFiles",
    "StreamResponse",
    "TestClient",
    "TextResponse",
    "WebSocket",
    "WebSocketDisconnect",
    "__version__",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
