"""A WSGI application that works for as long as it is told: TURNS of a loop for each request."""
# ruff: noqa: D103

import os
from typing import Any

_TURNS = int(os.environ.get("TURNS", "0"))


def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    for _ in range(_TURNS):
        pass
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]
