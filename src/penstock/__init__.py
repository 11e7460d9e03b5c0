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
    from penstock.app.auth.api_key import APIKey
    from penstock.app.auth.basic import BasicAuth, BasicCredentials
    from penstock.app.auth.bearer import BearerAuth, OAuth2AuthorizationCode, OAuth2Password
    from penstock.app.auth.guard import requires
    from penstock.app.auth.jwt import JWT, Claims, RemoteJWT
    from penstock.app.auth.password_form import OAuth2PasswordForm
    from penstock.app.caching.cache import Cache
    from penstock.app.caching.response_cache import ResponseCache
    from penstock.app.channels.channels import Channels
    from penstock.app.env_settings import load_settings
    from penstock.app.forms.stream import FormPart, MultipartStream
    from penstock.app.health import health_routes
    from penstock.app.injection.background import BackgroundTasks
    from penstock.app.injection.depends import Depends
    from penstock.app.limiting.rate_limit import RateLimit
    from penstock.app.middleware.etags import ETags
    from penstock.app.middleware.limits import BodyLimit, Timeout
    from penstock.app.middleware.method_override import MethodOverride
    from penstock.app.middleware.opentelemetry import OpenTelemetry
    from penstock.app.middleware.produces import Produces
    from penstock.app.routing.controller import (
        Controller,
        delete,
        get,
        patch,
        post,
        put,
        route,
        websocket_route,
    )
    from penstock.app.routing.router import Router
    from penstock.app.routing.versions import Versions
    from penstock.app.schema.markers import Body, Cookie, Field, File, Form, Header, Path, Query
    from penstock.app.schema.partial import Partial
    from penstock.app.security.cors import CORS
    from penstock.app.security.cross_site import FetchMetadata
    from penstock.app.security.csrf import CSRF, csrf_token, rotate_csrf
    from penstock.app.security.headers import SecurityHeaders
    from penstock.app.security.hosts import TrustedHosts
    from penstock.app.security.https import HTTPSRedirect
    from penstock.app.security.passwords import (
        ScryptCost,
        ahash_password,
        averify_password,
        hash_password,
        needs_rehash,
        verify_password,
    )
    from penstock.app.security.request_id import RequestID
    from penstock.app.security.signing import Signer
    from penstock.app.sessions.cookie import CookieSessions
    from penstock.app.sessions.server import ServerSessions
    from penstock.app.static.files import StaticFiles
    from penstock.app.stores.memory import MemoryStore
    from penstock.app.stores.redis import RedisStore
    from penstock.app.stores.store import Store
    from penstock.app.templates import Templates
    from penstock.app.testing.async_client import AsyncTestClient
    from penstock.app.testing.client import TestClient
    from penstock.app.websocket.socket import WebSocket
    from penstock.errors import (
        BadRequest,
        ClientDisconnected,
        Conflict,
        ContentTooLarge,
        Forbidden,
        Gone,
        HTTPError,
        MethodNotAllowed,
        NotAcceptable,
        NotFound,
        PreconditionFailed,
        ServiceUnavailable,
        StoreError,
        TooManyRequests,
        Unauthorized,
        UnsupportedMediaType,
        ValidationError,
        WebSocketDisconnect,
    )
    from penstock.http.compression import Compression
    from penstock.http.current import current_request, trace_headers
    from penstock.http.event_stream import EventStream
    from penstock.http.events import Event
    from penstock.http.file_response import FileResponse
    from penstock.http.form import FormData, FormLimits
    from penstock.http.handler import BodyStream
    from penstock.http.headers import Headers
    from penstock.http.json_lines import JSONLines
    from penstock.http.redaction import redactor
    from penstock.http.request import Request
    from penstock.http.response import (
        HTMLResponse,
        JSONResponse,
        RedirectResponse,
        Response,
        StreamResponse,
        TextResponse,
    )
    from penstock.http.secret import Secret
    from penstock.http.session import Session
    from penstock.http.upload import UploadFile
    from penstock.observe.logs.format import JSONFormatter, TextFormatter, TraceFilter
    from penstock.observe.metrics.endpoint import metrics_endpoint
    from penstock.observe.metrics.registry import Counter, Gauge, Histogram

__version__ = "0.1.0"

_PLACES = {
    "APIKey": "penstock.app.auth.api_key",
    "App": "penstock.app.application",
    "AsyncTestClient": "penstock.app.testing.async_client",
    "BasicAuth": "penstock.app.auth.basic",
    "BasicCredentials": "penstock.app.auth.basic",
    "BearerAuth": "penstock.app.auth.bearer",
    "BadRequest": "penstock.errors",
    "BackgroundTasks": "penstock.app.injection.background",
    "Body": "penstock.app.schema.markers",
    "BodyLimit": "penstock.app.middleware.limits",
    "BodyStream": "penstock.http.handler",
    "CORS": "penstock.app.security.cors",
    "CSRF": "penstock.app.security.csrf",
    "Counter": "penstock.observe.metrics.registry",
    "Gauge": "penstock.observe.metrics.registry",
    "Histogram": "penstock.observe.metrics.registry",
    "metrics_endpoint": "penstock.observe.metrics.endpoint",
    "Cache": "penstock.app.caching.cache",
    "Claims": "penstock.app.auth.jwt",
    "Channels": "penstock.app.channels.channels",
    "ClientDisconnected": "penstock.errors",
    "Compression": "penstock.http.compression",
    "Conflict": "penstock.errors",
    "ContentTooLarge": "penstock.errors",
    "Controller": "penstock.app.routing.controller",
    "Cookie": "penstock.app.schema.markers",
    "CookieSessions": "penstock.app.sessions.cookie",
    "Depends": "penstock.app.injection.depends",
    "ETags": "penstock.app.middleware.etags",
    "Event": "penstock.http.events",
    "EventStream": "penstock.http.event_stream",
    "FetchMetadata": "penstock.app.security.cross_site",
    "Field": "penstock.app.schema.markers",
    "File": "penstock.app.schema.markers",
    "FileResponse": "penstock.http.file_response",
    "Forbidden": "penstock.errors",
    "Form": "penstock.app.schema.markers",
    "FormData": "penstock.http.form",
    "FormLimits": "penstock.http.form",
    "FormPart": "penstock.app.forms.stream",
    "Gone": "penstock.errors",
    "HTMLResponse": "penstock.http.response",
    "HTTPError": "penstock.errors",
    "HTTPSRedirect": "penstock.app.security.https",
    "Header": "penstock.app.schema.markers",
    "Headers": "penstock.http.headers",
    "JSONFormatter": "penstock.observe.logs.format",
    "JSONLines": "penstock.http.json_lines",
    "JSONResponse": "penstock.http.response",
    "JWT": "penstock.app.auth.jwt",
    "MemoryStore": "penstock.app.stores.memory",
    "MethodNotAllowed": "penstock.errors",
    "MethodOverride": "penstock.app.middleware.method_override",
    "MultipartStream": "penstock.app.forms.stream",
    "OAuth2AuthorizationCode": "penstock.app.auth.bearer",
    "OAuth2Password": "penstock.app.auth.bearer",
    "OAuth2PasswordForm": "penstock.app.auth.password_form",
    "NotAcceptable": "penstock.errors",
    "NotFound": "penstock.errors",
    "OpenTelemetry": "penstock.app.middleware.opentelemetry",
    "Partial": "penstock.app.schema.partial",
    "Path": "penstock.app.schema.markers",
    "PreconditionFailed": "penstock.errors",
    "Produces": "penstock.app.middleware.produces",
    "Query": "penstock.app.schema.markers",
    "RateLimit": "penstock.app.limiting.rate_limit",
    "RedirectResponse": "penstock.http.response",
    "RedisStore": "penstock.app.stores.redis",
    "RemoteJWT": "penstock.app.auth.jwt",
    "Request": "penstock.http.request",
    "RequestID": "penstock.app.security.request_id",
    "Response": "penstock.http.response",
    "ResponseCache": "penstock.app.caching.response_cache",
    "Router": "penstock.app.routing.router",
    "ScryptCost": "penstock.app.security.passwords",
    "Secret": "penstock.http.secret",
    "SecurityHeaders": "penstock.app.security.headers",
    "ServerSessions": "penstock.app.sessions.server",
    "ServiceUnavailable": "penstock.errors",
    "Session": "penstock.http.session",
    "Signer": "penstock.app.security.signing",
    "StaticFiles": "penstock.app.static.files",
    "Store": "penstock.app.stores.store",
    "StoreError": "penstock.errors",
    "StreamResponse": "penstock.http.response",
    "Templates": "penstock.app.templates",
    "TestClient": "penstock.app.testing.client",
    "TextResponse": "penstock.http.response",
    "TextFormatter": "penstock.observe.logs.format",
    "Timeout": "penstock.app.middleware.limits",
    "TooManyRequests": "penstock.errors",
    "TraceFilter": "penstock.observe.logs.format",
    "TrustedHosts": "penstock.app.security.hosts",
    "Unauthorized": "penstock.errors",
    "UnsupportedMediaType": "penstock.errors",
    "UploadFile": "penstock.http.upload",
    "ValidationError": "penstock.errors",
    "Versions": "penstock.app.routing.versions",
    "WebSocket": "penstock.app.websocket.socket",
    "WebSocketDisconnect": "penstock.errors",
    "ahash_password": "penstock.app.security.passwords",
    "averify_password": "penstock.app.security.passwords",
    "csrf_token": "penstock.app.security.csrf",
    "current_request": "penstock.http.current",
    "delete": "penstock.app.routing.controller",
    "get": "penstock.app.routing.controller",
    "hash_password": "penstock.app.security.passwords",
    "health_routes": "penstock.app.health",
    "load_settings": "penstock.app.env_settings",
    "needs_rehash": "penstock.app.security.passwords",
    "patch": "penstock.app.routing.controller",
    "post": "penstock.app.routing.controller",
    "put": "penstock.app.routing.controller",
    "redactor": "penstock.http.redaction",
    "requires": "penstock.app.auth.guard",
    "rotate_csrf": "penstock.app.security.csrf",
    "route": "penstock.app.routing.controller",
    "trace_headers": "penstock.http.current",
    "verify_password": "penstock.app.security.passwords",
    "websocket_route": "penstock.app.routing.controller",
}

__all__ = [
    "CORS",
    "CSRF",
    "JWT",
    "APIKey",
    "App",
    "AsyncTestClient",
    "BackgroundTasks",
    "BadRequest",
    "BasicAuth",
    "BasicCredentials",
    "BearerAuth",
    "Body",
    "BodyLimit",
    "BodyStream",
    "Cache",
    "Channels",
    "Claims",
    "ClientDisconnected",
    "Compression",
    "Conflict",
    "ContentTooLarge",
    "Controller",
    "Cookie",
    "CookieSessions",
    "Counter",
    "Depends",
    "ETags",
    "Event",
    "EventStream",
    "FetchMetadata",
    "Field",
    "File",
    "FileResponse",
    "Forbidden",
    "Form",
    "FormData",
    "FormLimits",
    "FormPart",
    "Gauge",
    "Gone",
    "HTMLResponse",
    "HTTPError",
    "HTTPSRedirect",
    "Header",
    "Headers",
    "Histogram",
    "JSONFormatter",
    "JSONLines",
    "JSONResponse",
    "MemoryStore",
    "MethodNotAllowed",
    "MethodOverride",
    "MultipartStream",
    "NotAcceptable",
    "NotFound",
    "OAuth2AuthorizationCode",
    "OAuth2Password",
    "OAuth2PasswordForm",
    "OpenTelemetry",
    "Partial",
    "Path",
    "PreconditionFailed",
    "Produces",
    "Query",
    "RateLimit",
    "RedirectResponse",
    "RedisStore",
    "RemoteJWT",
    "Request",
    "RequestID",
    "Response",
    "ResponseCache",
    "Router",
    "ScryptCost",
    "Secret",
    "SecurityHeaders",
    "ServerSessions",
    "ServiceUnavailable",
    "Session",
    "Signer",
    "StaticFiles",
    "Store",
    "StoreError",
    "StreamResponse",
    "Templates",
    "TestClient",
    "TextFormatter",
    "TextResponse",
    "Timeout",
    "TooManyRequests",
    "TraceFilter",
    "TrustedHosts",
    "Unauthorized",
    "UnsupportedMediaType",
    "UploadFile",
    "ValidationError",
    "Versions",
    "WebSocket",
    "WebSocketDisconnect",
    "__version__",
    "ahash_password",
    "averify_password",
    "csrf_token",
    "current_request",
    "delete",
    "get",
    "hash_password",
    "health_routes",
    "load_settings",
    "metrics_endpoint",
    "needs_rehash",
    "patch",
    "post",
    "put",
    "redactor",
    "requires",
    "rotate_csrf",
    "route",
    "trace_headers",
    "verify_password",
    "websocket_route",
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
