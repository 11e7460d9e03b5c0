"""The document over HTTP: made when it is first asked for, then kept, with an entity-tag.

Served as a route like any other, so hooks and dependencies of the application stand before it; made in a
thread of the pool, since a large application takes a while to describe.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from penstock.http.json import dumps
from penstock.http.kept_response import KeptResponse
from penstock.http.partial import narrow
from penstock.http.request import Request  # noqa: TC001 - the annotation of a handler
from penstock.http.response import JSON, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.application import App

_PREFIXES = 16


def openapi_handler(app: App) -> Callable[[Request], Response]:
    """Return the handler that answers with the document of an application."""
    kept: dict[str, KeptResponse] = {}

    def openapi(request: Request) -> Response:
        # Below a prefix, such as that of a proxy, the paths of the document are relative to it.
        prefix = "" if "servers" in app.about else request.prefix
        found = kept.get(prefix)
        if found is None:
            if len(kept) >= _PREFIXES:
                kept.clear()
            found = kept[prefix] = _keep(app.openapi(), prefix)
        if request.headers.get("if-none-match") or request.headers.get("if-match"):
            return narrow(request, found.copy())
        return found

    return openapi


def _keep(document: dict[str, Any], prefix: str) -> KeptResponse:
    if prefix:
        document = _below(prefix, document)
    body = dumps(document)
    tag = hashlib.sha256(body).hexdigest()[:32]
    fields = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    return KeptResponse(Response(body, 200, fields, JSON), may_be_coded=True)


def _below(prefix: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return it with the prefix before the paths, and before those where tokens are had."""
    components = document.get("components", {})
    schemes = {
        name: {**scheme, "flows": {kind: _flow_below(prefix, flow) for kind, flow in scheme["flows"].items()}}
        for name, scheme in components.get("securitySchemes", {}).items()
        if "flows" in scheme
    }
    if schemes:
        components = {**components, "securitySchemes": components["securitySchemes"] | schemes}
        document = {**document, "components": components}
    return {**document, "servers": [{"url": prefix}]}


def _flow_below(prefix: str, flow: dict[str, Any]) -> dict[str, Any]:
    return {
        key: prefix + value if key.endswith("Url") and value.startswith("/") else value
        for key, value in flow.items()
    }
