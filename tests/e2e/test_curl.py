"""curl, with the options people use."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.app import LARGE


@pytest.fixture
def curl(need_tool, server):
    """`curl("-I", "/path")`: what it wrote to stdout; it must succeed."""

    def run(*words, content=b""):
        command = [need_tool("curl"), "-sS", "--max-time", "30"]
        command += [server.url + word if word.startswith("/") else word for word in words]
        done = subprocess.run(command, input=content, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_get(curl):
    assert curl("/") == b"Hello, World!"


def test_head_shows_the_fields_of_get(curl):
    assert curl("-I", "/large").decode().splitlines()[0] == "HTTP/1.1 200 OK"
    assert f"content-length: {len(LARGE)}\r\n".encode() in curl("-I", "/large").lower()


def test_http_1_0_is_answered_and_closed(curl):
    reply = curl("-i", "--http1.0", "/").decode()

    assert reply.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nConnection: close\r\n" in reply
    assert "Transfer-Encoding" not in reply


def test_http_1_0_gets_a_stream_up_to_the_close(curl):
    reply = curl("-i", "--http1.0", "/stream")

    head, _, content = reply.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert content == LARGE


@pytest.mark.parametrize("path", ["/echo", "/echo-thread"])
def test_content_is_sent_after_100_continue(curl, path):
    reply = curl(
        "-v", "--stderr", "-", "-H", "Expect: 100-continue", "--data-binary", "@-", path, content=b"x" * 5000
    )

    assert b"< HTTP/1.1 100 Continue" in reply
    assert reply.count(b"x" * 5000) == 1


def test_100_continue_is_sent_once_a_stream_is_read(curl):
    reply = curl("-v", "--stderr", "-", "-H", "Expect: 100-continue", "-T", "-", "/count", content=LARGE)

    assert b"< HTTP/1.1 100 Continue" in reply
    assert b'{"size":1048576,"framing":"chunked"}' in reply


def test_content_that_is_too_large_is_refused_before_it_is_sent(curl):
    words = ("-v", "--stderr", "-", "-H", "Expect: 100-continue", "--data-binary", "@-", "/echo")

    reply = curl(*words, content=LARGE + b"x")

    assert b"100 Continue" not in reply
    assert b"< HTTP/1.1 413 " in reply


@pytest.mark.parametrize("size", [0, 1, len(LARGE), 8 * len(LARGE)])
def test_upload_from_a_pipe_is_chunked(curl, size):
    reply = curl("-T", "-", "/count", content=b"x" * size)

    assert json.loads(reply) == {"size": size, "framing": "chunked"}


def test_json(curl):
    reply = curl("-H", "Content-Type: application/json", "-d", '{"name": "a"}', "/things")

    assert json.loads(reply) == {"name": "a", "count": 1}


def test_redirect_is_followed(curl):
    assert curl("-L", "/moved") == b"Hello, World!"
    assert curl("-L", "--data-binary", "taken along", "/moved") == b"taken along"


def test_offer_of_codings_is_harmless(curl):
    assert curl("--compressed", "/") == b"Hello, World!"


def test_connection_is_used_again(curl):
    assert curl("-o/dev/null", "-w", "%{num_connects} ", "/", "-o/dev/null", "/large") == b"1 0 "


def test_hundred_at_once(curl):
    urls = [word for number in range(100) for word in ("-o/dev/null", f"/slow/0.05?{number}")]

    codes = curl("--parallel", "--parallel-max", "100", "--parallel-immediate", "-w", "%{http_code}\n", *urls)

    assert codes.split() == [b"200"] * 100


def test_part_of_a_stream_is_enough(server, need_tool):
    """A client that leaves in the middle harms nobody."""
    done = subprocess.run(
        f"{need_tool('curl')} -sN {server.url}/stream | head -c 10 | wc -c; {need_tool('curl')} -s {server.url}/",
        shell=True,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.split(b"\n") == [b"10", b"Hello, World!"]
