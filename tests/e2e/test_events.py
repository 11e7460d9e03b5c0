"""Event streams with real clients, and what a stop and a reload do to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.clients import WAIT_S
from tests.e2e.serving import serving
from tests.e2e.workers import children, get, wait_until, workers

APPLICATION = """
import asyncio, os, time
from penstock import App, Event, EventStream, Request

app = App()
left = []

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/left", run="inline")
def who_left() -> list:
    return left

@app.get("/numbers")
async def numbers(request: Request) -> EventStream:
    async def source():
        number = int(request.last_event_id or 0)
        try:
            while True:
                number += 1
                yield Event({"n": number}, id=str(number))
                await asyncio.sleep(0.01)
        finally:
            left.append("numbers")
    return EventStream(source(), retry_ms=10)

@app.get("/silent")
async def silent() -> EventStream:
    async def source():
        yield os.getpid()
        try:
            await asyncio.Event().wait()
        finally:
            left.append("silent")
    return EventStream(source(), ping_interval_s=0.05)

@app.get("/thread")
def thread() -> EventStream:
    def source():
        yield os.getpid()
        time.sleep(60)
    return EventStream(source())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    (folder / "shop.py").write_text(APPLICATION)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with serving("shop:app", cwd=folder) as server:
        yield server


def left_of(server):
    return json.loads(get(server, "/left"))


def wait_left(server, name, count=1):
    wait_until(lambda: left_of(server).count(name) >= count, f"{name} is left")


def test_httpx_reads_events_as_they_come_and_leaves(server):
    before = left_of(server).count("numbers")
    with httpx.stream("GET", f"{server.url}/numbers", headers={"Last-Event-ID": "40"}) as reply:
        lines = reply.iter_lines()
        got = [next(lines) for _ in range(8)]

    assert reply.headers["content-type"] == "text/event-stream"
    assert got == ["retry: 10", "", "id: 41", 'data: {"n":41}', "", "id: 42", 'data: {"n":42}', ""]
    wait_left(server, "numbers", before + 1)


def test_curl_prints_events_as_they_come(server, need_tool):
    before = left_of(server).count("silent")
    curl = subprocess.Popen([need_tool("curl"), "-sN", f"{server.url}/silent"], stdout=subprocess.PIPE)
    assert curl.stdout is not None
    with curl:
        got = [curl.stdout.readline() for _ in range(6)]
        curl.terminate()

    assert got[0].startswith(b"data: ")
    assert got[1:] == [b"\n", b": ping\n", b"\n", b": ping\n", b"\n"]
    wait_left(server, "silent", before + 1)


def test_node_reads_events_by_fetch(server, need_tool):
    before = left_of(server).count("numbers")
    script = Path(__file__).with_name("node_events.mjs")
    done = subprocess.run(
        [need_tool("node"), script, f"{server.url}/numbers", "3"],
        capture_output=True, text=True, timeout=WAIT_S, check=True,
    )  # fmt: skip

    lines = done.stdout.splitlines()
    assert lines[:2] == ["200 text/event-stream", "retry: 10"]
    assert lines[2:6] == ["", "id: 3", 'data: {"n":3}', ""]
    wait_left(server, "numbers", before + 1)


def test_open_streams_do_not_keep_a_server_that_stops(folder):
    with serving("shop:app", "--drain-timeout", "0.3", cwd=folder) as server:
        clients = [server.ask(path) for path in ("/silent", "/numbers", "/thread") for _ in range(5)]
        for client in clients:
            client.settimeout(WAIT_S)
            assert client.recv(65_536)

        begun = time.monotonic()
        server.terminate()

        assert time.monotonic() - begun < 18
        for client in clients:
            with client:
                octets = b""
                while piece := client.recv(65_536):
                    octets += piece
                assert octets.endswith(b"0\r\n\r\n")


def test_open_streams_do_not_keep_a_reload_and_their_clients_come_back_to_the_new_worker(tmp_path):
    with workers(tmp_path, "--drain-timeout", "2.5", text=APPLICATION) as server:
        before = children(server)
        clients = [server.ask("/silent") for _ in range(4)]
        for client in clients:
            client.settimeout(WAIT_S)

        os.kill(server.process.pid, signal.SIGHUP)
        for client in clients:
            with client:
                octets = b""
                while piece := client.recv(65_536):
                    octets += piece
                assert octets.endswith(b"0\r\n\r\n")
        wait_until(lambda: not before & children(server), "the old workers are gone")

        with server.ask("/silent") as client:
            client.settimeout(WAIT_S)
            octets = b""
            while b"data: " not in octets:
                octets += client.recv(65_536)
            pid = int(octets.partition(b"data: ")[2].split()[0])
        assert pid in children(server)
