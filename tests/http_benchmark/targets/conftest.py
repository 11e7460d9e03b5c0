from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from http_benchmark.targets.embedded import embedded


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Bin:
    """The embedded target, and one request to it at a time."""

    def __init__(self, target):
        self.url = target.url.rstrip("/")
        self.host = self.url.removeprefix("http://")

    def ask(self, path, method="GET", content=None, **fields):
        """Fields in Python's spelling: `if_none_match`."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        with closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, path, content, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())


@pytest.fixture(scope="package")
def target():
    with embedded() as running:
        yield Bin(running)
