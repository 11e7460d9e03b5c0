"""`websocket` scopes of ASGI applications over real sockets, rule by rule (specification 2.4)."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from penstock.errors import ConnectionLost
from penstock.gateway.asgi import ASGIHandler
from tests.server.harness import Gate, request, serve, wait_until
from tests.websocket.frames import BINARY, CLOSE, TEXT, Peer, close_frame, frame, handshake

pytestmark = pytest.mark.need_package("websockets")


def hosted(app, **settings):
    """A server for an application that takes no lifespan events."""

    async def without_lifespan(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        await app(scope, receive, send)

    return serve(ASGIHandler(without_lifespan), **{"ws_close_timeout_s": 0.2, **settings})


def connect(server, path="/", **options):
    from websockets.sync.client import connect

    return connect(f"ws://127.0.0.1:{server.port}{path}", **options)


def is_closed(client):
    """True when the server closes in the place of a message."""
    from websockets.exceptions import ConnectionClosed

    try:
        client.recv()
    except ConnectionClosed:
        return True
    return False


async def echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def accepting(*after):
    """An application that accepts and sends these messages."""

    async def app(scope, receive, send):
        await receive()
        for message in ({"type": "websocket.accept"}, *after):
            await send(message)

    return app


# --------------------------------------------------------------------------------------------------------------- scope


def test_scope_is_complete():
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    with hosted(app, proxy_trust="127.0.0.1") as server:
        fields = {"X-Own": "a", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/chat"}
        with connect(server, "/a%20b?x=1", subprotocols=["one", "two"], additional_headers=fields) as client:
            own, port = client.local_address[:2], server.port

    headers = dict(seen.pop("headers"))
    assert (headers[b"x-own"], headers[b"upgrade"]) == (b"a", b"websocket")
    assert seen == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/chat/a b",
        "raw_path": b"/chat/a%20b",
        "query_string": b"x=1",
        "root_path": "/chat",
        "client": own,
        "server": ("127.0.0.1", port),
        "subprotocols": ["one", "two"],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }


def test_scheme_is_ws_without_tls():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["scheme"])

    with hosted(app) as server, Peer(server.port):
        assert seen == ["ws"]


# -------------------------------------------------------------------------------------------------------------- accept


def test_accept_chooses_subprotocol_and_sets_fields():
    async def app(scope, receive, send):
        await receive()
        headers = [(b"x-own", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "websocket.accept", "subprotocol": "two", "headers": headers})

    with hosted(app) as server, connect(server, subprotocols=["one", "two"]) as client:
        assert client.subprotocol == "two"
        assert client.response.headers["x-own"] == "1"
        assert client.response.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_messages_of_both_kinds_come_back():
    with hosted(echo) as server, connect(server, max_size=None) as client:
        for message in ("", "text é 🎉", b"", b"\x00\xff", "x" * 100_000, b"y" * 100_000):
            client.send(message)
            assert client.recv() == message


def test_messages_without_compression_come_back():
    with hosted(echo) as server, connect(server, compression=None) as client:
        for number in range(200):
            client.send(str(number))
        assert [client.recv() for _ in range(200)] == [str(number) for number in range(200)]


def test_none_in_the_other_key_is_no_content():
    app = accepting(
        {"type": "websocket.send", "text": "a", "bytes": None},
        {"type": "websocket.send", "text": None, "bytes": bytearray(b"b")},
    )
    with hosted(app) as server, connect(server) as client:
        assert [client.recv(), client.recv()] == ["a", b"b"]


def test_plain_requests_are_served_beside():
    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": scope["type"].encode()})

    with hosted(app) as server, connect(server) as conversation, server.connect() as client:
        conversation.send("a")
        assert client.ask("/").content == b"http"
        assert client.ask("/", "POST", "Connection: upgrade", "Upgrade: websocket").content == b"http"
        assert client.ask("/", "GET", "Connection: upgrade", "Upgrade: h2c").content == b"http"
        assert conversation.recv() == "a"


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (handshake(version="12"), 426),
        (handshake(key="short"), 400),
        (handshake("/", "Sec-WebSocket-Extensions: ;;"), 400),
    ],
)
def test_malformed_handshake_is_refused_and_the_application_not_asked(octets, status):
    asked = []

    async def app(scope, receive, send):
        asked.append(scope)

    with hosted(app) as server, server.connect(octets) as client:
        assert client.take().status == status

    assert asked == []


def test_origin_is_the_applications_to_judge():
    with hosted(echo) as server, Peer(server.port, "/", "Origin: https://elsewhere.example") as peer:
        assert peer.status == 101


def test_octets_sent_with_the_handshake_are_the_first_message():
    with hosted(echo) as server, Peer(server.port, rest=frame(TEXT, b"early")) as peer:
        assert peer.take().data == b"early"


# --------------------------------------------------------------------------------------------------------------- close


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "away"), (4999, "ü")])
def test_application_closes_with_code_and_reason(code, reason):
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code, "reason": reason})
        seen.append(await receive())

    with hosted(app) as server, connect(server) as client:
        assert is_closed(client)
        assert (client.close_code, client.close_reason) == (code, reason)
        wait_until(lambda: seen)

    assert seen == [{"type": "websocket.disconnect", "code": code, "reason": reason}]


def test_close_without_code_is_1000():
    app = accepting({"type": "websocket.close", "reason": None})
    with hosted(app) as server, Peer(server.port) as peer:
        assert peer.take() == (CLOSE, b"\x03\xe8", True, 0)


@pytest.mark.parametrize(
    ("octets", "code", "reason"),
    [
        (close_frame(4001, b"bye"), 4001, "bye"),
        (close_frame(1000), 1000, ""),
        (close_frame(None), 1005, ""),
        (frame(TEXT, b"\xff"), 1007, None),
        (frame(TEXT, b"x", mask=None), 1002, None),
        (b"", 1006, None),
    ],
    ids=["code and reason", "code", "no code", "no UTF-8", "no mask", "left"],
)
def test_disconnect_tells_how_it_ended(octets, code, reason):
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        seen.extend([await receive(), await receive()])
        try:
            await send({"type": "websocket.send", "text": "too late"})
        except OSError as error:
            seen.append(error)

    with hosted(app) as server:
        with Peer(server.port) as peer:
            peer.send(octets)
            if octets:
                peer.take_all()
        wait_until(lambda: len(seen) == 3)
        server.wait_idle()

    assert [message["code"] for message in seen[:2]] == [code, code]
    assert reason is None or seen[0] == {"type": "websocket.disconnect", "code": code, "reason": reason}
    assert isinstance(seen[2], ConnectionLost)


def test_return_of_the_application_closes():
    with hosted(accepting()) as server, Peer(server.port) as peer:
        assert peer.take() == (CLOSE, b"\x03\xe8", True, 0)


# ------------------------------------------------------------------------------------------------------------- refusal


def test_close_before_accept_is_403():
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close"})
        seen.append((await receive())["type"])

    with hosted(app) as server, server.connect() as client:
        client.send(handshake() * 2)
        assert [client.take().status for _ in range(2)] == [403, 403]
        wait_until(lambda: len(seen) == 2)

    assert set(seen) == {"websocket.disconnect"}


def denying(*bodies, status=401, waits=False):
    async def app(scope, receive, send):
        await receive()
        if waits:
            await asyncio.sleep(0)
        headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Basic")]
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        for body in bodies:
            await send({"type": "websocket.http.response.body", **body})

    return app


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    "bodies",
    [[{"body": b"log in"}], [{"body": b"log", "more_body": True}, {"body": b" in", "more_body": False}]],
)
def test_application_answers_with_a_response_of_its_own(bodies, waits):
    with hosted(denying(*bodies, waits=waits)) as server, server.connect() as client:
        client.send(handshake())
        reply = client.take()
        client.send(handshake())
        again = client.take()

    assert (reply.status, reply.content, reply.get("www-authenticate")) == (401, b"log in", "Basic")
    assert again.content == b"log in"


def test_response_that_is_not_completed_is_cut():
    with hosted(denying({"body": b"begun", "more_body": True})) as server, server.connect() as client:
        client.send(handshake())
        assert client.take_all().endswith(b"5\r\nbegun\r\n")


# -------------------------------------------------------------------------------------------------------------- faults


def raises(scope, receive, send):
    raise ValueError("on purpose")


async def raises_later(scope, receive, send):
    await asyncio.sleep(0)
    raise ValueError("on purpose")


async def returns(scope, receive, send):
    await receive()


async def sends_first(scope, receive, send):
    await send({"type": "websocket.send", "text": "x"})


async def answers_http(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})


async def odd_field(scope, receive, send):
    await send({"type": "websocket.accept", "headers": [(b"x", b"a\r\nb: c")]})


async def starts_a_response_only(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 200})


@pytest.mark.parametrize(
    "app", [raises, raises_later, returns, sends_first, answers_http, odd_field, starts_a_response_only]
)
def test_fault_before_the_answer_is_500(app):
    with hosted(app, faults=True) as server, server.connect() as client:
        client.send(handshake() * 2)
        assert [client.take().status for _ in range(2)] == [500, 500]
        assert server.log.messages("the application ")


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ({"type": "websocket.accept"}, "where 'websocket.send' or 'websocket.close' was expected"),
        ({"type": "websocket.send"}, "has either 'text' or 'bytes'"),
        ({"type": "websocket.send", "text": "a", "bytes": b"a"}, "has either 'text' or 'bytes'"),
        ({"type": "websocket.send", "text": b"a"}, "'text' is a str and 'bytes' are bytes, not bytes"),
        ({"type": "websocket.send", "bytes": "a"}, "'text' is a str and 'bytes' are bytes, not str"),
        ({"type": "websocket.close", "code": 1006}, "1006 is not a code to close with"),
        ({"type": "websocket.http.response.start", "status": 200}, "'websocket.http.response.start' where"),
        ({"type": "http.response.start", "status": 200}, "'http.response.start' where"),
    ],
)
def test_fault_after_the_accept_is_1011_and_a_clear_error(message, part):
    with hosted(accepting(message), faults=True) as server, Peer(server.port) as peer:
        assert peer.take().code == 1011
        assert part in "".join(server.log.tracebacks())


def test_send_after_close_is_a_clear_error():
    app = accepting({"type": "websocket.close"}, {"type": "websocket.send", "text": "x"})
    with hosted(app, faults=True) as server, Peer(server.port) as peer:
        assert peer.take().code == 1000
        wait_until(lambda: "where nothing more was expected" in "".join(server.log.tracebacks()))


@pytest.mark.parametrize("leaves", ["before the answer", "after it"])
def test_application_that_fails_because_the_client_left_is_no_fault(leaves):
    async def app(scope, receive, send):
        await receive()
        if leaves == "after it":
            await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": f"websocket.{'accept' if leaves != 'after it' else 'send'}", "text": "x"})

    with hosted(app) as server:
        client = server.connect(handshake())
        if leaves == "after it":
            client.take_head()
        else:
            wait_until(lambda: any(one.request is not None for one in server.connections))
        client.close()
        wait_until(lambda: server.log.messages("gave up after the client"))
        server.wait_idle()


# ------------------------------------------------------------------------------------------------- bounds, drain, lack


def test_message_beyond_the_limit_is_1009():
    with hosted(echo, ws_message_limit_bytes=1000) as server, Peer(server.port) as peer:
        peer.send(frame(BINARY, bytes(1001)))
        assert peer.take().code == 1009


def test_send_waits_for_a_client_that_does_not_read():
    sent = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(200):
            await send({"type": "websocket.send", "bytes": bytes(65_536)})
            sent.append(number)

    with hosted(app) as server, Peer(server.port, receive_buffer_bytes=65_536) as peer:
        before = -1
        while before != len(sent) or not sent:  # until it stands still
            before = len(sent)
            wait_until(lambda: True)
            asyncio.run(asyncio.sleep(0.1))
        stood_at = len(sent)
        frames = [peer.take() for _ in range(200)]

    assert stood_at < 200
    assert {len(one.data) for one in frames} == {65_536}


def test_client_waits_for_an_application_that_does_not_receive():
    gate = Gate()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await gate.wait_async()

    with hosted(app, drain_timeout_s=0.1) as server, Peer(server.port) as peer:
        peer.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.send(frame(BINARY, bytes(65_536)) * 500)
        gate.open()


def test_stop_tells_the_application_and_closes_with_1001():
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        seen.append(await receive())

    with hosted(app) as server, Peer(server.port) as peer:
        server.begin_stop()
        assert peer.take().code == 1001
        peer.send(close_frame(1001))
        server.join()

    assert [message["code"] for message in seen] == [1001]


def test_application_that_does_not_end_is_cancelled_at_the_drain_deadline():
    ended = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(True)

    with hosted(app, drain_timeout_s=0.2, ws_close_timeout_s=5.0) as server, Peer(server.port) as peer:
        server.begin_stop()
        assert [one.code for one in peer.take_all()] == [1001]
        server.join()

    assert ended == [True]


def test_without_the_package_the_application_sees_plain_http(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.server", None)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": scope["type"].encode()})

    with hosted(app) as server, server.connect() as client:
        client.send(handshake() * 2)
        assert [client.take().content for _ in range(2)] == [b"http", b"http"]
        assert len(server.log.messages("penstock[standard]")) == 1


# ---------------------------------------------------------------------------------------------------------- frameworks


def converse(handler, path="/ws/7"):
    """What a client is told by an application that greets, echoes JSON and closes on "close"."""
    with serve(handler, faults=True) as server:
        with connect(server, path, additional_headers={"Cookie": "user=ann"}) as client:
            heard = [client.recv()]
            client.send(json.dumps({"a": 1}))
            heard.append(json.loads(client.recv()))
            client.send(b"octets")
            heard.append(client.recv())
            client.send("close")
            assert is_closed(client)
            heard.append((client.close_code, client.close_reason))
        with server.connect() as plain:
            plain.send(handshake("/none"))
            heard.append(plain.take().status)
            plain.send(handshake("/denied"))
            heard.append(plain.take().status)
        assert server.log.tracebacks() == []
    return heard


EXPECTED = ["hello 7 ann", {"a": 1}, b"octets", (4000, "done")]


async def serve_client(websocket):
    """For Starlette and FastAPI, whose sockets are the same."""
    await websocket.accept()
    await websocket.send_text(f"hello {websocket.path_params['number']} {websocket.cookies['user']}")
    await websocket.send_json(await websocket.receive_json())
    await websocket.send_bytes(await websocket.receive_bytes())
    assert await websocket.receive_text() == "close"
    await websocket.close(4000, "done")


def test_starlette_converses(need_package):
    need_package("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import WebSocketRoute

    async def deny(websocket):
        await websocket.send_denial_response(PlainTextResponse("no", 402))

    app = Starlette(routes=[WebSocketRoute("/ws/{number}", serve_client), WebSocketRoute("/denied", deny)])

    assert converse(ASGIHandler(app)) == [*EXPECTED, 403, 402]


def test_fastapi_converses(need_package):
    need_package("fastapi")
    from fastapi import Depends, FastAPI, WebSocket, WebSocketException

    app = FastAPI()
    events = []

    async def resource():
        events.append("opened")
        yield 1
        events.append("closed")

    async def talk(websocket, number, opened):
        await serve_client(websocket)

    async def deny():
        raise WebSocketException(1008)

    talk.__annotations__ = {"websocket": WebSocket, "number": int, "opened": int}
    talk.__defaults__ = (Depends(resource),)
    app.add_api_websocket_route("/ws/{number}", talk)
    app.add_api_websocket_route("/denied", deny)

    assert converse(ASGIHandler(app)) == [*EXPECTED, 403, 403]
    assert events == ["opened", "closed"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_litestar_converses(need_package):
    need_package("litestar")
    from litestar import Litestar, WebSocket
    from litestar import websocket as route
    from litestar.exceptions import NotAuthorizedException

    async def talk(socket):
        await socket.accept()
        await socket.send_text(f"hello {socket.path_params['number']} {socket.cookies['user']}")
        await socket.send_json(await socket.receive_json())
        await socket.send_bytes(await socket.receive_bytes())
        assert await socket.receive_text() == "close"
        await socket.close(4000, "done")

    async def deny(socket):
        raise NotAuthorizedException

    for handler in (talk, deny):
        handler.__annotations__ = {"socket": WebSocket, "return": None}
    app = Litestar([route("/ws/{number:int}")(talk), route("/denied")(deny)])

    assert converse(ASGIHandler(app))[:4] == EXPECTED


def test_upgrade_field_of_an_ordinary_request_is_ignored():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": scope["type"].encode()})

    with hosted(app) as server, server.connect(request("/", "GET", "Upgrade: websocket")) as client:
        assert client.take().content == b"http"
