"""Files on their way out, over real sockets: slices, slow and leaving clients, files that change meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from penstock.http.file_response import FileResponse
from penstock.http.response import TextResponse
from penstock.server import transfer
from tests.server.harness import endpoint, request, serve, wait_until

SIZE = 6_000_000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def routes(path, **options):
    return {
        "/inline": endpoint("inline", lambda request: FileResponse(path, **options)),
        "/thread": endpoint("thread", lambda request: FileResponse(path, **options)),
        "/task": endpoint("task", lambda request: FileResponse(path, **options)),
        "/hello": endpoint("inline", lambda request: TextResponse("hello")),
        "/missing": endpoint("inline", lambda request: FileResponse(path.parent / "none")),
        "/folder": endpoint("inline", lambda request: FileResponse(path.parent)),
    }


def descriptors_of(path):
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += str(link.readlink()).split(" (")[0] == str(path)
        except OSError:
            pass
    return found


@pytest.fixture(params=["sendfile", "read"])
def way(request, monkeypatch):
    if request.param == "read":
        monkeypatch.setattr(transfer, "_sendfile", None)
    return request.param


@pytest.mark.parametrize("run", ["inline", "thread", "task"])
def test_a_file_arrives_whole(path, way, run):
    with serve(routes(path)) as running, running.connect() as client:
        for _ in range(2):
            reply = client.ask(f"/{run}")
            assert (reply.status, reply.get("content-length")) == (200, str(SIZE))
            assert reply.content == path.read_bytes()
            assert reply.get("content-type") == "application/octet-stream"
        assert client.ask("/hello").content == b"hello"
        wait_until(lambda: not descriptors_of(path), "the file closes")


def test_head_conditions_and_ranges_of_a_handlers_file(path, way):
    content = path.read_bytes()
    with serve(routes(path)) as running, running.connect() as client:
        head = client.ask("/inline", "HEAD")
        assert (head.status, head.get("content-length"), head.content) == (200, str(SIZE), b"")
        assert client.ask("/inline", "GET", f"If-None-Match: {head.get('etag')}").status == 304
        assert client.ask("/thread", "GET", 'If-Match: "x"').status == 412
        assert client.ask("/task", "GET", "Range: bytes=9-3000008").content == content[9:3000009]
        parts = client.ask("/inline", "GET", "Range: bytes=0-1000000,2000000-5000000")
        assert content[:1000001] in parts.content and content[2000000:5000001] in parts.content
        assert client.ask("/inline", "GET", f"Range: bytes={SIZE}-").status == 416
        assert client.ask("/hello").content == b"hello"
        wait_until(lambda: not descriptors_of(path), "the files close")


def test_a_missing_file_is_not_found(path):
    with serve(routes(path)) as running, running.connect() as client:
        assert client.ask("/missing").status == 404
        assert client.ask("/folder").status == 404


def test_a_download_is_named(path):
    with (
        serve(routes(path, download_as='naïve "plan".pdf', status=200)) as running,
        running.connect() as client,
    ):
        assert (
            client.ask("/inline", "HEAD").get("content-disposition")
            == "attachment; filename=\"na_ve _plan_.pdf\"; filename*=UTF-8''na%C3%AFve%20%22plan%22.pdf"
        )


def test_a_file_that_shrinks_ends_the_connection_and_is_logged(path, way):
    with serve(routes(path)) as running, running.connect(receive_buffer_bytes=10_000) as client:
        client.send(request("/inline"))
        client.take_head()
        os.truncate(path, 3_000_000)

        assert len(client.take_all()) < SIZE
        wait_until(lambda: running.log.messages("became shorter"), "the log says so")
        assert running.ask("/hello").content == b"hello"
        wait_until(lambda: not descriptors_of(path), "the file closes")


def test_a_file_that_grows_is_sent_as_promised(path, way):
    content = path.read_bytes()
    with serve(routes(path)) as running, running.connect(receive_buffer_bytes=10_000) as client:
        client.send(request("/inline"))
        client.take_head()
        with path.open("ab") as file:
            file.write(b"more" * 10_000)

        while len(client.octets) < SIZE:
            client.receive()
        assert client.octets == content
        client.octets = b""
        assert client.ask("/hello").content == b"hello"


def test_a_file_that_is_replaced_is_sent_as_it_was(path, way):
    content = path.read_bytes()
    with serve(routes(path)) as running, running.connect(receive_buffer_bytes=10_000) as client:
        client.send(request("/inline"))
        client.take_head()
        (path.parent / "new").write_bytes(b"new")
        (path.parent / "new").rename(path)

        while len(client.octets) < SIZE:
            client.receive()
        assert client.octets == content
        client.octets = b""
        assert client.ask("/inline").content == b"new"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_sendfile_is_read(path, number, monkeypatch):
    """Such are not at hand where the tests run."""

    def refuse(*arguments):
        raise OSError(number, "no sendfile here")

    monkeypatch.setattr(transfer, "_sendfile", refuse)
    with serve(routes(path)) as running, running.connect() as client:
        for _ in range(2):
            assert client.ask("/inline").content == path.read_bytes()


def test_a_disk_that_fails_ends_the_connection_and_is_logged(path, monkeypatch):
    def fail(out, file, start, count):
        if start:
            raise OSError(errno.EIO, "Input/output error")
        return os.sendfile(out, file, start, min(count, 100_000))

    monkeypatch.setattr(transfer, "_sendfile", fail)
    with serve(routes(path)) as running, running.connect(request("/inline")) as client:
        assert len(client.take_all()) < SIZE
        wait_until(lambda: running.log.messages("cannot be read: Input/output error"), "the log says so")
        wait_until(lambda: not descriptors_of(path), "the file closes")
        assert running.ask("/hello").content == b"hello"


def test_slow_readers_hold_no_thread_and_nobody_up(path, way):
    settings = {"threads": 2}
    with serve(routes(path), **settings) as running:
        slow = [running.connect(request("/thread"), receive_buffer_bytes=4096) for _ in range(30)]
        wait_until(lambda: descriptors_of(path) == 30, "all are being sent")

        started = time.monotonic()
        for _ in range(50):
            assert running.ask("/hello").content == b"hello"
        assert time.monotonic() - started < 20
        assert running.server.thread_pool()["active_workers"] == 0
        for client in slow:
            client.reset()
        wait_until(lambda: not descriptors_of(path), "the files close")


def test_a_reader_that_stops_is_cut_off(path, way):
    with serve(routes(path), write_timeout_s=0.4) as running:
        client = running.connect(request("/inline"), receive_buffer_bytes=4096)
        wait_until(lambda: running.log.messages("did not read its reply"), "it is cut off")

        assert len(client.take_all()) < SIZE
        assert descriptors_of(path) == 0


def test_a_trickling_reader_is_cut_off(path, way):
    with serve(routes(path), write_timeout_s=0.4) as running:
        client = running.connect(request("/inline"), receive_buffer_bytes=4096)
        end = time.monotonic() + 15
        while running.connections and time.monotonic() < end:
            client.socket.recv(1)
            time.sleep(0.05)
        assert not running.connections


def test_a_steady_reader_has_all_the_time_it_needs(path, way):
    with serve(routes(path), write_timeout_s=2.0) as running:
        client = running.connect(request("/inline"), receive_buffer_bytes=65_536)
        started, received = time.monotonic(), 0
        client.take_head()
        received = len(client.octets)
        digest = hashlib.sha256(client.octets)
        while received < SIZE:
            piece = client.socket.recv(120_000)
            assert piece, "cut off"
            digest.update(piece)
            received += len(piece)
            time.sleep(0.05)
        assert time.monotonic() - started > 2.2
        assert digest.digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_client_that_leaves_closes_the_file(path, way, leave):
    with serve(routes(path)) as running:
        for run in ("inline", "thread", "task"):
            client = running.connect(request(f"/{run}"), receive_buffer_bytes=4096)
            client.receive(1000)
            getattr(client, leave)()
        wait_until(lambda: not descriptors_of(path), "the files close")


def test_a_client_that_shuts_its_side_gets_the_file(path, way):
    with serve(routes(path)) as running:
        client = running.connect(request("/inline"), receive_buffer_bytes=65_536)
        client.end()
        assert client.take().content == path.read_bytes()
        assert client.ends()


def test_pipelined_requests_are_answered_in_order(path, way):
    with serve(routes(path)) as running, running.connect() as client:
        targets = ["/hello", "/inline", "/hello", "/thread", "/task", "/hello"]
        client.send(b"".join(request(target) for target in targets))
        for target in targets:
            assert client.take().content == (b"hello" if target == "/hello" else path.read_bytes())


def test_hundreds_of_pipelined_heads_do_not_pile_up(path, way):
    with serve(routes(path)) as running, running.connect() as client:
        client.send(request("/inline", "HEAD") * 1200)
        for _ in range(1200):
            assert client.take("HEAD").status == 200
        wait_until(lambda: not descriptors_of(path), "the files close")


def test_http_1_0_and_connection_close(path, way):
    with serve(routes(path)) as running:
        with running.connect(request("/inline", version="1.0")) as client:
            reply = client.take()
            assert reply.closes and reply.content == path.read_bytes() and client.ends()
        with running.connect(request("/inline", "GET", "Connection: close")) as client:
            reply = client.take()
            assert reply.closes and reply.content == path.read_bytes() and client.ends()


def test_a_stop_lets_a_transfer_finish(path, way):
    with serve(routes(path)) as running:
        client = running.connect(request("/inline"), receive_buffer_bytes=65_536)
        client.take_head()
        running.begin_stop()
        while len(client.octets) < SIZE:
            assert client.receive()
        assert client.octets == path.read_bytes()


def test_transfers_share_the_loop_fairly(path):
    """A small reply beside many large ones waits for slices, not for files."""
    with serve(routes(path)) as running:
        stop = threading.Event()

        def fetch():
            while not stop.is_set():
                with running.connect(request("/inline")) as client:
                    client.take()

        threads = [threading.Thread(target=fetch) for _ in range(4)]
        for thread in threads:
            thread.start()
        waits = []
        with running.connect() as client:
            for _ in range(40):
                started = time.monotonic()
                assert client.ask("/hello").content == b"hello"
                waits.append(time.monotonic() - started)
        stop.set()
        for thread in threads:
            thread.join()
        assert sorted(waits)[len(waits) // 2] < 0.5
