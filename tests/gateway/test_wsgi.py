"""WSGI applications over real sockets, rule by rule (PEP 3333)."""

from __future__ import annotations

import json
import threading
from wsgiref.validate import validator

import pytest

from penstock.gateway.asgi import WHOLE_BYTES
from penstock.gateway.wsgi import WSGIHandler
from tests.server.harness import Gate, request, serve, wait_until

TEXT = [("Content-Type", "text/plain")]


def hosted(app, **settings):
    return serve(WSGIHandler(app), **settings)


def show(environ, start_response):
    """The environment as JSON."""
    shown = {key: value for key, value in environ.items() if isinstance(value, str | int | bool | tuple)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode()]


class Content:
    """Pieces, and whether they were closed."""

    def __init__(self, *pieces, fails=False):
        self.pieces = pieces
        self.closed = 0
        self.fails = fails

    def __iter__(self):
        yield from self.pieces
        if self.fails:
            raise ValueError("on purpose")

    def close(self):
        self.closed += 1


# ------------------------------------------------------------------------------------------------------------ environment


def test_environment_is_complete():
    with hosted(show) as server, server.connect() as client:
        address, port = client.socket.getsockname()
        reply = client.ask(
            "/a%20b/%C3%A9?x=%20&y",
            "PUT",
            "X-One: a",
            "x-one:  b ",
            "Cookie: c=1",
            "Content-Type: a/b",
            body=b"",
        )
        server_port = server.port

    assert json.loads(reply.content) == {
        "REQUEST_METHOD": "PUT",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/é".encode().decode("latin-1"),
        "QUERY_STRING": "x=%20&y",
        "RAW_URI": "/a%20b/%C3%A9?x=%20&y",
        "REQUEST_URI": "/a%20b/%C3%A9?x=%20&y",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "0",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server_port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(port),
        "HTTP_HOST": "test",
        "HTTP_X_ONE": "a,b",
        "HTTP_COOKIE": "c=1",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def test_cookies_are_joined_as_cookies():
    with hosted(show) as server, server.connect() as client:
        reply = client.ask("/", "GET", "Cookie: a=1", "Cookie: b=2")

    assert json.loads(reply.content)["HTTP_COOKIE"] == "a=1; b=2"


def test_field_with_an_underscore_does_not_pass_for_one_with_a_dash():
    with hosted(show) as server, server.connect() as client:
        reply = client.ask("/", "GET", "X_User: forged", "Content_Length: 5")

    environ = json.loads(reply.content)
    assert not {"HTTP_X_USER", "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"} & set(environ)


def test_environment_changed_by_one_request_is_whole_in_the_next():
    def app(environ, start_response):
        assert "mine" not in environ
        environ["mine"] = environ.pop("HTTP_HOST")
        start_response("200 OK", TEXT)
        return [b"x"]

    with hosted(app) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(3)] == [200] * 3


def test_wsgiref_finds_no_fault():
    def app(environ, start_response):
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", TEXT)
        return [content or b"x"]

    with hosted(validator(app)) as server, server.connect() as client:
        replies = [client.ask("/"), client.ask("/p?q=1", "POST", body=b"abc"), client.ask("/", "HEAD")]

    assert [reply.status for reply in replies] == [200] * 3


# ---------------------------------------------------------------------------------------------------------------- content


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES, WHOLE_BYTES + 1, 900_000])
def test_content_is_read_whole(size):
    content = (b"line of text\n" * (size // 13 + 1))[:size]

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read()]

    with hosted(app) as server, server.connect() as client:
        assert [client.ask("/", "POST", body=content).content == content for _ in range(2)] == [True, True]


@pytest.mark.parametrize("length", [7, 200_000])
def test_content_is_read_by_lines_and_sizes(length):
    line = b"12345\n"
    content = (line * (length // 6 + 1))[:length]

    def app(environ, start_response):
        stream = environ["wsgi.input"]
        parts = [
            stream.readline(),
            stream.read(1),
            stream.readline(3),
            stream.readline(),
            *stream.readlines(10),
        ]
        parts += list(stream)
        assert stream.read(1) == stream.readline() == stream.read() == b""
        start_response("200 OK", [*TEXT, ("X-First", str(len(parts[0])))])
        return [b"".join(parts)]

    with hosted(app) as server, server.connect() as client:
        reply = client.ask("/", "POST", body=content)

    assert (reply.content, reply.get("x-first")) == (content, "6")


def test_chunked_content_is_read_to_its_end():
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read(100)]

    with hosted(app) as server, server.connect() as client:
        client.send(request("/", "POST", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert client.take().content == b"abcde"


def test_chunked_content_beyond_the_limit_is_413():
    content = Content(b"x")

    def app(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError:
            pass
        start_response("200 OK", TEXT)
        return content

    chunk = b"%x\r\n%b\r\n" % (100_000, bytes(100_000))
    with hosted(app, content_limit_bytes=90_000) as server, server.connect() as client:
        client.send(request("/", "POST", "Transfer-Encoding: chunked") + chunk)
        assert client.take().status == 413
        wait_until(lambda: content.closed == 1)


# --------------------------------------------------------------------------------------------------------------- response


@pytest.mark.parametrize("pieces", [[b"hello"], [b"he", b"llo"], (b"hello",), [b"", b"hello"]])
def test_list_is_a_complete_response(pieces):
    def app(environ, start_response):
        start_response("201 Made Up Reason", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return pieces

    with hosted(app) as server, server.connect() as client:
        reply = client.ask("/")
        head = client.ask("/", "HEAD")

    assert (reply.status, reply.content, reply.get("content-length")) == (201, b"hello", "5")
    assert [value for name, value in reply.fields if name == "set-cookie"] == ["a=1", "b=2"]
    assert (head.content, head.get("content-length")) == (b"", "5")


@pytest.mark.parametrize("pieces", [(), (b"",), (b"hello",), (b"", b"he", b"llo")])
@pytest.mark.parametrize("declares", [False, True])
def test_iterable_is_sent_and_closed_once(pieces, declares):
    made = []

    def app(environ, start_response):
        headers = [("Content-Length", str(len(b"".join(pieces))))] if declares else []
        start_response("200 OK", [*TEXT, *headers])
        made.append(Content(*pieces))
        return made[-1]

    with hosted(app) as server, server.connect() as client:
        replies = [client.ask("/"), client.ask("/", "HEAD"), client.ask("/")]
        wait_until(lambda: [content.closed for content in made] == [1, 1, 1])

    assert [reply.content for reply in replies] == [b"".join(pieces), b"", b"".join(pieces)]


def test_piece_leaves_before_the_next_is_asked_for():
    gate = Gate()

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"first"
        gate.wait()
        yield b"second"

    with hosted(app) as server, server.connect(request()) as client:
        while b"first" not in client.octets:
            client.receive()
        gate.open()
        assert client.take().content == b"firstsecond"


def test_close_comes_after_the_reply():
    gate = Gate()

    class Slow(list):
        def close(self):
            gate.wait()

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return Slow([b"x"])

    with hosted(app) as server, server.connect() as client:
        assert client.ask("/").content == b"x"
        gate.wait_reached()
        gate.open()


def test_stream_is_closed_when_the_client_leaves():
    content = Content(*([bytes(65_536)] * 1000))

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return content

    with hosted(app) as server:
        client = server.connect(request())
        client.receive()
        client.reset()
        wait_until(lambda: content.closed == 1)
        server.wait_idle()


@pytest.mark.parametrize("streams", [False, True])
def test_write_comes_before_the_iterable(streams):
    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"b")
        return iter([b"c", b"d"]) if streams else [b"c", b"d"]

    with hosted(app) as server:
        assert server.ask("/").content == b"abcd"


def test_what_is_written_leaves_while_the_application_goes_on():
    gate = Gate()
    content = Content(b"returned")

    def app(environ, start_response):
        write = start_response("200 OK", [*TEXT, ("X-Own", "1")])
        write(b"")
        write(b"written")
        gate.wait()
        return content

    with hosted(app) as server, server.connect(request() * 2) as client:
        while b"written" not in client.octets:
            client.receive()
        gate.wait_reached()
        gate.open()
        replies = [client.take() for _ in range(2)]
        wait_until(lambda: content.closed == 2)

    assert [reply.content for reply in replies] == [b"writtenreturned"] * 2
    assert replies[0].get("x-own") == "1"


def test_generator_may_write_before_its_first_piece():
    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"a")
        yield b"b"
        yield b"c"

    with hosted(app) as server, server.connect() as client:
        assert [client.ask("/").content for _ in range(2)] == [b"abc", b"abc"]
        assert client.ask("/", "HEAD").content == b""


def test_write_from_within_the_iterable_is_an_error():
    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        yield b"a"
        write(b"b")

    with hosted(app, faults=True) as server, server.connect(request()) as client:
        assert client.take_all().endswith(b"1\r\na\r\n")
        assert "write() is not for the iterable" in "".join(server.log.tracebacks())


def test_write_waits_for_a_client_that_does_not_read():
    written = []

    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        for number in range(400):
            write(bytes(65_536))
            written.append(number)
        return []

    with hosted(app) as server, server.connect(receive_buffer_bytes=65_536) as client:
        client.send(request())
        before = -1
        while before != len(written) or not written:  # until it stands still
            before = len(written)
            threading.Event().wait(0.1)
        stood_at = len(written)
        received, end = 0, b""
        while not end.endswith(b"\r\n0\r\n\r\n"):
            data = client.socket.recv(1_048_576)
            received, end = received + len(data), (end + data)[-7:]

    assert stood_at < 400
    assert received > 400 * 65_536


def test_write_raises_oserror_when_the_client_left():
    raised = []

    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        try:
            while True:
                write(bytes(65_536))
        except OSError as error:
            raised.append(error)
            raise

    with hosted(app) as server:
        client = server.connect(request())
        client.receive()
        client.reset()
        wait_until(lambda: raised)
        server.wait_idle()


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_failure_after_write_cuts_the_reply(error):
    content = Content(b"x", fails=True)

    def app(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"begun")
        if error is SystemExit:
            raise SystemExit
        return content

    with hosted(app, faults=True) as server:
        for _ in range(2):
            with server.connect(request()) as client:
                assert client.take_all().endswith((b"5\r\nbegun\r\n", b"1\r\nx\r\n"))
        assert len(server.log.messages("the application failed")) == 2
        wait_until(lambda: content.closed == (2 if error is ValueError else 0))


@pytest.mark.parametrize("declared", ["3", "9"])
def test_another_length_written_than_declared_cuts_the_reply(declared):
    def app(environ, start_response):
        write = start_response("200 OK", [*TEXT, ("Content-Length", declared)])
        write(b"abcde")
        return []

    with hosted(app, faults=True) as server, server.connect(request()) as client:
        assert client.take_all().partition(b"\r\n\r\n")[2] in (b"", b"abcde")
        wait_until(lambda: "Content-Length" in "".join([*server.log.messages(), *server.log.tracebacks()]))


def test_write_of_a_head_that_cannot_be_sent_is_500():
    def app(environ, start_response):
        write = start_response("200 OK", [("X", "a\nb")])
        write(b"x")
        return []

    with hosted(app, faults=True) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(2)] == [500, 500]


def test_write_after_the_handler_timeout_is_too_late():
    raised = []
    gate = Gate()

    def app(environ, start_response):
        gate.wait()
        try:
            start_response("200 OK", TEXT)(b"late")
        except OSError as error:
            raised.append(error)
        return []

    with hosted(app, handler_timeout_s=0.5, faults=True) as server, server.connect(request()) as client:
        assert client.take().status == 504
        gate.open()
        wait_until(lambda: raised)


def test_write_after_the_handler_timeout_does_not_touch_the_next_connection():
    raised = []
    gate = Gate()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/late":
            gate.wait()
        try:
            start_response("200 OK", TEXT)(b"in time")
        except OSError as error:
            raised.append(error)
        return []

    with hosted(app, handler_timeout_s=1.5, faults=True) as server:
        assert server.ask("/late").status == 504
        server.wait_idle()
        with server.connect() as client:  # it gets the descriptor of the other
            assert client.ask("/").content == b"in time"
            gate.open()
            wait_until(lambda: raised)
            assert client.ask("/").content == b"in time"
    assert not server.log.tracebacks()


def test_start_response_may_come_with_the_first_piece():
    def app(environ, start_response):
        yield b""
        start_response("202 Accepted", TEXT)
        yield b"late"

    with hosted(app) as server:
        reply = server.ask("/")

    assert (reply.status, reply.content) == (202, b"late")


def test_exc_info_replaces_what_is_not_sent():
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        try:
            raise ValueError
        except ValueError as error:
            start_response("418 Teapot", TEXT, (type(error), error, error.__traceback__))
        return [b"x"]

    with hosted(app) as server:
        assert server.ask("/").status == 418


def test_exc_info_raises_once_the_head_is_sent():
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"sent"
        try:
            raise ValueError("on purpose")
        except ValueError as error:
            start_response("500 Oops", TEXT, (type(error), error, error.__traceback__))

    with hosted(app, faults=True) as server, server.connect(request()) as client:
        octets = b"".join(iter(lambda: client.socket.recv(65_536), b""))

    assert octets.endswith(b"4\r\nsent\r\n")


# ----------------------------------------------------------------------------------------------------------------- faults


def raises(environ, start_response):
    raise ValueError("on purpose")


def raises_later(environ, start_response):
    start_response("200 OK", TEXT)
    raise ValueError("on purpose")


def never_starts(environ, start_response):
    return [b"x"]


def starts_twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)


def odd_status(environ, start_response):
    start_response("OK", TEXT)


def odd_header(environ, start_response):
    start_response("200 OK", [("X", b"x")])


def split_header(environ, start_response):
    start_response("200 OK", [("X", "a\r\nSet-Cookie: b")])
    return [b"x"]


def hop_by_hop(environ, start_response):
    start_response("200 OK", [("Transfer-Encoding", "chunked")])
    return [b"x"]


def text(environ, start_response):
    start_response("200 OK", TEXT)
    return ["x"]


def nothing(environ, start_response):
    start_response("200 OK", TEXT)


def wrong_length(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"x"]


@pytest.mark.parametrize(
    "app",
    [
        raises,
        raises_later,
        never_starts,
        starts_twice,
        odd_status,
        odd_header,
        split_header,
        hop_by_hop,
        text,
        nothing,
        wrong_length,
    ],
)
def test_fault_of_the_application_is_500_and_logged(app):
    with hosted(app, faults=True) as server, server.connect() as client:
        replies = [client.ask("/").status for _ in range(2)]
        assert len(server.log.messages("trace id")) == 2

    assert replies == [500, 500]


def test_iterable_that_fails_in_its_first_piece_is_500_and_closed():
    content = Content(fails=True)

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return content

    with hosted(app, faults=True) as server:
        assert server.ask("/").status == 500
        wait_until(lambda: content.closed == 1)


def test_stream_that_fails_is_cut_and_closed():
    content = Content(b"begun", fails=True)

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return content

    with hosted(app, faults=True) as server, server.connect(request()) as client:
        octets = b"".join(iter(lambda: client.socket.recv(65_536), b""))
        wait_until(lambda: content.closed == 1)

    assert octets.endswith(b"5\r\nbegun\r\n")


def test_exception_in_close_is_logged():
    class Broken(list):
        def close(self):
            raise ValueError("on purpose")

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return Broken([b"x"])

    with hosted(app, faults=True) as server, server.connect() as client:
        assert [client.ask("/").status for _ in range(2)] == [200, 200]
        wait_until(lambda: len(server.log.messages("failed in close()")) == 2)


def test_requests_run_beside_each_other():
    barrier = threading.Barrier(3)

    def app(environ, start_response):
        barrier.wait(20)
        start_response("200 OK", TEXT)
        return [b"x"]

    with hosted(app) as server:
        clients = [server.connect(request()) for _ in range(3)]
        assert [client.take().status for client in clients] == [200] * 3
