"""ASGI 3 applications over real sockets, rule by rule (specification 2.4)."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading

import pytest

from penstock.errors import ClientDisconnected, ConnectionLost
from penstock.gateway.asgi import WHOLE_BYTES, ASGIHandler
from tests.server.harness import Gate, request, serve, wait_until

PIECE = b"x" * 65_536


def hosted(app, **settings):
    """A server for an application that takes no lifespan events."""

    async def without_lifespan(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        await app(scope, receive, send)

    return serve(ASGIHandler(without_lifespan), **settings)


def start(status=200, *headers, **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(content=b"", *, more=False):
    return {"type": "http.response.body", "body": content, "more_body": more}


async def read_all(receive):
    """The content, and in how many messages it came."""
    pieces = []
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces), len(pieces)


# ------------------------------------------------------------------------------------------------------------- the scope


def test_scope_is_complete():
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await send(start())
        await send(body(b"seen"))

    with hosted(app) as server, server.connect() as client:
        own = client.socket.getsockname()
        client.ask("/a%20b/%C3%A9?x=1&y=%20", "PUT", "X-One: a", "x-one:  b ", "Cookie: c=1", body=b"")
        port = server.port

    assert {key: value for key, value in seen.items() if key != "headers"} == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9",
        "query_string": b"x=1&y=%20",
        "root_path": "",
        "client": own,
        "server": ("127.0.0.1", port),
        "state": {},
        "extensions": {
            "http.response.trailers": {},
            "http.response.early_hint": {},
            "http.response.pathsend": {},
        },
    }
    assert seen["headers"] == [
        (b"host", b"test"),
        (b"x-one", b"a"),
        (b"x-one", b"b"),
        (b"cookie", b"c=1"),
        (b"content-length", b"0"),
    ]


def test_scope_of_http_1_0_says_so():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["http_version"])
        await send(start())
        await send(body())

    with hosted(app) as server, server.connect(request(version="1.0")) as client:
        client.take()

    assert seen == ["1.0"]


def test_headers_changed_by_one_request_are_whole_in_the_next():
    counts = []

    async def app(scope, receive, send):
        counts.append(len(scope["headers"]))
        scope["headers"].append((b"x-added", b"1"))
        scope["extensions"]["mine"] = {}
        await send(start())
        await send(body())

    with hosted(app) as server, server.connect() as client:
        for _ in range(3):
            client.ask("/")

    assert counts == [1, 1, 1]


def test_path_that_is_not_utf_8_is_served():
    async def app(scope, receive, send):
        await send(start())
        await send(body(scope["path"].encode()))

    with hosted(app) as server:
        reply = server.ask("/%ff")

    assert reply.content.decode() == "/�"


# ------------------------------------------------------------------------------------------------------ the simple reply


async def hello(scope, receive, send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5"), (b"x-own", b"\xe9")],
        }
    )
    await send({"type": "http.response.body", "body": b"hello"})


def test_reply_has_the_fields_the_application_set():
    with hosted(hello) as server:
        reply = server.ask("/")

    assert (reply.status, reply.content) == (200, b"hello")
    assert reply.get("content-type") == "text/plain"
    assert reply.get("content-length") == "5"
    assert reply.get("x-own") == "é"


def test_reply_to_head_has_length_and_no_content():
    with hosted(hello) as server, server.connect() as client:
        first, second = client.ask("/", "HEAD"), client.ask("/", "HEAD")

    assert (first.get("content-length"), first.content) == ("5", b"")
    assert second.status == 200


def test_head_answered_without_content_keeps_the_length_set():
    async def app(scope, receive, send):
        await send(start(200, (b"content-length", b"1234")))
        await send(body())

    with hosted(app) as server:
        reply = server.connect().ask("/", "HEAD")

    assert reply.get("content-length") == "1234"


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content_has_none(status):
    async def app(scope, receive, send):
        await send(start(status))
        await send(body())

    with hosted(app) as server, server.connect() as client:
        replies = [client.ask("/").status for _ in range(2)]

    assert replies == [status, status]


def test_response_without_content_type_gets_none():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x"})

    with hosted(app) as server:
        reply = server.ask("/")

    assert (reply.get("content-type"), reply.content) == (None, b"x")


def test_headers_may_be_lists_and_repeat():
    async def app(scope, receive, send):
        await send(
            start(200, [b"set-cookie", b"a=1"], [b"Set-Cookie", b"b=2"], [b"transfer-encoding", b"chunked"])
        )
        await send(body(bytearray(b"x")))

    with hosted(app) as server:
        reply = server.ask("/")

    assert [value for name, value in reply.fields if name == "set-cookie"] == ["a=1", "b=2"]
    assert reply.content == b"x"


def test_connection_close_is_heeded():
    async def app(scope, receive, send):
        await send(start(200, (b"connection", b"close")))
        await send(body(b"last"))

    with hosted(app) as server, server.connect() as client:
        reply = client.ask("/")
        client.end()
        assert (reply.closes, client.take()) == (True, None)


def test_pipelined_requests_are_answered_in_order():
    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await asyncio.sleep(0.01)
        await send(start())
        await send(body(scope["path"].encode()))

    with hosted(app) as server, server.connect() as client:
        client.send(b"".join(request(path) for path in ("/slow", "/a", "/slow", "/b")))
        contents = [client.take().content for _ in range(4)]

    assert contents == [b"/slow", b"/a", b"/slow", b"/b"]


# ------------------------------------------------------------------------------------------------------------- receiving


async def echo(scope, receive, send):
    content, count = await read_all(receive)
    await send(start(200, (b"x-messages", str(count).encode())))
    await send(body(content))


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES, WHOLE_BYTES + 1, 900_000])
def test_content_arrives_whole(size):
    content = bytes(range(256)) * (size // 256 + 1)

    with hosted(echo) as server, server.connect() as client:
        replies = [client.ask("/", "POST", body=content[:size]) for _ in range(2)]

    assert [reply.content == content[:size] for reply in replies] == [True, True]


def test_short_content_is_one_message():
    with hosted(echo) as server:
        reply = server.connect().ask("/", "POST", body=b"short")

    assert reply.get("x-messages") == "1"


def test_chunked_content_arrives_whole():
    octets = request("/", "POST", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    with hosted(echo) as server, server.connect() as client:
        for at in range(len(octets)):
            client.send(octets[at : at + 1])
        reply = client.take()

    assert reply.content == b"abcde"


def test_continue_is_sent_when_the_application_receives():
    gate = Gate()

    async def app(scope, receive, send):
        await gate.wait_async()
        await echo(scope, receive, send)

    with hosted(app) as server, server.connect() as client:
        client.send(request("/", "POST", "Expect: 100-continue", "Content-Length: 4"))
        gate.wait_reached()
        assert client.octets == b""
        gate.open()
        while b"100 Continue" not in client.octets:
            client.receive()
        client.send(b"data")
        reply = client.take()

    assert reply.content == b"data"


def test_application_need_not_receive():
    with hosted(hello) as server, server.connect() as client:
        reply = client.ask("/", "POST", body=b"x" * 200_000)

    assert reply.content == b"hello"


@pytest.mark.parametrize("chunked", [False, True])
def test_content_beyond_the_limit_is_413(chunked):
    content = b"x" * 100_000
    if chunked:
        octets = request("/", "POST", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (
            len(content),
            content,
        )
    else:
        octets = request("/", "POST", body=content)

    with hosted(echo, content_limit_bytes=90_000) as server, server.connect() as client:
        client.send(octets)
        reply = client.take()

    assert reply.status == 413


def test_receive_after_the_content_waits_for_the_end_of_the_response():
    seen = []

    async def app(scope, receive, send):
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        seen.append(waiting.done())
        await send(start())
        await send(body(b"x"))
        seen.append(await waiting)
        seen.append(await receive())

    with hosted(app) as server:
        server.ask("/")
        wait_until(lambda: len(seen) == 3)

    assert seen == [False, {"type": "http.disconnect"}, {"type": "http.disconnect"}]


# ------------------------------------------------------------------------------------------------------------- streaming


def test_stream_is_chunked_and_complete():
    async def app(scope, receive, send):
        await send(start(200, (b"content-type", b"text/event-stream")))
        for number in range(50):
            await send(body(str(number).encode(), more=True))
        await send(body())

    with hosted(app) as server, server.connect() as client:
        replies = [client.ask("/") for _ in range(2)]

    assert [reply.content for reply in replies] == ["".join(map(str, range(50))).encode()] * 2
    assert replies[0].get("transfer-encoding") == "chunked"
    assert replies[0].get("content-type") == "text/event-stream"


def test_piece_leaves_before_the_next_is_made():
    gate = Gate()

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"first", more=True))
        await gate.wait_async()
        await send(body(b"second"))

    with hosted(app) as server, server.connect(request()) as client:
        while b"first" not in client.octets:
            client.receive()
        gate.open()
        reply = client.take()

    assert reply.content == b"firstsecond"


def test_stream_of_declared_length_is_not_chunked():
    async def app(scope, receive, send):
        await send(start(200, (b"content-length", b"6")))
        await send(body(b"abc", more=True))
        await send(body(b"def"))

    with hosted(app) as server, server.connect() as client:
        replies = [client.ask("/"), client.ask("/", "HEAD"), client.ask("/")]

    assert [(reply.get("content-length"), reply.content) for reply in replies] == [
        ("6", b"abcdef"),
        ("6", b""),
        ("6", b"abcdef"),
    ]


@pytest.mark.parametrize("content", [b"abc", b"abcdefghi"])
def test_stream_of_another_length_than_declared_is_cut(content):
    async def app(scope, receive, send):
        await send(start(200, (b"content-length", b"6")))
        await send(body(content, more=True))
        await send(body())

    with hosted(app, faults=True) as server, server.connect(request()) as client:
        octets = b"".join(iter(lambda: client.socket.recv(65_536), b""))
        assert server.log.messages("the application failed")

    assert octets.count(b"HTTP/1.1") == 1
    assert len(octets.partition(b"\r\n\r\n")[2]) < 6


def test_complete_response_of_another_length_than_declared_is_500():
    async def app(scope, receive, send):
        await send(start(200, (b"content-length", b"6")))
        await send(body(b"abc"))

    with hosted(app, faults=True) as server:
        reply = server.ask("/")

    assert reply.status == 500


def test_response_begun_before_the_content_is_received_does_not_stop_it():
    content = PIECE * 100

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"begun ", more=True))
        count, more = 0, True
        while more:
            await asyncio.sleep(0)  # the client is faster
            message = await receive()
            count, more = count + len(message["body"]), message["more_body"]
        await send(body(b"%d" % count))

    with hosted(app, content_limit_bytes=2 * len(content)) as server, server.connect() as client:
        assert client.ask("/", "POST", body=content).content == b"begun %d" % len(content)


def test_send_waits_for_a_client_that_does_not_read():
    sent = []
    peak = 400

    async def app(scope, receive, send):
        await send(start())
        for number in range(peak):
            await send(body(PIECE, more=True))
            sent.append(number)
        await send(body())

    with hosted(app) as server, server.connect(receive_buffer_bytes=65_536) as client:
        client.send(request())
        wait_until(lambda: sent)
        before = -1
        while before != len(sent):  # until it stands still
            before = len(sent)
            threading.Event().wait(0.1)
        stood_at = len(sent)
        received, end = 0, b""
        while not end.endswith(b"\r\n0\r\n\r\n"):
            data = client.socket.recv(1_048_576)
            received, end = received + len(data), (end + data)[-7:]

    assert stood_at < peak
    assert received > peak * len(PIECE)


def test_every_task_that_waits_for_a_slow_client_goes_on():
    tasks = 3
    told = []

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"first", more=True))

        async def send_from_a_task():
            await send(body(b"x", more=True))
            told.append(1)

        works = [asyncio.create_task(send(body(PIECE * 100, more=True)))]
        works += [asyncio.create_task(send_from_a_task()) for _ in range(tasks)]
        await asyncio.sleep(0)
        works.append(given_up := asyncio.create_task(send_from_a_task()))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait(works)
        await send(body())

    with hosted(app) as server, server.connect(receive_buffer_bytes=65_536) as client:
        reply = client.ask()

    assert len(told) == tasks
    assert len(reply.content) == len(b"first") + 100 * len(PIECE) + tasks + 1


def test_stream_to_http_1_0_ends_with_the_connection():
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"a", more=True))
        await send(body(b"b"))

    with hosted(app) as server, server.connect(request(version="1.0")) as client:
        reply = client.take()

    assert (reply.content, reply.get("transfer-encoding")) == (b"ab", None)


def test_context_variable_is_kept_through_a_stream():
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    async def app(scope, receive, send):
        variable.set(scope["path"])
        await send(start())
        await send(body(b"a", more=True))
        await asyncio.sleep(0)
        await send(body(b"b"))
        seen.append(variable.get())

    with hosted(app) as server, server.connect() as client:
        client.ask("/one")
        client.ask("/two")

    assert seen == ["/one", "/two"]


# -------------------------------------------------------------------------------------------------------------- trailers


def test_trailers_follow_the_content():
    async def app(scope, receive, send):
        await send(start(200, (b"trailer", b"x-sum"), (b"content-length", b"3"), trailers=True))
        await send(body(b"abc"))
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"x-more", b"2")]})

    with hosted(app) as server, server.connect(request() + request()) as client:
        octets = b""
        while octets.count(b"x-more: 2\r\n\r\n") < 2:
            octets += client.socket.recv(65_536)

    assert octets.endswith(b"3\r\nabc\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n")


def test_early_hints_come_before_the_reply():
    async def app(scope, receive, send):
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"x"))

    with hosted(app) as server, server.connect() as client:
        reply = client.ask("/")
        assert client.interim == [103]
        old = server.connect(request(version="1.0"))
        old.take()

    assert reply.content == b"x"
    assert old.interim == []


# ----------------------------------------------------------------------------------------------------------- disconnects


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_receive_tells_that_the_client_left(leave):
    messages = []
    gate = threading.Event()

    async def app(scope, receive, send):
        await receive()
        gate.set()
        messages.append(await receive())
        try:
            await send(start())
        except OSError as error:
            messages.append(error)

    with hosted(app) as server:
        client = server.connect(request())
        assert gate.wait(20)
        getattr(client, leave)()
        wait_until(lambda: len(messages) == 2, "the application is told")
        server.wait_idle()

    assert messages[0] == {"type": "http.disconnect"}
    assert isinstance(messages[1], ConnectionLost | ClientDisconnected)


def test_send_of_a_stream_raises_oserror_when_the_client_left():
    raised = []

    async def app(scope, receive, send):
        await send(start())
        try:
            while True:
                await send(body(PIECE, more=True))
                await asyncio.sleep(0.001)
        except OSError as error:
            raised.append(error)
            raise

    with hosted(app) as server:
        client = server.connect(request())
        client.receive()
        client.reset()
        wait_until(lambda: raised, "send raises")
        server.wait_idle()


def test_client_that_leaves_in_the_middle_of_the_content_is_told():
    messages = []

    async def app(scope, receive, send):
        while True:
            messages.append((await receive())["type"])
            if messages[-1] == "http.disconnect":
                return

    with hosted(app) as server:
        client = server.connect(request("/", "POST", "Content-Length: 200000") + b"begun")
        wait_until(lambda: messages)
        client.close()
        wait_until(lambda: messages[-1] == "http.disconnect")
        server.wait_idle()


def test_stop_tells_an_endless_stream_at_the_drain_deadline():
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send(start())
        leaves = asyncio.ensure_future(receive())
        while not leaves.done():
            try:
                await send(body(b"x", more=True))
            except OSError:
                break
            await asyncio.sleep(0.01)
        seen.append(await leaves)

    with hosted(app, drain_timeout_s=0.3) as server, server.connect(request()) as client:
        client.receive()
        server.begin_stop()
        server.join()

    assert seen == [{"type": "http.disconnect"}]


# ---------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("waits", [False, True])
def test_exception_before_the_response_is_500(waits):
    async def app(scope, receive, send):
        if waits:
            await asyncio.sleep(0)
        raise ValueError("on purpose")

    with hosted(app, faults=True) as server, server.connect() as client:
        replies = [client.ask("/").status for _ in range(2)]
        assert len(server.log.tracebacks()) == 2

    assert replies == [500, 500]


@pytest.mark.parametrize("waits", [False, True])
def test_return_without_response_is_500(waits):
    async def app(scope, receive, send):
        if waits:
            await asyncio.sleep(0)

    with hosted(app) as server:
        reply = server.ask("/")
        assert server.log.messages(
            "returned before its response was complete; expected 'http.response.start'"
        )

    assert reply.status == 500


@pytest.mark.parametrize("error", [None, ValueError("on purpose")])
def test_stream_that_is_not_completed_is_cut(error):
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"begun", more=True))
        if error is not None:
            raise error

    with hosted(app, faults=error is not None) as server, server.connect(request()) as client:
        octets = b"".join(iter(lambda: client.socket.recv(65_536), b""))

    assert octets.endswith(b"5\r\nbegun\r\n")


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        ([body(b"x")], "'http.response.body' where 'http.response.start' was expected"),
        ([start(), start()], "'http.response.start' where 'http.response.body' was expected"),
        (
            [start(), {"type": "http.response.trailers"}],
            "'http.response.trailers' where 'http.response.body'",
        ),
        ([{"type": "websocket.accept"}], "'websocket.accept' where"),
    ],
)
def test_message_out_of_order_is_a_clear_error(messages, part):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    with hosted(app, faults=True) as server:
        reply = server.ask("/")
        (traceback,) = server.log.tracebacks()

    assert reply.status == 500
    assert part in traceback


def test_message_after_the_response_fails_without_harm():
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x"))
        await send(body(b"y"))

    with hosted(app, faults=True) as server, server.connect() as client:
        replies = [client.ask("/").content for _ in range(2)]
        assert "where nothing more was expected" in server.log.tracebacks()[0]

    assert replies == [b"x", b"x"]


@pytest.mark.parametrize(
    "message",
    [
        start(200, ("name", "text")),
        start(200, (b"bad name", b"x")),
        start(200, (b"x", b"a\r\nb: c")),
        start("200"),
        start(99),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_start_that_is_not_http_is_500(message, streams):
    async def app(scope, receive, send):
        await send(message)
        await send(body(b"x", more=streams))
        await send(body())

    with hosted(app, faults=True) as server:
        reply = server.ask("/")

    assert reply.status == 500


def test_text_as_content_is_an_error():
    async def app(scope, receive, send):
        await send(start())
        await send(body("text"))

    with hosted(app, faults=True) as server:
        reply = server.ask("/")
        assert "bytes, not str" in server.log.tracebacks()[0]

    assert reply.status == 500


# ------------------------------------------------------------------------------------------------------------ background


@pytest.mark.parametrize("waits_first", [False, True])
def test_work_goes_on_after_the_reply(waits_first):
    gate = Gate()
    done = []

    async def app(scope, receive, send):
        if waits_first:
            await asyncio.sleep(0)
        await send(start())
        await send(body(b"x"))
        await gate.wait_async()
        done.append(True)

    with hosted(app) as server, server.connect() as client:
        replies = [client.ask("/").content for _ in range(2)]
        assert done == []
        gate.open()
        wait_until(lambda: len(done) == 2)

    assert replies == [b"x", b"x"]


def test_stop_waits_for_work_after_the_reply():
    events = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for _ in range(2):
                kind = (await receive())["type"]
                events.append(kind)
                await send({"type": f"{kind}.complete"})
            return
        await send(start())
        await send(body(b"x"))
        await asyncio.sleep(0.2)
        events.append("background")

    with serve(ASGIHandler(app)) as server:
        server.ask("/")

    assert events == ["lifespan.startup", "background", "lifespan.shutdown"]


def test_exception_after_the_response_is_logged():
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x"))
        raise ValueError("on purpose")

    with hosted(app, faults=True) as server:
        reply = server.ask("/")
        assert server.log.messages("the application failed after its response")

    assert reply.content == b"x"


def test_application_may_be_a_plain_function_that_returns_an_awaitable():
    class Awaitable:
        def __init__(self, *arguments):
            self.arguments = arguments

        def __await__(self):
            return hello(*self.arguments).__await__()

    handler = ASGIHandler(Awaitable)

    with serve(handler) as server:
        # its lifespan sends a response and is told so
        assert server.ask("/").content == b"hello"


def test_state_of_json_is_a_copy_of_that_of_the_lifespan():
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"].update(shared=[1], count=0)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        scope["state"]["count"] += 1
        scope["state"]["shared"].append(2)
        await send(start())
        await send(body(json.dumps(scope["state"]).encode()))

    with serve(ASGIHandler(app)) as server, server.connect() as client:
        replies = [json.loads(client.ask("/").content) for _ in range(2)]

    assert replies == [{"shared": [1, 2], "count": 1}, {"shared": [1, 2, 2], "count": 1}]


def test_receive_waits_while_a_stream_is_sent():
    messages = []

    async def app(scope, receive, send):
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"a", more=True))
        await asyncio.sleep(0.01)
        messages.append(waiting.done())
        await send(body(b"b"))
        messages.append(await waiting)

    with hosted(app) as server:
        reply = server.ask("/")
        wait_until(lambda: len(messages) == 2)

    assert (reply.content, messages) == (b"ab", [False, {"type": "http.disconnect"}])
