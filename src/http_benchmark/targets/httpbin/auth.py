"""`/basic-auth/{user}/{password}`, `/hidden-basic-auth/{user}/{password}` and `/bearer`.

The password stands in the path: nothing here keeps anybody out.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from penstock import HTTPError, NotFound, Request, Router

router = Router(tags=["auth"])


@router.get("/basic-auth/{user}/{password}", run="inline")
def basic_auth(request: Request, user: str, password: str) -> dict[str, Any]:
    """401 for anybody but this user with this password."""
    if not _is_basic(request, user, password):
        raise HTTPError(401, headers={"WWW-Authenticate": 'Basic realm="Fake Realm"'})
    return {"authenticated": True, "user": user}


@router.get("/hidden-basic-auth/{user}/{password}", run="inline")
def hidden_basic_auth(request: Request, user: str, password: str) -> dict[str, Any]:
    """404 for anybody but this user with this password."""
    if not _is_basic(request, user, password):
        raise NotFound
    return {"authenticated": True, "user": user}


@router.get("/bearer", run="inline")
def bearer(request: Request) -> dict[str, Any]:
    """401 without a bearer token; any will do."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise HTTPError(401, headers={"WWW-Authenticate": "Bearer"})
    return {"authenticated": True, "token": token.strip()}


def _is_basic(request: Request, user: str, password: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        return base64.b64decode(given.strip(), validate=True) == f"{user}:{password}".encode()
    except binascii.Error:
        return False
