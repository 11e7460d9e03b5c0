"""examples/websocket_chat.py"""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture
def room(run_example):
    with run_example("websocket_chat") as site:
        yield lambda name: connect(f"ws://127.0.0.1:{site.server.port}/rooms/lobby?name={name}")


def hear(client):
    line = json.loads(client.recv(10))
    return line["name"], line["text"]


def test_everybody_hears_what_is_said(room):
    with room("ann") as ann:
        assert hear(ann) == ("ann", "joined")
        with room("bob") as bob:
            assert hear(ann) == hear(bob) == ("bob", "joined")
            bob.send('{"text": "hello"}')
            assert hear(ann) == hear(bob) == ("bob", "hello")
        assert hear(ann) == ("bob", "left")


def test_rooms_hear_their_own_only(room, run_example):
    with run_example("websocket_chat") as site:
        address = f"ws://127.0.0.1:{site.server.port}/rooms"
        with connect(f"{address}/one?name=ann") as ann, connect(f"{address}/two?name=bob") as bob:
            assert (hear(ann), hear(bob)) == (("ann", "joined"), ("bob", "joined"))
            ann.send('{"text": "hello"}')
            assert hear(ann) == ("ann", "hello")
            with pytest.raises(TimeoutError):
                bob.recv(0.2)


@pytest.mark.parametrize(("message", "code"), [("{", 1007), ("x" * 5000, 1009)])
def test_what_is_no_json_or_too_long_ends_the_connection(room, message, code):
    with room("ann") as ann:
        assert hear(ann) == ("ann", "joined")
        ann.send(message)
        with pytest.raises(ConnectionClosedError):
            hear(ann)
        assert ann.protocol.close_code == code


def test_who_gives_no_name_is_refused(run_example):
    with run_example("websocket_chat") as site, pytest.raises(InvalidStatus, match="422"):
        connect(f"ws://127.0.0.1:{site.server.port}/rooms/lobby")


def test_the_page_is_there(run_example):
    with run_example("websocket_chat") as site:
        assert "new WebSocket" in site.get("/").text
