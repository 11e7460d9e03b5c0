"""The matrix: every client library does every ordinary thing."""

from __future__ import annotations

import json

import pytest

from tests.e2e.app import LARGE
from tests.e2e.clients import CLIENTS, Ask

JSON = {"content-type": "application/json"}
OCTETS = {"content-type": "application/octet-stream"}


@pytest.fixture(params=CLIENTS)
def run(request, server, need_tool):
    """`run(Ask(...), ...)`: the answers, in one session."""

    def run(*asks, parallel=1):
        return CLIENTS[request.param](server.url, asks, parallel, need_tool)

    run.client = request.param
    return run


@pytest.mark.parametrize("path", ["/", "/thread", "/inline"])
def test_get(run, path):
    [answer] = run(Ask(path=path))

    assert (answer.status, answer.content) == (200, b"Hello, World!")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "13"
    assert answer.headers["date"].endswith(" GMT")


def test_post_json(run):
    right, wrong = run(
        Ask("POST", "/things", json.dumps({"name": "Ü", "count": 2}).encode(), JSON),
        Ask("POST", "/things", b'{"count": "many"}', JSON),
    )

    assert (right.status, right.json) == (201, {"name": "Ü", "count": 2})
    assert (wrong.status, wrong.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("path", ["/echo", "/echo-thread"])
@pytest.mark.parametrize("size", [0, 1, 70_000, len(LARGE)])
def test_post_content_of_known_length(run, path, size):
    [answer] = run(Ask("POST", path, LARGE[:size], OCTETS))

    assert (answer.status, answer.content) == (200, LARGE[:size])


def test_post_in_chunks(run):
    [answer] = run(Ask("POST", "/echo", LARGE, OCTETS, is_chunked=True))

    assert (answer.status, answer.headers["x-framing"]) == (200, "chunked")
    assert answer.content == LARGE


def test_upload_to_a_stream(run):
    [answer] = run(Ask("PUT", "/count", LARGE * 4, OCTETS))

    assert answer.json == {"size": 4 * len(LARGE), "framing": "length"}


def test_upload_in_chunks_to_a_stream(run):
    [answer] = run(Ask("PUT", "/count", LARGE * 4, OCTETS, is_chunked=True))

    assert answer.json == {"size": 4 * len(LARGE), "framing": "chunked"}


def test_content_beyond_the_limit_is_refused_and_the_client_learns_of_it(run):
    refused, after = run(Ask("POST", "/echo", LARGE + b"x", OCTETS), Ask())

    assert (refused.status, after.status) == (413, 200)


def test_head(run):
    head, after = run(Ask("HEAD", "/large"), Ask())

    assert (head.status, head.content, head.headers["content-length"]) == (200, b"", str(len(LARGE)))
    assert after.content == b"Hello, World!"


def test_reply_without_content(run):
    none, after = run(Ask(path="/nothing"), Ask())

    assert (none.status, none.content) == (204, b"")
    assert "content-length" not in none.headers
    assert after.content == b"Hello, World!"


def test_connection_is_used_again(run):
    answers = run(
        Ask(path="/peer"),
        Ask("POST", "/echo", b"content", OCTETS),
        Ask(path="/peer"),
        Ask("POST", "/echo", b"content", OCTETS, is_chunked=True),
        Ask(path="/stream"),
        Ask(path="/missing"),
        Ask(path="/fails"),
        *[Ask(path="/peer")] * 4,
    )

    assert [answer.status for answer in answers] == [200] * 5 + [404, 500] + [200] * 4
    ports = {answer.json["port"] for answer in answers if b'"port"' in answer.content}
    # undici asks anew before it has noticed that the last reply is complete, so it takes turns with two connections
    assert len(ports) <= (2 if run.client == "node-fetch" else 1)


def test_connection_is_used_again_after_head(run):
    if run.client == "node-fetch":
        return  # undici itself ends the connection after every HEAD

    before, _, after = run(Ask(path="/peer"), Ask("HEAD", "/large"), Ask(path="/peer"))

    assert before.json["port"] == after.json["port"]


def test_redirect_is_seen(run):
    [answer] = run(Ask(path="/moved"))

    assert (answer.status, answer.headers["location"], answer.content) == (302, "/", b"")


def test_redirect_is_followed(run):
    get, post = run(
        Ask(path="/moved", follows=True), Ask("POST", "/moved", b"taken along", OCTETS, follows=True)
    )

    assert get.content == b"Hello, World!"
    assert post.content == b"taken along"


@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_large_content(run, path):
    [answer] = run(Ask(path=path))

    assert answer.content == LARGE


def test_stream_of_many_small_pieces(run):
    [answer] = run(Ask(path="/rows"))

    assert answer.content.decode().splitlines() == [f"row {number}" for number in range(1000)]


def test_hundred_at_once(run):
    answers = run(*[Ask(path=path) for path in ("/", "/thread", "/large", "/slow/0.05") * 25], parallel=100)

    assert [answer.status for answer in answers] == [200] * 100
    assert {answer.content for answer in answers} == {b"Hello, World!", LARGE, b"done"}


def test_offer_of_codings_is_harmless(run):
    [answer] = run(Ask(headers={"accept-encoding": "gzip, deflate, br, zstd"}))

    assert answer.content == b"Hello, World!"
    assert "content-encoding" not in answer.headers


def test_failure_is_a_problem_with_a_trace_id(run):
    [answer] = run(Ask(path="/fails"))

    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert len(answer.json["trace_id"]) == 32


def test_fields_of_a_client_arrive(run):
    [answer] = run(Ask(path="/peer", headers={"X-Custom": "some value", "Accept": "text/*;q=0.5"}))

    assert ["x-custom", "some value"] in answer.json["fields"]
    assert ["accept", "text/*;q=0.5"] in answer.json["fields"]
    assert answer.json["version"] == "1.1"
