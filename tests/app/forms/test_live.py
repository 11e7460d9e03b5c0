"""Forms over sockets: split everywhere, slow, and from the clients people use."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Annotated

import aiohttp
import httpx
import msgspec
import pytest
import requests

from penstock import App, Form, FormLimits, UploadFile
from tests.app.forms.bodies import MULTIPART, multipart, part
from tests.server.harness import request, serve

HEAD = ": ".join(MULTIPART)
BODY = multipart(part("title", b"a\r\n--b"), part("file", b"\r\n--b0undar\r", "a.bin"))
BIG = os.urandom(900_000)  # aiohttp warns beyond a mebibyte

app = App(form_limits=FormLimits(memory_bytes=100_000))


async def show(title: str, files: list[UploadFile]) -> list:
    return [
        title,
        *[[one.filename, one.content_type, (await one.aread())[:20].hex(), one.size] for one in files],
    ]


@app.post("/task")
async def task(title: Annotated[str, Form()], file: list[UploadFile]) -> list:
    return await show(title, file)


@app.post("/thread")
def thread(title: Annotated[str, Form()], file: list[UploadFile]) -> list:
    return asyncio.run(show(title, []))[:1] + [
        [one.filename, one.content_type, one.read(20).hex(), one.size] for one in file
    ]


@pytest.fixture(scope="module")
def server():
    with serve(app, threads=1) as running:
        yield running


@pytest.mark.parametrize("path", ["/task", "/thread"])
def test_a_form_may_be_split_at_every_octet(server, path):
    whole = request(path, "POST", HEAD, body=BODY)
    begin = len(whole) - len(BODY)

    with server.connect() as client:
        client.send(whole)
        expected = client.take().content
        assert msgspec.json.decode(expected)[0] == "a\r\n--b"
        for at in range(begin, len(whole)):
            client.send(whole[:at])
            client.send(whole[at:])
            assert client.take().content == expected, at


@pytest.mark.parametrize("path", ["/task", "/thread"])
def test_a_form_may_come_octet_by_octet_and_in_chunks(server, path):
    chunked = b"".join(b"1\r\n%c\r\n" % octet for octet in BODY) + b"0\r\n\r\n"

    with server.connect() as client:
        for octet in request(path, "POST", HEAD, body=BODY):
            client.send(bytes([octet]))
        first = client.take()
        client.send(request(path, "POST", HEAD, "Transfer-Encoding: chunked") + chunked)
        second = client.take()

    assert first.status == second.status == 200
    assert first.content == second.content


def test_slow_clients_hold_no_thread(server):
    whole = request("/thread", "POST", HEAD, body=BODY)
    slow = [server.connect(whole[:-20]) for _ in range(5)]

    with server.connect() as client:
        assert client.ask("/thread", "POST", HEAD, body=BODY).status == 200
    for client in slow:
        client.send(whole[-20:])
        assert client.take().status == 200
        client.close()


@pytest.mark.parametrize("path", ["/task", "/thread"])
def test_a_broken_form_is_refused_and_the_connection_goes_on(server, path):
    with server.connect() as client:
        for at in range(0, len(BODY) - 2, 7):
            assert client.ask(path, "POST", HEAD, body=BODY[:at]).status == 400, at
        assert client.ask(path, "POST", HEAD, body=BODY).status == 200


def test_a_client_waits_for_100_before_it_sends_a_form(server):
    with server.connect() as client:
        client.send(request("/task", "POST", HEAD, "Expect: 100-continue", f"Content-Length: {len(BODY)}"))
        assert client.take_head().startswith(b"HTTP/1.1 100 ")
        client.send(BODY)
        assert client.take().status == 200


EXPECTED = ["Grüße", ["ä.bin", "text/x-test", BIG[:20].hex(), len(BIG)], ["b.bin", "text/x-test", "62", 1]]


@pytest.mark.need_tool("curl")
def test_curl(server, tmp_path):
    (tmp_path / "ä.bin").write_bytes(BIG)
    (tmp_path / "b.bin").write_bytes(b"b")
    command = ["curl", "-sS", f"{server.urls[0]}/thread", "-F", "title=Grüße"]
    command += ["-F", "file=@ä.bin;type=text/x-test", "-F", "file=@b.bin;type=text/x-test"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=60)

    assert msgspec.json.decode(done.stdout) == EXPECTED


FILES = [("file", ("ä.bin", BIG, "text/x-test")), ("file", ("b.bin", b"b", "text/x-test"))]


def test_requests(server):
    reply = requests.post(f"{server.urls[0]}/thread", data={"title": "Grüße"}, files=FILES, timeout=60)

    assert reply.json() == EXPECTED


def test_httpx(server):
    with httpx.Client(timeout=60) as client:
        reply = client.post(f"{server.urls[0]}/task", data={"title": "Grüße"}, files=FILES)

    assert reply.json() == EXPECTED


def test_aiohttp(server):
    async def main() -> object:
        form = aiohttp.FormData(quote_fields=False)  # else names are percent-encoded, as nobody else has them
        form.add_field("title", "Grüße")
        for name, (filename, octets, kind) in FILES:
            form.add_field(name, octets, filename=filename, content_type=kind)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.urls[0]}/task", data=form) as reply,
        ):
            return await reply.json()

    assert asyncio.run(main()) == EXPECTED


def test_temporary_files_of_a_process_that_is_killed_are_gone(tmp_path):
    """O_TMPFILE, or unlinked at once: there is never a name."""
    code = (
        "import os\n"
        "from penstock.app.forms.spool import Spools\n"
        "spools = Spools(10)\n"
        "spools.new().write(b'x' * 100)\n"
        "spools.write_out()\n"
        "print('written', flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("written\n", -9), done.stderr
    assert list(tmp_path.iterdir()) == []
