"""WebSocket under `penstock run`: workers, stops and reloads with open sockets, and a client that is no Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.e2e.serving import serving
from tests.e2e.workers import children, run_to_end, wait_until, workers, write
from tests.websocket.frames import CLOSE, TEXT, Peer, close_frame, frame

HERE = Path(__file__).parent

APPLICATION = """
import asyncio, os
from penstock import App, WebSocket

app = App()

@app.websocket("/echo", subprotocols=["echo"])
async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)

@app.websocket("/deaf")
async def deaf(ws: WebSocket) -> None:
    await ws.accept()
    await asyncio.sleep(600)

@app.websocket("/pid")
async def pid(ws: WebSocket) -> None:
    await ws.send(str(os.getpid()))
    async for message in ws:
        await ws.send("VERSION")
"""


def test_sigterm_with_open_sockets_closes_them_and_does_not_hang(tmp_path):
    write(tmp_path, APPLICATION)
    with (
        serving("shop:app", "--drain-timeout", "2", cwd=tmp_path) as server,
        Peer(server.port, "/echo") as polite,
        Peer(server.port, "/echo") as silent,
        Peer(server.port, "/deaf") as deaf,
    ):
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for peer in (polite, silent, deaf):
            closed = peer.take()
            assert closed and closed.code == 1001
        polite.send(close_frame(1001))
        assert polite.ends()
        assert server.wait() == 0
        assert 1.5 < time.monotonic() - started < 18  # the silent ones were waited for, until the deadline


def test_sigterm_with_sockets_of_polite_clients_ends_at_once(tmp_path):
    write(tmp_path, APPLICATION)
    with serving("shop:app", cwd=tmp_path) as server, connect(f"ws://127.0.0.1:{server.port}/echo") as client:
        client.send("x")
        assert client.recv() == "x"
        started = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - started < 15  # the deadline is 20
        assert client.protocol.close_code == 1001


def test_sighup_tells_the_sockets_of_old_workers_1012_and_new_ones_are_served(tmp_path):
    with workers(tmp_path, "--drain-timeout", "3", text=APPLICATION) as server:
        peers = [Peer(server.port, "/pid") for _ in range(8)]
        before = {int(peer.take().data) for peer in peers}
        assert before <= children(server)

        write(tmp_path, APPLICATION.replace("VERSION", "new"))
        server.process.send_signal(signal.SIGHUP)

        for peer in peers:
            closed = peer.take()
            assert closed and (closed.opcode, closed.code) == (CLOSE, 1012)
        for peer in peers[:4]:  # the others never answer
            peer.send(close_frame(1012))
            assert peer.ends()
        with Peer(server.port, "/pid") as peer:
            assert int(peer.take().data) not in before
            peer.send(frame(TEXT, b"?"))
            assert peer.take().data == b"new"
        wait_until(lambda: not children(server) & before, "the old workers end")
        for peer in peers:
            peer.socket.close()


def test_sockets_are_spread_over_workers(tmp_path):
    with workers(tmp_path, text=APPLICATION) as server:
        peers, pids = [], []
        while len(pids) < 32 or not 1 / 4 <= pids.count(pids[0]) / len(pids) <= 3 / 4:
            assert len(pids) < 256, "one that was late gets what it lacks"
            peers += [Peer(server.port, "/pid") for _ in range(8)]
            pids += [int(peer.take().data) for peer in peers[-8:]]
        for peer in peers:
            peer.socket.close()

        assert set(pids) == children(server)


def test_a_killed_worker_loses_its_own_sockets_only(tmp_path):
    with workers(tmp_path, text=APPLICATION) as server:
        peers = [Peer(server.port, "/pid") for _ in range(16)]
        pids = [int(peer.take().data) for peer in peers]
        os.kill(pids[0], signal.SIGKILL)
        for peer, pid in zip(peers, pids, strict=True):
            if pid == pids[0]:
                assert peer.ends()
            else:
                peer.send(frame(TEXT, b"?"))
                assert peer.take().data == b"VERSION"
            peer.socket.close()
        wait_until(lambda: len(children(server)) == 2, "the worker is replaced")


@pytest.mark.need_tool("node")
def test_node_talks(tmp_path, need_tool):
    write(tmp_path, APPLICATION)
    node = need_tool("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version[1:].split(".")[0])
    if major < 20:
        pytest.skip(
            f"node {version.strip()} has no WebSocket of its own: it is a global since 22, behind a flag in 20"
        )
    flags = ["--experimental-websocket"] if major < 22 else []
    with serving("shop:app", cwd=tmp_path) as server:
        command = [node, *flags, str(HERE / "node_websocket.mjs"), f"ws://127.0.0.1:{server.port}/echo"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    told = json.loads(done.stdout)
    assert told["seen"] == [["text", 5], ["text", 70_000], ["binary", [0, 255, 1]]]
    assert (told["protocol"], told["code"], told["clean"]) == ("echo", 4001, True)
    assert "permessage-deflate" in told["extensions"] or major < 22


def test_without_the_extra_the_start_says_what_to_install(tmp_path):
    write(tmp_path, APPLICATION)
    (tmp_path / "websockets").mkdir()
    (tmp_path / "websockets" / "__init__.py").write_text("raise ImportError('as if it were not installed')\n")

    code, errors = run_to_end(tmp_path, APPLICATION)

    assert code != 0
    assert "pip install 'penstock[standard]'" in errors and "Traceback" not in errors
