"""Every example, started as a user starts it. `ask` is one request over a plain client; nothing is followed or added."""

from __future__ import annotations

import http.client
import json
from typing import NamedTuple

import pytest

from tests.e2e.serving import serving


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self):
        return self.content.decode()

    @property
    def json(self):
        return json.loads(self.content)

    @property
    def media_type(self):
        return self.headers["content-type"]


class Site:
    """A running example."""

    def __init__(self, server):
        self.server = server

    def ask(self, method, target, body=None, **headers):
        """`ask("GET", "/")`; a dict or list as the body is sent as JSON."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            fields = {"content-type": "application/json"} | fields
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, target, body, fields)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, target, **headers):
        return self.ask("GET", target, **headers)


@pytest.fixture
def run_example(tmp_path):
    """`with run_example("hello") as site:` serves examples/hello.py."""
    from contextlib import contextmanager

    @contextmanager
    def run(name, *flags):
        with serving(f"examples.{name}:app", *flags, DEMO_FILES=str(tmp_path / "files")) as server:
            yield Site(server)

    return run
