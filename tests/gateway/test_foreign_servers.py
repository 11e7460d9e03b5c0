"""An App under the servers of others, as their users start them."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.apps import shop
from tests.e2e.workers import is_alive, wait_until
from tests.gateway.foreign import COMMANDS, serving

BIG = random.Random(1).randbytes(5_000_000)


@pytest.fixture(scope="module", params=list(COMMANDS))
def url(request, need_package, tmp_path_factory):
    need_package(request.param)
    big = tmp_path_factory.mktemp("files") / "big.bin"
    big.write_bytes(BIG)
    with serving(request.param, "tests.apps.shop:app", SHOP_FILE=str(big)) as port:
        yield f"http://127.0.0.1:{port}"


def fetch(url, content=None, **headers):
    asked = urllib.request.Request(url, content, headers)
    try:
        with urllib.request.urlopen(asked, timeout=20) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_start_up_has_run_and_handlers_answer(url):
    assert json.loads(fetch(f"{url}/thread")[2])[0] == "up"
    assert json.loads(fetch(f"{url}/?x")[2])["url"] == f"{url}/?x"


def test_streams_are_complete(url):
    assert fetch(f"{url}/stream")[2] == "".join(f"{number}\n" for number in range(100)).encode()
    assert fetch(f"{url}/stream-in-thread")[2] == b"0123456789"


@pytest.mark.parametrize("path", ["/digest", "/digest-in-thread"])
def test_large_upload_arrives_whole(url, path):
    assert json.loads(fetch(url + path, BIG)[2]) == [len(BIG), hashlib.sha256(BIG).hexdigest()]


def test_content_comes_back(url):
    assert fetch(f"{url}/echo", b"x" * 300_000)[2] == b"x" * 300_000


def test_file_is_sent_whole_and_in_parts(url):
    whole = fetch(f"{url}/file")
    part = fetch(f"{url}/file", Range="bytes=5-9")
    again = fetch(f"{url}/file", **{"If-None-Match": whole[1]["etag"]})

    assert (whole[0], whole[2] == BIG, whole[1]["content-length"]) == (200, True, str(len(BIG)))
    assert (part[0], part[2], part[1]["content-range"]) == (206, BIG[5:10], f"bytes 5-9/{len(BIG)}")
    assert again[0] == 304


def test_folder_and_events_are_served(url):
    whole = fetch(f"{url}/static/big.bin")
    part = fetch(f"{url}/static/big.bin", Range="bytes=5-9")

    assert (whole[0], whole[2] == BIG) == (200, True)
    assert (part[0], part[2]) == (206, BIG[5:10])
    assert fetch(f"{url}/static/none")[0] == 404
    assert fetch(f"{url}/news")[2].count(b"\n\n") == 3


def test_faults_have_their_status(url):
    assert [fetch(url + path)[0] for path in ("/none", "/echo", "/fail")] == [404, 405, 500]


@pytest.mark.parametrize(("path", "end"), [("/forever", "stream closed"), ("/wait", "wait cancelled")])
def test_handler_is_told_when_the_client_leaves(url, path, end):
    def events():
        return json.loads(fetch(f"{url}/events")[2])

    begun = events().count(end)
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        if path == "/forever":
            assert client.recv(10)
        else:
            while events().count("wait begun") == begun:
                time.sleep(0.02)

    deadline = time.monotonic() + 20
    while events().count(end) == begun:
        assert time.monotonic() < deadline, "it was not told"
        time.sleep(0.02)


def test_file_that_changed_place_is_not_sent_by_its_path(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"first")
    response = shop.FileResponse(path)
    assert response.file.locate(str(path)) == str(path)

    other.write_bytes(b"second")
    Path(other).replace(path)

    assert response.file.locate(str(path)) is None
    assert response.file.locate(str(other)) is None


# ----------------------------------------------------------------------------------------------------------- WebSocket


def connect(url, path, **options):
    from websockets.sync.client import connect

    return connect(url.replace("http", "ws") + path, **options)


def end_of(client):
    """Code and reason the server closes with."""
    from websockets.exceptions import ConnectionClosed

    with pytest.raises(ConnectionClosed) as closed:
        client.recv(20)
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.mark.need_package("websockets")
def test_websocket_route_converses(url):
    fields = {"Cookie": "a=1"}
    with connect(url, "/talk/7?x", subprotocols=["shop"], additional_headers=fields) as client:
        assert json.loads(client.recv()) == ["7", f"{url}/talk/7?x", "a=1", ["shop"]]
        assert client.subprotocol == "shop"
        for message in ("é", "", b"", b"\x00\xff", "x" * 70_000, BIG[:90_000]):
            client.send(message)
            assert client.recv() == message
        client.send("close")
        assert end_of(client) == (4000, "done")


@pytest.mark.need_package("websockets")
@pytest.mark.parametrize(("message", "code"), [("fail", 1011), ("x" * 100_001, 1009)])
def test_websocket_fault_has_its_code(url, message, code):
    with connect(url, "/talk/7") as client:
        client.recv()
        client.send(message)
        assert end_of(client)[0] == code


@pytest.mark.need_package("websockets")
def test_websocket_handler_is_told_when_the_client_leaves(url):
    def count():
        return json.loads(fetch(f"{url}/events")[2]).count("talk ended")

    before = count()
    with connect(url, "/talk/7") as client:
        client.recv()
        client.socket.shutdown(socket.SHUT_RDWR)

    deadline = time.monotonic() + 20
    while count() == before:
        assert time.monotonic() < deadline, "it was not told"
        time.sleep(0.02)


@pytest.mark.need_package("websockets")
@pytest.mark.parametrize(
    ("path", "fields", "statuses"),
    [
        ("/refused", {}, {403}),
        ("/denied", {}, {402, 403}),
        ("/none", {}, {404, 403}),
        ("/talk/7", {"Origin": "https://elsewhere.example"}, {403}),
    ],
)
def test_websocket_refusal_has_its_status(url, path, fields, statuses):
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused:
        connect(url, path, additional_headers=fields)

    assert (
        refused.value.response.status_code in statuses
    )  # 403 where the server has no response of the application's


@pytest.mark.parametrize("name", ["uvicorn", "granian"])  # whose workers may have processes of their own
def test_processes_of_the_pool_end_with_the_server(name, need_package):
    need_package(name)
    with serving(name, "examples.processes:app") as port:
        pid = json.loads(fetch(f"http://127.0.0.1:{port}/primes/10")[2])["process"]
        assert is_alive(pid)

    wait_until(lambda: not is_alive(pid), "the process ends")
