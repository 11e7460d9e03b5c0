"""Addresses to listen on: what is read, what is refused, sockets that were left, passed or are in use."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.http.request import Request
from penstock.http.response import TextResponse
from penstock.server.address import Inherited, Tcp, Unix, parse_address
from penstock.server.bind import open_all
from penstock.server.config import Config
from tests.server.harness import WAIT_S, endpoint, request, serve

CLIENT = endpoint("inline", lambda request: TextResponse(repr(request.client)))


def ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        client.sendall(request("/", "GET", "Connection: close"))
        return b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Tcp("127.0.0.1", 8000)),
        ("localhost:0", Tcp("localhost", 0)),
        ("[::1]:8000", Tcp("::1", 8000)),
        ("[fe80::1%eth0]:80", Tcp("fe80::1%eth0", 80)),
        ("unix:/run/shop.sock", Unix("/run/shop.sock")),
        ("unix:shop.sock", Unix("shop.sock")),
        ("fd://3", Inherited("3")),
        ("fd://web", Inherited("web")),
    ],
)
def test_an_address_is_read_and_shown_as_written(text, address):
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8000", ":8000", "::1:8000", "[::1]", "a:65536", "a:-1", "http://a:1", "unix:", "fd://", "a:1/"],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(ValueError):
        parse_address(text)
    if text:
        with pytest.raises(ConfigError, match=r"bind: expected HOST:PORT, .*, got"):
            Config(bind=(text,))


def test_the_peer_of_a_unix_socket_is_no_client_and_the_path_goes_at_the_end(tmp_path):
    path = tmp_path / "s"

    with serve({"/": CLIENT}, bind=f"unix:{path}") as server:
        reply = ask(path)
        urls = server.urls

    assert reply.endswith(b"None")
    assert urls == [f"unix:{path}"]
    assert not path.exists()


@pytest.mark.parametrize("run", ["inline", "task", "thread"])
def test_a_unix_socket_serves_whatever_runs(tmp_path, run):
    path = tmp_path / "s"
    with serve({"/": endpoint(run, lambda request: TextResponse("x" * 1_000_000))}, bind=f"unix:{path}"):
        assert len(ask(path)) > 1_000_000


def test_a_socket_left_behind_is_replaced(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    with serve({"/": CLIENT}, bind=f"unix:{path}"):
        assert ask(path).startswith(b"HTTP/1.1 200")


def test_a_socket_in_use_is_left_alone(tmp_path):
    path = tmp_path / "s"
    with serve({"/": CLIENT}, bind=f"unix:{path}"):
        with pytest.raises(ConfigError, match="another server listens there"):
            open_all(Config(bind=(f"unix:{path}",)))

        assert ask(path).startswith(b"HTTP/1.1 200")


def test_a_file_is_never_removed(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")

    with pytest.raises(ConfigError, match="not a socket"):
        open_all(Config(bind=(f"unix:{path}",)))

    assert path.read_text() == "precious"


def test_a_socket_another_server_has_put_there_stays_at_the_end(tmp_path):
    path = tmp_path / "s"
    with serve({"/": CLIENT}, bind=f"unix:{path}"):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))

    assert path.exists()


@pytest.mark.parametrize("name", ["s" * 200, "none/s"])
def test_a_path_that_cannot_be_is_one_clear_line(tmp_path, name):
    with pytest.raises(ConfigError, match=r"cannot listen on unix:.*: (the path is too long|No such file)"):
        open_all(Config(bind=(f"unix:{tmp_path / name}",)))


def test_nothing_stays_open_when_one_address_fails(tmp_path):
    path = tmp_path / "s"

    with pytest.raises(ConfigError):
        open_all(Config(bind=(f"unix:{path}", "192.0.2.1:1")))

    assert not path.exists()


def test_an_owner_nobody_knows_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match="no such user"):
        open_all(Config(bind=(f"unix:{tmp_path / 's'}",), unix_owner="nobody-of-that-name"))

    assert not (tmp_path / "s").exists()


def test_an_open_socket_is_taken_over():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]

    with serve({"/": CLIENT}, bind=f"fd://{sock.detach()}") as server:
        assert server.port == port
        assert server.ask("/").status == 200


def test_a_descriptor_that_is_no_socket_is_one_clear_line(tmp_path):
    with (tmp_path / "f").open("w") as file, pytest.raises(ConfigError, match="it is no socket"):
        open_all(Config(bind=(f"fd://{file.fileno()}",)))
    with pytest.raises(ConfigError, match="it is not open"):
        open_all(Config(bind=("fd://987",)))
    with pytest.raises(ConfigError, match="no socket of that name was passed"):
        open_all(Config(bind=("fd://web",)))


def test_a_process_forked_later_does_not_remove_the_path(tmp_path):
    path = tmp_path / "s"
    (bound,) = open_all(Config(bind=(f"unix:{path}",)))

    bound._pid = os.getpid() + 1
    bound.close()

    assert path.exists()


def test_a_request_made_by_hand_has_no_client():
    assert Request.build().client is None
