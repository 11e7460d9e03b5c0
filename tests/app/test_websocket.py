"""WebSocket routes of an App, over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from websockets.sync.client import connect

from penstock.app.application import App
from penstock.app.routing.router import Router
from penstock.app.schema.markers import Cookie, Header
from penstock.app.websocket.socket import WebSocket
from penstock.errors import ApplicationError, HTTPError, LocalProtocolError, WebSocketDisconnect
from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from tests.server.harness import Gate, Running, serve, wait_until
from tests.websocket.frames import (
    ACCEPT,
    BINARY,
    CLOSE,
    TEXT,
    Frame,
    Peer,
    close_frame,
    frame,
    handshake,
)


def one(handler: Callable[..., Any], path: str = "/", **options: Any) -> App:
    """An application of one WebSocket route."""
    app = App()
    app.websocket(path, **options)(handler)
    return app


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


def dialogue(
    app: Any, *octets: bytes, target: str = "/", fields: tuple[str, ...] = (), **settings: Any
) -> list[Frame]:
    """What the server says until it ends the connection; the client answers no close."""
    with serve(app, ws_close_timeout_s=0.1, **settings) as server, Peer(server.port, target, *fields) as peer:
        peer.send(*octets)
        return peer.take_all()


def url(server: Running, path: str = "/") -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


# ----------------------------------------------------------------------------------------------------------- arguments


def test_markers_say_where_arguments_come_from():
    async def show(
        ws: WebSocket,
        x_mine: Annotated[str, Header(max_length=3)],
        session: Annotated[int, Cookie(alias="s")],
    ) -> None:
        await ws.send_json([x_mine, session])

    with serve(one(show)) as server:
        with connect(url(server), additional_headers={"X-Mine": "abc", "Cookie": "s=7"}) as client:
            assert client.recv() == '["abc",7]'
        with Peer(server.port, "/", "X-Mine: abcd", "Cookie: s=7") as peer:
            assert peer.status == 422


def test_arguments_are_bound_as_those_of_other_routes():
    app = App()
    router = Router("/rooms")

    @router.websocket("/{room}/{number}")
    async def join(
        ws: WebSocket, room: str, number: int, tag: Annotated[list[str], "x"], verbose: bool = False
    ) -> None:
        await ws.send_json(
            [room, number, verbose, tag, ws.path_params, ws.query.get("verbose"), ws.headers["x-mine"]]
        )

    app.include(router)
    with serve(app) as server:
        with connect(
            url(server, "/rooms/a%2Fb/7?verbose=true&tag=x&tag=y"), additional_headers={"X-Mine": "m"}
        ) as client:
            assert client.recv() == '["a/b",7,true,["x","y"],{"room":"a/b","number":"7"},"true","m"]'

        with Peer(server.port, "/rooms/a/b?verbose=maybe") as peer:
            assert peer.status == 422
        with Peer(server.port, "/nowhere") as peer:
            assert peer.status == 404


def test_a_handler_by_any_name_and_by_its_annotation_gets_the_socket():
    async def by_name(websocket) -> None:
        await websocket.send(type(websocket).__name__)

    async def both(a: WebSocket, *, request: Request) -> None:
        await a.send(f"{a.request is request} {a.client == request.client} {a!r}")

    app = App()
    app.websocket("/name")(by_name)
    app.websocket("/both")(both)
    with serve(app) as server:
        with connect(url(server, "/name")) as client:
            assert client.recv() == "WebSocket"
        with connect(url(server, "/both")) as client:
            assert client.recv() == "True True <WebSocket /both>"


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda app: app.websocket("/")(lambda ws: None), "async def"),
        (lambda app: app.websocket("/", drain="never")(echo), "drain='never'"),
        (lambda app: app.websocket("/", origins="https://a")(echo), "origins must be a list such as"),
        (lambda app: app.websocket("/", subprotocols="a")(echo), "subprotocols must be a list"),
        (lambda app: app.websocket("/", ping_interval_s=-1)(echo), "ping_interval_s=-1"),
        (lambda app: app.websocket("/", message_limit_bytes=0)(echo), "message_limit_bytes=0"),
        (lambda app: app.websocket("/", queue_limit=True)(echo), "queue_limit=True"),
        (lambda app: app.websocket("/", compression=1)(echo), "compression=1"),
        (lambda app: app.websocket("/", close_timeout_s=0)(echo), "close_timeout_s=0"),
        (lambda app: app.websocket("/", run="inline")(echo), "unknown option 'run'; there are name, origins"),
        (lambda app: (app.get("/")(lambda: ""), app.websocket("/")(echo)), "two routes answer GET /"),
        (lambda app: app.get("/")(echo), "declare it with @app.websocket"),
    ],
)
def test_what_is_declared_wrongly_is_told_at_the_start(declare: Callable[[App], Any], message: str):
    app = App()

    with pytest.raises(ApplicationError, match=re.escape(message)):
        (declare(app), app.compile())


def test_a_body_is_refused():
    from penstock.http.handler import BodyStream

    async def stream(ws: WebSocket, body: BodyStream) -> None: ...

    with pytest.raises(ApplicationError, match="parameter 'body': a WebSocket has no body"):
        one(stream).compile()


def test_routes_are_listed_and_have_urls():
    app = one(echo, "/echo/{room}", name="talk")

    assert [(row.methods, row.path, row.name, row.run) for row in app.routes()] == [
        (("WEBSOCKET",), "/echo/{room}", "talk", "task")
    ]
    assert app.url_for("talk", room="a b") == "/echo/a%20b"


# ----------------------------------------------------------------------------------------------------------- handshake


def test_the_accept_key_is_that_of_the_rfc():
    with serve(one(echo)) as server, Peer(server.port) as peer:
        assert peer.status == 101
        assert peer.field("sec-websocket-accept") == ACCEPT
        assert peer.field("sec-websocket-extensions") is peer.field("sec-websocket-protocol") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_plain_request_is_told_to_upgrade(method: str):
    with serve(one(echo)) as server, server.connect() as client:
        reply = client.ask("/", method)

        assert reply.status == 426
        assert (reply.get("upgrade"), reply.get("connection")) == ("websocket", "Upgrade")
        assert client.ask("/", "POST", body=b"").status == 405


@pytest.mark.parametrize(
    ("octets", "status", "field"),
    [
        (handshake(version="8"), 426, ("sec-websocket-version", "13")),
        (handshake(version=""), 426, ("sec-websocket-version", "13")),
        (handshake().replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426, ("sec-websocket-version", "13")),
        (handshake(key="dGhlIHNhbXBsZSBub25jZQ"), 400, None),
        (handshake(key="dGhlIHNhbXBsZSBub25jZQ=="[4:]), 400, None),
        (handshake(key="*" * 22 + "=="), 400, None),
        (handshake(key=""), 400, None),
        (handshake("/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, None),
        (handshake().replace(b"Sec-WebSocket-Key: ", b"Key: "), 400, None),
        (handshake("/", "Sec-WebSocket-Extensions: permessage-deflate; =1"), 400, None),
        (handshake().replace(b"Upgrade: websocket", b"Upgrade: h2c"), 426, ("upgrade", "websocket")),
        (
            handshake().replace(b"Connection: Upgrade", b"Connection: keep-alive"),
            426,
            ("upgrade", "websocket"),
        ),
        (handshake().replace(b"HTTP/1.1", b"HTTP/1.0"), 426, ("upgrade", "websocket")),
    ],
)
def test_a_wrong_handshake_is_answered_and_the_connection_goes_on(octets: bytes, status: int, field: Any):
    with serve(one(echo)) as server, server.connect(octets) as client:
        reply = client.take()

        assert reply is not None and reply.status == status
        if field:
            assert reply.get(field[0]) == field[1]
        if b"HTTP/1.0" not in octets:
            client.send(handshake())
            assert b" 101 " in client.take_head()


def test_a_handshake_for_an_ordinary_route_is_an_ordinary_request():
    app = App()
    app.get("/")(lambda: "plain")
    with serve(app) as server, server.connect(handshake()) as client:
        reply = client.take()

        assert reply and (reply.status, reply.content) == (200, b"plain")
        assert client.ask("/").status == 200


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (None, None, 101),
        (None, "http://test", 101),
        (None, "HTTP://TEST", 101),
        (None, "https://test", 101),
        (None, "http://test:80", 101),
        (None, "http://test:8000", 403),
        (None, "http://evil.test", 403),
        (None, "null", 403),
        (["https://shop.example"], "https://shop.example", 101),
        (["https://shop.example"], "https://shop.example.evil", 403),
        (["https://shop.example"], "http://test", 403),
        (["https://shop.example"], None, 101),
        (["*"], "https://anywhere.example", 101),
        ([], "http://test", 403),
    ],
)
def test_origins_of_pages_are_checked(origins: Any, origin: str | None, status: int):
    options = {} if origins is None else {"origins": origins}
    fields = () if origin is None else (f"Origin: {origin}",)
    with serve(one(echo, **options)) as server, Peer(server.port, "/", *fields) as peer:
        assert peer.status == status


def test_behind_a_trusted_proxy_the_host_it_tells_of_is_that_of_its_pages():
    async def tell(ws: WebSocket) -> None:
        await ws.send(f"{ws.client} {ws.request.url}")

    told = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https")
    with serve(one(tell), proxy_trust="127.0.0.1") as server:
        with Peer(server.port, "/", "Origin: https://shop.example", *told) as peer:
            assert peer.take() == Frame(TEXT, b"('192.0.2.7', 0) https://shop.example/")
        with Peer(server.port, "/", "Origin: http://test", *told) as peer:
            assert peer.status == 403


@pytest.mark.parametrize(
    ("ours", "offer", "chosen"),
    [
        ((), "a, b", None),
        (("b", "a"), "a, b", "b"),
        (("c", "a"), "a, b", "a"),
        (("c",), "a, b", None),
        (("c",), "", None),
        (("b",), "a,,b , ,", "b"),
    ],
)
def test_the_first_of_our_subprotocols_that_is_offered_is_accepted(
    ours: tuple[str, ...], offer: str, chosen: str | None
):
    async def tell(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send_json([ws.subprotocols, ws.subprotocol])

    fields = (f"Sec-WebSocket-Protocol: {offer}",) if offer else ()
    with serve(one(tell, subprotocols=ours)) as server, Peer(server.port, "/", *fields) as peer:
        assert peer.field("sec-websocket-protocol") == chosen
        told = peer.take()
        assert told and f",{chosen!r}]".replace("'", '"').replace("None", "null") in told.data.decode()


def test_a_handler_accepts_with_a_subprotocol_and_headers():
    async def accept(ws: WebSocket) -> None:
        with pytest.raises(ValueError, match="not one the client offers"):
            await ws.accept("c")
        with pytest.raises(LocalProtocolError):
            await ws.accept(headers={"X-Bad": "a\r\nb"})
        await ws.accept(
            "b", {"X-Mine": "1", "Sec-WebSocket-Accept": "mine", "Upgrade": "mine", "Set-Cookie": "a=b"}
        )
        with pytest.raises(RuntimeError, match="already"):
            await ws.accept()

    with (
        serve(one(accept, subprotocols=["a"])) as server,
        Peer(server.port, "/", "Sec-WebSocket-Protocol: a, b") as peer,
    ):
        assert peer.field("sec-websocket-protocol") == "b"
        assert (peer.field("x-mine"), peer.field("set-cookie")) == ("1", "a=b")
        assert (peer.field("sec-websocket-accept"), peer.field("upgrade")) == (ACCEPT, "websocket")
        assert peer.take() == Frame(CLOSE, b"\x03\xe8")


def test_before_it_accepts_a_handler_answers_like_any_other():
    app = App()

    class Mine(Exception):
        pass

    @app.exception_handler(Mine)
    async def answer(request: Request, error: Mine) -> Response:
        return TextResponse("mine", 418)

    async def raises(ws: WebSocket, kind: str) -> None:
        await asyncio.sleep(0)
        if kind == "return":
            return
        if kind == "close":
            await ws.close()
            with pytest.raises(RuntimeError):
                await ws.accept()
            await ws.close()
            with pytest.raises(WebSocketDisconnect):
                await ws.receive()
            return
        raise {"http": HTTPError(401, "who?"), "mine": Mine(), "other": OSError("secret")}[kind]

    app.websocket("/{kind}")(raises)
    with serve(app, faults=True) as server, server.connect() as client:
        statuses = {}
        for kind in ("http", "mine", "other", "return", "close"):
            client.send(handshake(f"/{kind}"))
            reply = client.take()
            assert reply is not None and b"secret" not in reply.content
            statuses[kind] = reply.status
    assert statuses == {"http": 401, "mine": 418, "other": 500, "return": 403, "close": 403}
    assert len(server.log.tracebacks()) == 1


def test_hooks_go_round_it():
    app = one(echo)
    app.before(lambda request: TextResponse("no", 401) if "cookie" not in request.headers else None)

    @app.after
    def mark(request: Request, response: Response) -> None:
        response.headers["X-After"] = str(response.status)

    with serve(app) as server:
        with Peer(server.port) as peer:
            assert (peer.status, peer.field("x-after")) == (401, "401")
        with Peer(server.port, "/", "Cookie: a=b") as peer:
            assert (peer.status, peer.field("x-after")) == (101, "101")
            peer.send(frame(TEXT, b"hello"))
            assert peer.take() == Frame(TEXT, b"hello")


def test_a_client_that_left_before_it_was_accepted_ends_the_handler():
    gate, seen = Gate(), []

    async def slow(ws: WebSocket) -> None:
        await gate.wait_async()
        try:
            await ws.accept()
        except WebSocketDisconnect as error:
            seen.append((error.code, str(error)))
            raise

    with serve(one(slow)) as server:
        peer = Peer(server.port, shake=False)
        peer.send(handshake())
        gate.wait_reached()
        peer.socket.close()
        wait_until(lambda: not server.connections or server.connections[0].peer_ended)
        gate.open()
        wait_until(lambda: seen)
        server.wait_idle()
    assert seen == [(1006, "1006: the client left")]


# -------------------------------------------------------------------------------------------------------- conversation


def test_messages_of_either_kind_come_and_go():
    async def kinds(ws: WebSocket) -> None:
        await ws.send(f"{await ws.receive_text()} {(await ws.receive_bytes())!r} {await ws.receive_json()}")
        await ws.send(bytearray(b"1"))
        await ws.send(memoryview(b"22")[1:])
        await ws.send_json({"a": "ü"})
        with pytest.raises(TypeError, match="a message is str or bytes, not dict"):
            await ws.send({})  # type: ignore[arg-type]

    with serve(one(kinds)) as server, connect(url(server)) as client:
        client.send("text")
        client.send(b"bytes")
        client.send('{"n": [1]}')
        assert client.recv() == "text b'bytes' {'n': [1]}"
        assert [client.recv(), client.recv(), client.recv()] == [b"1", b"2", '{"a":"ü"}']


@pytest.mark.parametrize(
    ("method", "message", "code"),
    [
        ("receive_text", frame(BINARY, b"x"), 1003),
        ("receive_bytes", frame(TEXT, b"x"), 1003),
        ("receive_json", frame(TEXT, b"{"), 1007),
        ("receive_json", frame(BINARY, b"\xff"), 1007),
    ],
)
def test_a_message_of_another_kind_ends_the_connection(method: str, message: bytes, code: int):
    async def receive(ws: WebSocket) -> None:
        await getattr(ws, method)()

    assert [frame.code for frame in dialogue(one(receive), message)] == [code]


def test_a_handler_that_returns_closes_with_1000_and_one_that_fails_with_1011():
    async def handler(ws: WebSocket) -> None:
        if await ws.receive() == "fail":
            raise OSError("secret")

    with serve(one(handler), faults=True) as server:
        with Peer(server.port) as peer:
            peer.send(frame(TEXT, b"well"))
            assert peer.take() == Frame(CLOSE, b"\x03\xe8")
            peer.send(close_frame())
            assert peer.ends()
        with Peer(server.port, "/", "traceparent: 00-" + "ab" * 16 + "-" + "cd" * 8 + "-01") as peer:
            peer.send(frame(TEXT, b"fail"))
            assert peer.take() == Frame(CLOSE, b"\x03\xf3internal error")
        (logged,) = server.log.tracebacks()
        assert "OSError: secret" in logged and "ab" * 16 in logged


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "away"), (3000, "x" * 123), (4999, "ü")])
def test_a_handler_closes_with_code_and_reason(code: int, reason: str):
    after: list[Any] = []

    async def closes(ws: WebSocket) -> None:
        await ws.accept()
        await ws.close(code, reason)
        await ws.close(1011)  # too late to matter
        for call in (ws.receive(), ws.send("late")):
            try:
                await call
            except WebSocketDisconnect as error:
                after.append((error.code, error.reason))

    octets = code.to_bytes(2, "big") + reason.encode()
    assert dialogue(one(closes), frame(TEXT, b"ignored"), frame(TEXT, b"ignored")) == [Frame(CLOSE, octets)]
    assert after == [(code, reason)] * 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [(999, ""), (1005, ""), (1006, ""), (1015, ""), (2000, ""), (5000, ""), (1000, "ü" * 62)],
)
def test_what_cannot_be_said_in_a_close_frame_is_an_error_in_the_handler(code: int, reason: str):
    async def closes(ws: WebSocket) -> None:
        await ws.accept()
        with pytest.raises(ValueError):
            await ws.close(code, reason)

    assert [frame.code for frame in dialogue(one(closes))] == [1000]


@pytest.mark.parametrize(
    ("octets", "code", "reason"),
    [
        (close_frame(4001, b"bye"), 4001, "bye"),
        (close_frame(None), 1005, ""),
        (frame(TEXT, b"\xff"), 1007, "no UTF-8: invalid start byte"),
        (None, 1006, "the connection broke"),
    ],
)
def test_the_end_is_an_exception_that_says_why(octets: bytes | None, code: int, reason: str):
    seen: list[Any] = []

    async def listens(ws: WebSocket) -> None:
        try:
            while True:
                seen.append(await ws.receive())
        except WebSocketDisconnect as error:
            seen.append((error.code, error.reason))
            with pytest.raises(WebSocketDisconnect):
                await ws.send("nobody")
            raise

    with serve(one(listens)) as server:
        with Peer(server.port) as peer:
            peer.send(frame(TEXT, b"first"), octets or b"")
            if octets is None:
                peer.end()
            peer.take_all()
        wait_until(lambda: len(seen) == 2)
    assert seen == ["first", (code, reason)]


def test_a_loop_over_messages_just_ends():
    seen: list[Any] = []

    async def loops(ws: WebSocket) -> None:
        seen.extend([message async for message in ws])
        seen.append("ended")

    with serve(one(loops)) as server, connect(url(server)) as client:
        client.send("a")
        client.close(4000)
        wait_until(lambda: "ended" in seen)
    assert seen == ["a", "ended"]


def test_one_task_receives_while_others_send():
    async def handler(ws: WebSocket) -> None:
        await ws.accept()

        async def tick(name: int) -> None:
            for _ in range(20):
                await ws.send(f"{name}")
                await asyncio.sleep(0)

        first = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await ws.receive()
        await asyncio.gather(*(tick(name) for name in range(3)))
        await ws.send(f"got {await first}")

    with serve(one(handler)) as server, connect(url(server)) as client:
        received = [str(client.recv()) for _ in range(60)]
        client.send("x")
        assert sorted(received) == ["0"] * 20 + ["1"] * 20 + ["2"] * 20
        assert client.recv() == "got x"


def test_a_receive_that_is_cancelled_loses_no_message():
    async def handler(ws: WebSocket) -> None:
        await ws.accept()
        for _ in range(20):
            try:
                await asyncio.wait_for(ws.receive(), 0.001)
            except TimeoutError:
                pass
            else:
                raise AssertionError
        await ws.send("now")
        await ws.send(await ws.receive())

    with serve(one(handler)) as server, connect(url(server)) as client:
        assert client.recv() == "now"
        client.send("kept")
        assert client.recv() == "kept"


def test_routes_say_otherwise_than_the_server():
    app = one(echo, message_limit_bytes=5, compression=False, ping_interval_s=0, queue_limit=3)
    with (
        serve(app, ws_ping_interval_s=0.01) as server,
        Peer(server.port, "/", "Sec-WebSocket-Extensions: permessage-deflate") as peer,
    ):
        assert peer.field("sec-websocket-extensions") is None
        peer.send(frame(TEXT, b"12345"))
        assert peer.take() == Frame(TEXT, b"12345")
        peer.send(frame(TEXT, b"123456"))
        closed = peer.take()
        assert closed and closed.code == 1009


# --------------------------------------------------------------------------------------------------------------- drain


def test_a_stop_closes_with_1001_and_waits_for_the_handler():
    ended = []

    async def listens(ws: WebSocket) -> None:
        async for _ in ws:
            pass
        ended.append(bool(ws.draining))

    with serve(one(listens)) as server, Peer(server.port) as peer:
        wait_until(lambda: server.connections)
        server.begin_stop()
        assert peer.take() == Frame(CLOSE, b"\x03\xe9going away")
        peer.send(close_frame(1001))
        assert peer.ends()
        peer.socket.close()
        server.join()
    assert ended == [True]


def test_a_handler_may_finish_by_itself_and_is_closed_in_time_when_it_does_not():
    async def finishes(ws: WebSocket) -> None:
        await ws.accept()
        await ws.draining
        await ws.send("last words")
        if ws.query.get("stays"):
            await ws.receive()

    app = one(finishes, drain="finish")
    with serve(app, drain_timeout_s=2, ws_close_timeout_s=0.1) as server:
        with Peer(server.port) as peer, Peer(server.port, "/?stays=1") as other:
            wait_until(lambda: len(server.connections) == 2)
            server.begin_stop()
            assert [peer.take(), peer.take()] == [Frame(TEXT, b"last words"), Frame(CLOSE, b"\x03\xe8")]
            assert other.take() == Frame(TEXT, b"last words")
            assert other.take() == Frame(CLOSE, b"\x03\xe9going away")
        server.join()


def test_a_handler_that_does_not_end_is_cancelled_at_the_drain_deadline():
    ended = []

    async def deaf(ws: WebSocket) -> None:
        await ws.accept()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with serve(one(deaf), drain_timeout_s=0.2) as server, Peer(server.port) as peer:
        server.begin_stop()
        assert [frame.code for frame in peer.take_all()] == [1001]
        server.join()
    assert ended == ["cancelled"]
