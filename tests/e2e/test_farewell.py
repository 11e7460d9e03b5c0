"""What the clients of a worker get whose loop stands still: a whole reply or none, never a part and another."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl

import pytest

from tests.e2e.serving import WAIT_S, receive, serving
from tests.e2e.workers import APPLICATION, get, wait_until, workers, write
from tests.server.certificates import Authority

STUCK = (
    APPLICATION
    + """
@app.get("/block/{seconds:float}", run="inline")
def block(seconds: float) -> str:
    os.write(2, b"it blocks\\n")
    time.sleep(seconds)
    return "late"

@app.post("/take")
async def take(request: Request) -> int:
    return len(request.body)

@app.get("/large")
def large() -> bytes:
    return bytes(32 * 2**20)

@app.get("/large_late")
def large_late() -> bytes:
    time.sleep(0.5)
    return bytes(32 * 2**20)

@app.get("/slow_stream")
def slow_stream():
    yield b"first"
    time.sleep(60)
"""
)
FLAGS = ("--stuck-timeout", "1.5", "--max-requests", "1000000")  # one worker, and a supervisor


def is_503(reply):
    head, _, content = reply.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    fields = b"\r\nConnection: close" in head and b"\r\nRetry-After: 1" in head
    return head.startswith(b"HTTP/1.1 503 ") and fields and len(content) == length


def test_everybody_who_waits_is_answered_and_no_reply_is_broken_into(tmp_path):
    with workers(tmp_path, *FLAGS, count=1, text=STUCK) as server:
        idle, kept = server.connect(), server.ask("/")
        assert kept.recv(65_536).endswith(b"VERSION")
        task, thread = server.ask("/task/60"), server.ask("/thread/60")
        head = server.connect()
        head.sendall(b"GET / HTTP/1.1\r\nHo")
        content = server.connect()
        content.sendall(b"POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n123")
        endless, slow_stream = server.ask("/endless"), server.ask("/slow_stream")
        large = socket.socket()
        large.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        large.connect(("127.0.0.1", server.port))
        large.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n")
        streams = []
        for client in (endless, slow_stream, large):
            received = b""
            while b"\r\n\r\n" not in received or received.endswith(b"\r\n\r\n"):
                received += client.recv(4096)
            streams.append(received)
        get(server, "/")

        stuck = server.ask("/block/60")
        server.wait_for_log(r"worker \d+ has ended, exit code 70; it is replaced")

        assert receive(stuck).startswith(b"HTTP/1.1 504 ")
        assert [is_503(receive(client)) for client in (task, thread, head, content)] == [True] * 4
        assert receive(idle) == b""
        assert receive(kept) == b""
        for client, begun in zip((endless, slow_stream), streams[:2], strict=True):
            rest = receive(client)
            assert b"HTTP/1.1" not in begun[20:] + rest
            assert not (begun + rest).endswith(b"0\r\n\r\n")
        assert set(_receive_all(large, streams[2].partition(b"\r\n\r\n")[2])) == {0}
        wait_until(lambda: get(server, "/") == "VERSION", "the next worker serves")
    assert "5 clients were answered, 3 replies were cut off" in server.log


def _receive_all(client, content):
    client.settimeout(WAIT_S)
    with client, contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            content += piece
    assert len(content) < 32 * 2**20
    return content


def test_a_request_that_comes_on_a_kept_connection_meanwhile_is_answered(tmp_path):
    with workers(tmp_path, *FLAGS, count=1, text=STUCK) as server:
        kept = server.ask("/")
        assert kept.recv(65_536)
        stuck = server.ask("/block/60")
        server.wait_for_log("it blocks")

        kept.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        not_accepted = server.ask("/", "Connection: close")

        assert is_503(receive(kept))
        assert receive(stuck).startswith(b"HTTP/1.1 504 ")
        assert receive(not_accepted).endswith(b"VERSION")  # by the next worker


def test_replies_that_were_kept_back_for_the_next_arrive_before_the_last(tmp_path):
    with workers(tmp_path, *FLAGS, count=1, text=STUCK) as server:
        client = server.connect()
        plain, stuck = (f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for path in ("/", "/block/60"))
        client.sendall(plain * 3 + stuck + plain)

        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", receive(client))

    assert statuses == [b"200", b"200", b"200", b"504"]


def test_a_reply_that_a_thread_began_meanwhile_is_cut_off_and_not_written_into(tmp_path):
    with workers(tmp_path, *FLAGS, count=1, text=STUCK) as server:
        large = server.ask("/large_late")
        get(server, "/")  # it is in its thread
        stuck = server.ask("/block/60")
        head = b""
        while b"\r\n\r\n" not in head:
            head += large.recv(4096)

        content = _receive_all(large, head.partition(b"\r\n\r\n")[2])

        assert head.startswith(b"HTTP/1.1 200 ")
        assert set(content) == {0}
        assert receive(stuck).startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize("seconds", ["1.9", "2.5"])
def test_a_loop_that_goes_on_after_all_writes_into_nothing(tmp_path, seconds):
    """It is woken while the worker lingers: its own reply must not follow the one that was sent for it."""
    with workers(tmp_path, *FLAGS, count=1, text=STUCK) as server:
        # Closed after its reply by whoever answers, the next worker too.
        stuck = server.ask(f"/block/{seconds}", "Connection: close")
        task = server.ask("/task/0", "Connection: close")

        replies = [receive(client) for client in (stuck, task)]

        for reply in replies:
            assert len(re.findall(rb"HTTP/1\.1 ", reply)) == 1, reply
            assert re.match(rb"HTTP/1\.1 (200|503|504) ", reply), reply


def test_without_workers_a_loop_that_stands_still_is_told_and_goes_on(tmp_path):
    write(tmp_path, STUCK)
    with serving("shop:app", "--stuck-timeout", "1.5", cwd=tmp_path) as server:
        for _ in range(2):
            assert receive(server.ask("/block/4", "Connection: close")).endswith(b"late")
        server.wait_for_log("(?s)the loop goes on.*the loop goes on; it stood still for")

    assert server.log.count("the loop is stuck for ") == 2, "once each time"
    assert server.log.count("<Request GET /block/4>, trace id ") == 2
    assert ", in block\n" in server.log


def test_clients_over_tls_are_answered(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("shop")
    words = ("--tls-cert", str(certificate), "--tls-key", str(key))
    context = authority.client()
    with workers(tmp_path, *FLAGS, *words, count=1, text=STUCK) as server:
        clients = []
        for path in ("/task/60", "/block/60"):
            client = context.wrap_socket(server.connect(), server_hostname="localhost")
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            clients.append(client)
        replies = []
        for client in clients:
            received = b""
            with client, contextlib.suppress(ssl.SSLEOFError):
                while piece := client.recv(65_536):
                    received += piece
            replies.append(received)

    assert is_503(replies[0])
    assert replies[1].startswith(b"HTTP/1.1 504 ")
