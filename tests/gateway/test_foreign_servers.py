"""An App under the servers of others, as their users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.e2e.serving import ROOT

APPLICATION = """
from penstock import App, Request, StreamResponse

app = App()
events = []
app.on_startup(lambda: events.append("up"))

@app.get("/thread")
def thread() -> list:
    return events

@app.post("/echo")
async def echo(request: Request) -> bytes:
    return request.body

@app.get("/stream")
async def stream() -> StreamResponse:
    async def make():
        yield b"a"
        yield b"b"
    return StreamResponse(make())
"""
COMMANDS = {
    "uvicorn": ["uvicorn", "shop:app", "--log-level", "warning", "--port"],
    "granian": ["granian", "--interface", "asgi", "shop:app", "--log-level", "warning", "--port"],
}


def fetch(url, content=None):
    with urllib.request.urlopen(url, content, timeout=10) as reply:
        return reply.read()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_app_is_served(name, tmp_path, need_package):
    need_package(name)
    (tmp_path / "shop.py").write_text(APPLICATION)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(tmp_path)])}
    child = subprocess.Popen(
        [sys.executable, "-m", *COMMANDS[name], str(port)], cwd=tmp_path, env=environment
    )
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end and child.poll() is None, "it does not start"
                time.sleep(0.05)

        replies = [fetch(f"http://127.0.0.1:{port}{path}") for path in ("/thread", "/stream")]
        echoed = fetch(f"http://127.0.0.1:{port}/echo", b"x" * 300_000)
    finally:
        child.terminate()
        child.wait(20)

    assert replies == [b'["up"]', b"ab"]
    assert echoed == b"x" * 300_000
