"""An event stream of an App under the server of somebody else: pings, and a client that leaves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request

import pytest

from tests.e2e.serving import ROOT
from tests.e2e.workers import wait_until

APPLICATION = """
import asyncio
from penstock import App, EventStream

app = App()
left = []

@app.get("/silent")
async def silent() -> EventStream:
    async def source():
        yield "begun"
        try:
            await asyncio.Event().wait()
        finally:
            left.append("silent")
    return EventStream(source(), ping_interval_s=0.05)

@app.get("/left")
async def who_left() -> list:
    return left
"""


COMMANDS = {
    "uvicorn": ["uvicorn", "shop:app", "--log-level", "warning", "--port"],
    "granian": ["granian", "--interface", "asgi", "shop:app", "--log-level", "warning", "--port"],
    "hypercorn": ["hypercorn", "shop:app", "--log-level", "WARNING", "--bind"],
}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_pings_come_and_a_client_that_leaves_closes_the_source(name, tmp_path, need_package):
    need_package(name)
    (tmp_path / "shop.py").write_text(APPLICATION)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(tmp_path)])}
    place = str(port) if name != "hypercorn" else f"127.0.0.1:{port}"
    command = [sys.executable, "-m", *COMMANDS[name], place]

    def fetch(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.read()

    def is_up():
        try:
            return fetch("/left")
        except OSError:
            return None

    child = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        wait_until(is_up, "it starts")
        with socket.create_connection(("127.0.0.1", port), 10) as client, client.makefile("rb") as lines:
            client.sendall(b"GET /silent HTTP/1.1\r\nHost: t\r\n\r\n")
            while lines.readline() != b": ping\n":
                pass

        wait_until(lambda: fetch("/left") == b'["silent"]', "the source is closed")
    finally:
        child.terminate()
        child.wait(20)
