"""Bodies of forms, written by hand so that they can be wrong."""

from __future__ import annotations

from typing import Any

from penstock.http.request import Request
from tests.app import driver

URLENCODED = ("content-type", "application/x-www-form-urlencoded")
BOUNDARY = "b0undary"
MULTIPART = ("content-type", f"multipart/form-data; boundary={BOUNDARY}")


def part(name: str, content: bytes, filename: str | None = None, *lines: str) -> bytes:
    """One part with its delimiter line."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    head = "\r\n".join([f"--{BOUNDARY}", disposition, *lines, "", ""])
    return head.encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(app: Any, body: bytes, content_type: tuple[str, str] = MULTIPART, target: str = "/") -> Any:
    """The response of an App to a form, in process."""
    return driver.answer(app, Request.build("POST", target, (("host", "test"), content_type), body))
