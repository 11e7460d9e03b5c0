"""`--compression` with real clients, each decoding by itself what it asked for."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import urllib.request

import httpx
import pytest

from tests.codings import CODINGS, decode, need_coding
from tests.e2e.clients import WAIT_S
from tests.e2e.serving import serving

APPLICATION = """
from collections.abc import AsyncIterator, Iterator
from penstock import App, Event, FileResponse

app = App()
rows = [{"n": number, "text": f"row {number}"} for number in range(2000)]

@app.get("/rows")
async def whole() -> list:
    return rows

@app.get("/thread")
def in_thread() -> list:
    return rows

@app.get("/stream")
def stream() -> Iterator[str]:
    yield "["
    for number in range(0, 2000, 100):
        yield ",".join('{"n":%d,"text":"row %d"}' % (n, n) for n in range(number, number + 100))
        yield "]" if number == 1900 else ","

@app.get("/events")
async def events() -> AsyncIterator[Event]:
    for number in range(100):
        yield Event(number)

@app.get("/file")
def file() -> FileResponse:
    return FileResponse("shop.py", media_type="text/plain")
"""
ROWS = [{"n": number, "text": f"row {number}"} for number in range(2000)]
EVENTS = b"".join(b"data: %d\n\n" % number for number in range(100))
SCRIPT = """
const reply = await fetch(process.argv[2])
console.log(reply.headers.get("content-encoding"))
console.log(JSON.stringify(await reply.json()))
"""
PATHS = ["/rows", "/thread", "/stream"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compression")
    (folder / "shop.py").write_text(APPLICATION)
    with serving("shop:app", "--compression", cwd=folder) as server:
        yield server


@pytest.mark.parametrize("path", PATHS)
def test_httpx(server, path):
    with httpx.Client() as client:
        for _ in range(3):
            reply = client.get(f"{server.url}{path}")

            assert reply.headers["content-encoding"] in ("br", "zstd", "gzip")
            assert reply.headers["vary"] == "Accept-Encoding"
            assert reply.json() == ROWS


@pytest.mark.parametrize("path", PATHS)
def test_curl(server, path, need_tool):
    command = [need_tool("curl"), "-sS", "--compressed", "-D", "-", f"{server.url}{path}"]
    done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True)

    head, _, content = done.stdout.partition(b"\r\n\r\n")
    assert b"\r\ncontent-encoding: " in head.lower()
    assert json.loads(content) == ROWS


@pytest.mark.parametrize("path", PATHS)
def test_node(server, path, need_tool):
    command = [need_tool("node"), "--input-type=module", "-e", SCRIPT, "-", f"{server.url}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True)

    coding, content = done.stdout.splitlines()
    assert coding in ("br", "gzip")
    assert json.loads(content) == ROWS


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path", [*PATHS, "/events"])
def test_each_coding(server, path, coding):
    need_coding(coding)
    asked = urllib.request.Request(f"{server.url}{path}", headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(asked, timeout=WAIT_S) as reply:
        content = decode(reply.headers["Content-Encoding"], reply.read())

    assert reply.headers["Content-Encoding"] == coding
    assert content == EVENTS if path == "/events" else json.loads(content) == ROWS


def test_curl_gets_compressed_events_one_by_one(server, need_tool):
    command = [need_tool("curl"), "-sSN", "--compressed", f"{server.url}/events"]
    done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True)

    assert done.stdout == EVENTS


def test_a_file_is_sent_as_it_is(server):
    reply = httpx.get(f"{server.url}/file")

    assert "content-encoding" not in reply.headers
    assert reply.text == APPLICATION


def test_in_the_environment_and_with_an_application_of_another_interface(tmp_path):
    (tmp_path / "shop.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/html')])\n"
        "    return [b'long' * 1000]\n"
    )
    with serving("shop:app", cwd=tmp_path, PENSTOCK_COMPRESSION="1") as server:
        asked = urllib.request.Request(server.url, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked, timeout=WAIT_S) as reply:
            assert gzip.decompress(reply.read()) == b"long" * 1000
    assert os.environ.get("PENSTOCK_COMPRESSION") is None
