"""The least an RSGI application can be."""
# ruff: noqa: D103

from typing import Any


async def app(_scope: Any, protocol: Any) -> None:
    protocol.response_str(200, [("content-type", "text/plain")], "Hello, World!")
