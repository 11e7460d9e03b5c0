"""Files of hosted applications, sent by the server: `http.response.pathsend` and `wsgi.file_wrapper`."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import threading
from pathlib import Path

import pytest

from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.file_wrapper import FileWrapper
from penstock.gateway.wsgi import WSGIHandler
from tests.server.harness import request, serve, wait_until

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DESCRIPTORS = Path("/proc/self/fd")
TYPE = (b"content-type", b"text/plain")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def count_sendfile(monkeypatch):
    """How many octets went by sendfile."""
    sent = []
    real = os.sendfile

    def counting(*arguments):
        count = real(*arguments)
        sent.append(count)
        return count

    monkeypatch.setattr("penstock.server.transfer._sendfile", counting)
    return lambda: sum(sent)


def take_all(client):
    return b"".join(iter(lambda: client.socket.recv(65_536), b""))


# ------------------------------------------------------------------------------------------------------------- pathsend


def sends(path, *headers, status=200, before=(), after=()):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        assert scope["extensions"]["http.response.pathsend"] == {}
        for message in before:
            await send(message)
        await send({"type": "http.response.start", "status": status, "headers": [TYPE, *headers]})
        await send({"type": "http.response.pathsend", "path": str(path)})
        for message in after:
            await send(message)

    return ASGIHandler(app)


def test_path_is_sent_by_sendfile(path, count_sendfile):
    length = (b"content-length", str(len(CONTENT)).encode())
    with serve(sends(path, length, (b"x-own", b"1"))) as server, server.connect() as client:
        replies = [client.ask("/"), client.ask("/"), client.ask("/", "HEAD"), client.ask("/")]

    assert [reply.content for reply in replies] == [CONTENT, CONTENT, b"", CONTENT]
    assert {reply.get("content-length") for reply in replies} == {str(len(CONTENT))}
    assert (replies[0].get("content-type"), replies[0].get("x-own")) == ("text/plain", "1")
    assert count_sendfile() == 3 * len(CONTENT)


def test_path_without_declared_length_gets_one(path):
    with serve(sends(path)) as server, server.connect() as client:
        assert client.ask("/").get("content-length") == str(len(CONTENT))


def test_file_is_sent_as_far_as_declared(path):
    with serve(sends(path, (b"content-length", b"10"))) as server, server.connect() as client:
        assert [client.ask("/").content for _ in range(2)] == [CONTENT[:10]] * 2


def test_conditions_and_ranges_are_the_applications(path):
    headers = [(b"etag", b'"1"'), (b"last-modified", b"Fri, 01 Jan 2021 00:00:00 GMT")]
    with serve(sends(path, *headers)) as server, server.connect() as client:
        reply = client.ask("/", "GET", 'If-None-Match: "1"', "Range: bytes=0-1")

    assert (reply.status, reply.content) == (200, CONTENT)
    assert reply.get("accept-ranges") is None


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content_sends_no_file(path, status):
    with serve(sends(path, status=status)) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(2)] == [status] * 2


def test_path_to_http_1_0_ends_with_the_file(path):
    with serve(sends(path)) as server, server.connect(request(version="1.0")) as client:
        assert client.take().content == CONTENT
        assert client.ends()


def test_empty_file_is_sent(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    with serve(sends(empty)) as server, server.connect() as client:
        assert [client.ask("/").get("content-length") for _ in range(2)] == ["0", "0"]


def test_pipelined_paths_come_in_order(path):
    with serve(sends(path)) as server, server.connect(request() * 3) as client:
        assert [client.take().content for _ in range(3)] == [CONTENT] * 3


@pytest.mark.parametrize(
    ("name", "headers"),
    [("none", ()), ("", ()), ("\0", ()), ("file.bin", ((b"content-length", b"99999999"),))],
    ids=["absent", "a directory", "no path", "too short"],
)
def test_file_that_cannot_be_sent_is_500_and_no_client_that_left(path, name, headers):
    raised = []
    handler = sends(f"{path.parent}/{name}", *headers)
    inner = handler._app

    async def outer(scope, receive, send):
        try:
            await inner(scope, receive, send)
        except RuntimeError as error:
            if scope["type"] == "http":
                raised.append(str(error))
            raise

    with serve(ASGIHandler(outer), faults=True) as server, server.connect() as client:
        statuses = [client.ask("/").status for _ in range(2)]
        assert len(server.log.tracebacks()) == 2

    assert statuses == [500, 500]
    assert all("cannot be sent" in text for text in raised)
    assert len(raised) == 2


@pytest.mark.parametrize(
    "messages",
    [
        {"before": [{"type": "http.response.pathsend", "path": "/"}]},
        {"after": [{"type": "http.response.body", "body": b"x"}]},
        {"after": [{"type": "http.response.pathsend", "path": "/"}]},
    ],
)
def test_path_in_the_wrong_place_is_a_clear_error(path, messages):
    with serve(sends(path, **messages), faults=True) as server, server.connect() as client:
        client.ask("/")
        wait_until(lambda: "was expected" in "".join(server.log.tracebacks()))


def test_trailers_after_a_path_are_a_clear_error(path):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "trailers": True})
        await send({"type": "http.response.pathsend", "path": str(path)})

    with serve(ASGIHandler(app), faults=True) as server, server.connect() as client:
        assert client.ask("/").status == 500
        assert "trailers cannot follow a file" in "".join(server.log.tracebacks())


def test_receive_tells_the_end_once_the_path_is_given(path):
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.pathsend", "path": str(path)})
        seen.append(await receive())

    with serve(ASGIHandler(app), faults=True) as server, server.connect() as client:
        assert client.ask("/").content == CONTENT
        wait_until(lambda: seen == [{"type": "http.disconnect"}])


def test_descriptors_are_closed_whether_the_client_reads_or_leaves(path):
    def count():
        return sum(str(path) == os.path.realpath(fd) for fd in DESCRIPTORS.iterdir())

    with serve(sends(path)) as server:
        for _ in range(5):
            client = server.connect(request())
            client.receive(10)
            client.reset()
        with server.connect() as client:
            client.ask("/")
        server.wait_idle()
        wait_until(lambda: count() == 0, "the descriptors close")


# ---------------------------------------------------------------------------------------------------------- file_wrapper


class Closing:
    """An application that wraps what `open_file` gives, and knows how often that was closed."""

    def __init__(self, open_file, *headers, status="200 OK", write=b""):
        self._open, self._headers, self._status, self._write = open_file, headers, status, write
        self.closed = 0
        self.threads = set()

    def __call__(self, environ, start_response):
        file = self._open()
        close = file.close

        def counting():
            self.closed += 1
            self.threads.add(threading.current_thread().name)
            close()

        file.close = counting
        write = start_response(self._status, [("Content-Type", "text/plain"), *self._headers])
        if self._write:
            write(self._write)
        return environ["wsgi.file_wrapper"](file, 1000)


def opened_at(path, place):
    file = path.open("rb")
    file.read(place)
    return file


@pytest.mark.parametrize("place", [0, 1, 5000, len(CONTENT)])
@pytest.mark.parametrize("declares", [False, True])
def test_file_is_sent_by_sendfile_from_where_it_stands(path, place, declares, count_sendfile):
    rest = CONTENT[place:]
    headers = [("Content-Length", str(len(rest)))] if declares else []
    app = Closing(lambda: opened_at(path, place), *headers)

    with serve(WSGIHandler(app)) as server, server.connect() as client:
        replies = [client.ask("/"), client.ask("/", "HEAD"), client.ask("/")]
        wait_until(lambda: app.closed == 3)

    assert [reply.content for reply in replies] == [rest, b"", rest]
    assert {reply.get("content-length") for reply in replies} == {str(len(rest))}
    assert count_sendfile() == 2 * len(rest)
    assert all(name.startswith("penstock") for name in app.threads)


def test_range_the_application_chose_is_sent(path, count_sendfile):
    app = Closing(
        lambda: opened_at(path, 100),
        ("Content-Length", "50"),
        ("Content-Range", f"bytes 100-149/{len(CONTENT)}"),
        status="206 Partial Content",
    )
    with serve(WSGIHandler(app)) as server, server.connect() as client:
        reply = client.ask("/", "GET", "Range: bytes=100-149")
        client.ask("/")

    assert (reply.status, reply.content) == (206, CONTENT[100:150])
    assert count_sendfile() == 100


def test_what_was_written_comes_before_the_file(path):
    app = Closing(lambda: opened_at(path, len(CONTENT) - 10), ("Content-Length", "13"), write=b"abc")
    with serve(WSGIHandler(app)) as server, server.connect() as client:
        assert client.ask("/").content == b"abc" + CONTENT[-10:]
        wait_until(lambda: app.closed == 1)


class Hands:
    """A file in a file, as Django has them."""

    def __init__(self, file):
        self.file = file

    read = property(lambda self: self.file.read)
    tell = property(lambda self: self.file.tell)
    fileno = property(lambda self: self.file.fileno)

    def close(self):
        self.file.close()


def temporary(kind):
    """A temporary file with the content in it."""
    file = kind()
    file.write(CONTENT)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("make", "is_sent"),
    [
        (lambda path: path.open("rb", buffering=0), True),
        (lambda path: path.open("r+b"), True),
        (lambda path: Hands(path.open("rb")), True),
        (lambda path: temporary(tempfile.TemporaryFile), True),
        (lambda path: temporary(tempfile.NamedTemporaryFile), True),
        (lambda path: io.BytesIO(CONTENT), False),
        (lambda path: temporary(tempfile.SpooledTemporaryFile), False),
        (lambda path: gzip.GzipFile(path.with_suffix(".gz")), False),
    ],
    ids=["raw", "buffered for both", "wrapped", "temporary", "named temporary", "memory", "spooled", "gzip"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_reads_as_a_plain_file_goes_by_sendfile(path, make, is_sent, count_sendfile):
    path.with_suffix(".gz").write_bytes(gzip.compress(CONTENT, 1))
    files = []

    def app(environ, start_response):
        files.append(make(path))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](files[-1])

    with serve(WSGIHandler(app)) as server, server.connect() as client:
        replies = [client.ask("/").content for _ in range(2)]
        wait_until(lambda: all(getattr(file, "file", file).closed for file in files))

    assert replies == [CONTENT, CONTENT]
    assert bool(count_sendfile()) == is_sent


def test_pipe_is_read_piece_by_piece():
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    app = Closing(lambda: os.fdopen(reading, "rb"))

    with serve(WSGIHandler(app)) as server:
        assert server.ask("/").content == b"through a pipe"
        wait_until(lambda: app.closed == 1)


def test_object_with_nothing_but_read_is_enough():
    pieces = [b"a", b"b", b""]

    class Reads:
        read = staticmethod(lambda size: pieces.pop(0))

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](Reads())

    with serve(WSGIHandler(app)) as server:
        assert server.ask("/").content == b"ab"


def test_text_file_is_a_clear_error(path):
    app = Closing(lambda: path.open("r", encoding="latin-1"))

    with serve(WSGIHandler(app), faults=True) as server, server.connect() as client:
        assert client.ask("/").status == 500
        assert "a piece of content is bytes, not str" in "".join(server.log.tracebacks())
        wait_until(lambda: app.closed == 1)


def test_file_shorter_than_declared_is_500_and_closed(path):
    app = Closing(lambda: opened_at(path, 10), ("Content-Length", str(len(CONTENT))))

    with serve(WSGIHandler(app), faults=True) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(2)] == [500, 500]
        wait_until(lambda: app.closed == 2)


def test_head_that_cannot_be_sent_is_500_and_the_file_closed(path):
    app = Closing(lambda: opened_at(path, 0), ("X", "a\nb"))

    with serve(WSGIHandler(app), faults=True) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(2)] == [500, 500]
        wait_until(lambda: app.closed == 2)


def test_file_is_closed_once_when_the_client_leaves(path):
    app = Closing(lambda: opened_at(path, 0))

    with serve(WSGIHandler(app)) as server:
        client = server.connect(receive_buffer_bytes=4096)
        client.send(request())
        client.receive(10)
        client.reset()
        server.wait_idle()
        wait_until(lambda: app.closed == 1)


def test_exception_in_close_of_a_file_is_logged(path):
    def app(environ, start_response):
        file = path.open("rb")
        close = file.close

        def fail():
            close()
            raise ValueError("on purpose")

        file.close = fail
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](file)

    with serve(WSGIHandler(app), faults=True) as server, server.connect() as client:
        assert [client.ask("/").content == CONTENT for _ in range(2)] == [True, True]
        wait_until(lambda: len(server.log.messages("failed in close()")) == 2)


def test_wrapper_that_middleware_iterates_reads_and_closes(path):
    app = Closing(lambda: path.open("rb"))

    def middleware(environ, start_response):
        inner = app(environ, start_response)
        yield from inner
        inner.close()

    with serve(WSGIHandler(middleware)) as server:
        assert server.ask("/").content == CONTENT
        wait_until(lambda: app.closed == 1)


def test_wrapper_can_seek_where_its_file_can(path):
    with path.open("rb") as file:
        wrapper = FileWrapper(file, 4)
        wrapper.seek(256)
        assert (wrapper.seekable(), wrapper.tell(), next(wrapper)) == (True, 256, CONTENT[:4])

    assert not FileWrapper(object()).seekable()
