"""The public names are pinned: a new one is a decision, a lost one breaks users."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).resolve().parents[2]

PUBLIC = {
    "APIKey",
    "App",
    "AsyncTestClient",
    "BasicAuth",
    "BasicCredentials",
    "BearerAuth",
    "BadRequest",
    "BackgroundTasks",
    "Body",
    "BodyLimit",
    "BodyStream",
    "CORS",
    "CSRF",
    "Cache",
    "Claims",
    "Channels",
    "ClientDisconnected",
    "Compression",
    "Conflict",
    "ContentTooLarge",
    "Controller",
    "Cookie",
    "Counter",
    "Gauge",
    "Histogram",
    "metrics_endpoint",
    "CookieSessions",
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
    "Gone",
    "HTMLResponse",
    "HTTPError",
    "HTTPSRedirect",
    "Header",
    "Headers",
    "JSONFormatter",
    "JSONLines",
    "JSONResponse",
    "JWT",
    "MemoryStore",
    "MethodNotAllowed",
    "MethodOverride",
    "MultipartStream",
    "OAuth2AuthorizationCode",
    "OAuth2Password",
    "OAuth2PasswordForm",
    "NotAcceptable",
    "NotFound",
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
    "TraceFilter",
    "Timeout",
    "TooManyRequests",
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
}


def test_the_public_names_are_these():
    assert set(penstock.__all__) == PUBLIC
    assert len(penstock.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_can_be_had_and_is_listed(name):
    assert getattr(penstock, name) is not None
    assert name in dir(penstock)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = penstock.no_such_name


def test_star_import_gives_the_public_names():
    code = (
        "from penstock import *; import penstock; print(*(n for n in penstock.__all__ if n not in globals()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""


def test_the_version_is_one():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert settings["project"]["version"] == penstock.__version__
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", penstock.__version__)


def test_there_are_no_dependencies():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert settings["project"]["dependencies"] == []
