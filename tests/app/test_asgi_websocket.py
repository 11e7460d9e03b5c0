"""WebSocket routes of an App called as an ASGI 3 application, with messages by hand."""

from __future__ import annotations

import asyncio

import pytest

from penstock import App, HTTPError, Request, WebSocket, WebSocketDisconnect
from penstock.errors import LocalProtocolError


def converse(handler, *messages, extensions=None, raises=None, options=None, **scope):
    """The messages an application of one route sends for these received ones; then the client stays silent."""
    app = App()
    app.websocket("/", **(options or {}))(handler)
    sent = []

    async def main():
        waiting = [{"type": "websocket.connect"}, *messages]

        async def receive():
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop(0)

        async def send(message):
            if raises is not None and message["type"] == "websocket.send":
                raise raises
            sent.append(message)

        whole = {
            "type": "websocket",
            "scheme": "wss",
            "path": "/",
            "headers": [(b"host", b"shop.example")],
            "subprotocols": ["one", "two"],
            "extensions": extensions or {},
            **scope,
        }
        await asyncio.wait_for(app(whole, receive, send), 10)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    asyncio.run(main())
    return sent


def text(message):
    return {"type": "websocket.receive", "text": message}


def accept(subprotocol=None, headers=()):
    return {"type": "websocket.accept", "subprotocol": subprotocol, "headers": list(headers)}


def close(code=1000, reason=""):
    return {"type": "websocket.close", "code": code, "reason": reason}


def test_handler_sees_the_request_and_what_the_client_offers():
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept("two", headers=[("X-Own", "é"), ("Sec-WebSocket-Protocol", "three")])
        await ws.send_json([request.url, ws.subprotocols, ws.subprotocol])

    sent = converse(handler)

    assert sent == [
        accept("two", [(b"x-own", b"\xe9")]),
        {"type": "websocket.send", "text": '["https://shop.example/",["one","two"],"two"]'},
        close(),
    ]


def test_messages_of_both_kinds_come_and_go():
    async def handler(ws: WebSocket) -> None:
        await ws.send(await ws.receive_text())
        await ws.send(bytearray(await ws.receive_bytes()))

    messages = [text("a"), {"type": "websocket.receive", "text": None, "bytes": b"b"}]

    assert converse(handler, *messages)[1:] == [
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.send", "bytes": b"b"},
        close(),
    ]


def test_disconnect_tells_code_and_reason_again_and_again():
    seen = []

    async def handler(ws: WebSocket) -> None:
        for _ in range(2):
            try:
                await ws.receive()
            except WebSocketDisconnect as end:
                seen.append((end.code, end.reason))
        try:
            await ws.send("late")
        except WebSocketDisconnect as end:
            seen.append(end.code)

    converse(handler, {"type": "websocket.disconnect", "code": 4001, "reason": "bye"})

    assert seen == [(4001, "bye"), (4001, "bye"), 4001]


def test_server_that_raises_means_that_the_client_left():
    seen = []

    async def handler(ws: WebSocket) -> None:
        try:
            await ws.send("x")
        except WebSocketDisconnect as end:
            seen.append(end.code)

    assert converse(handler, raises=ConnectionResetError("gone")) == [accept()]
    assert seen == [1006]


def test_close_forgets_what_was_not_received():
    seen = []

    async def handler(ws: WebSocket) -> None:
        assert await ws.receive() == "first"
        await ws.close(4000, "enough")
        try:
            await ws.receive()
        except WebSocketDisconnect as end:
            seen.append(end.code)

    sent = converse(handler, text("first"), text("second"), text("third"))

    assert sent == [accept(), close(4000, "enough")]
    assert seen == [4000]


def test_client_waits_for_a_handler_that_does_not_receive():
    received, ahead = [], []

    async def handler(ws: WebSocket) -> None:
        await ws.accept()
        for _ in range(100):  # turns of the loop
            await asyncio.sleep(0)
        ahead.append(len(received))

    class Counted(dict):
        def get(self, key, default=None):
            received.append(key)
            return super().get(key, default)

    converse(handler, *[Counted(text(str(number))) for number in range(50)], options={"queue_limit": 3})

    assert ahead == [4]  # three that are kept, and the one that waits for room


@pytest.mark.parametrize("code", [1005, 1006, 999, 5000])
def test_code_that_cannot_be_sent_is_an_error(code):
    async def handler(ws: WebSocket) -> None:
        await ws.accept()
        with pytest.raises(ValueError, match="not a code to close with"):
            await ws.close(code)

    assert converse(handler) == [accept(), close()]


def test_answer_is_given_once():
    async def handler(ws: WebSocket) -> None:
        with pytest.raises(LocalProtocolError):
            await ws.accept(headers=[("x", "a\r\nb")])
        await ws.accept()
        with pytest.raises(RuntimeError, match="answered already"):
            await ws.accept()

    assert converse(handler) == [accept(), close()]


def test_failure_before_the_answer_is_a_response_where_the_server_has_it():
    async def handler(ws: WebSocket) -> None:
        raise HTTPError(402, "pay first")

    without, sent = converse(handler), converse(handler, extensions={"websocket.http.response": {}})

    assert without == [{"type": "websocket.close"}]
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == 402
    assert b"pay first" in sent[1]["body"]


def test_page_of_a_foreign_origin_is_refused():
    async def handler(ws: WebSocket) -> None:
        await ws.accept()

    host = (b"host", b"shop.example")
    foreign, own = [(b"origin", b"https://evil.example"), host], [(b"origin", b"https://shop.example"), host]

    assert converse(handler, headers=foreign) == [{"type": "websocket.close"}]
    assert converse(handler, headers=own)[0] == accept()
    assert converse(handler, headers=foreign, options={"origins": ["*"]})[0] == accept()


def test_malformed_request_is_refused():
    async def handler(ws: WebSocket) -> None:
        await ws.accept()

    assert converse(handler, headers=[(b"x", b"a\r\nb: c")]) == [{"type": "websocket.close"}]


def test_plain_route_is_no_conversation():
    app = App()

    @app.get("/")
    def home() -> str:
        return "plain"

    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [], "extensions": {"websocket.http.response": {}}}
    asyncio.run(app(scope, receive, send))

    assert (sent[0]["status"], sent[1]["body"]) == (200, b"plain")
