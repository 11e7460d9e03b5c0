"""The corpus against a server over a socket, for each place a handler can run in.

Good requests are answered in order with what was seen; bad octets get one reply with Connection: close and then the end,
without waiting for the client; whatever came, the server goes on and its log holds no traceback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.corpus.loader import Case, Expected, load_corpus
from tests.wire.driver import split_evenly
from tests.wire.replies import Reply
from tests.wire.server import Client, Server, run_server

CORPUS = [case for case in load_corpus() if case.live != "no"]
SHORT = [case for case in CORPUS if len(case.octets) <= 300]
STREAMED = {"streamed", "streamed_in_thread"}


@pytest.fixture(scope="module", params=["inline", "coroutine", "thread", *sorted(STREAMED)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with run_server(f"tests.apps.echo:{request.param}", "--no-access-log") as running:
        yield running
    log = "".join(running.log)
    assert "Traceback" not in log
    assert running.process.returncode == 0
    if request.param not in STREAMED:  # there the handler hears of it, and answers
        assert log.count(": refused, ") == running.refusals, "one log line for each refusal"


def check_seen(reply: Reply, expected: Expected, case: Case) -> None:
    if case.live != "any":
        assert reply.status == int(case.live), case.where
    assert reply.closes is not expected.persistent, f"{case.where}: Connection"
    if reply.status != 200 or expected.method == "HEAD" or case.live == "any":
        return
    seen = json.loads(reply.content)
    assert seen["method"] == expected.method
    assert seen["raw_path"] == expected.raw_path.decode("latin-1")
    assert seen["raw_query"] == expected.raw_query.decode("latin-1")
    assert seen["version"] == expected.version
    assert seen["content"] == expected.content.decode("latin-1")
    assert [tuple(trailer) for trailer in seen["trailers"]] == expected.trailers
    if expected.host is not None:
        assert seen["host"] == expected.host
    for name, values in expected.fields.items():
        assert [value for key, value in seen["fields"] if key == name] == values
    assert not {key for key, _ in seen["fields"]} & set(expected.absent)


def check_refusal(reply: Reply | None, status: int, case: Case) -> None:
    assert reply is not None, f"{case.where}: the connection ended without a reply"
    assert reply.status == status, case.where
    assert reply.closes, f"{case.where}: no Connection: close"
    assert reply.get("content-type") == "application/problem+json"
    assert json.loads(reply.content)["status"] == status


def take(client: Client, server: Server, method: str = "GET") -> Reply | None:
    reply = client.take(method)
    if reply is not None and reply.status >= 400 and reply.closes:
        server.refusals += 1
    return reply


def run(case: Case, server: Server, pieces: list[bytes]) -> None:
    with Client(server.port) as client:
        client.send(pieces)
        for expected in case.requests:
            reply = take(client, server, expected.method)
            assert reply is not None, f"{case.where}: the connection ended without a reply"
            check_seen(reply, expected, case)
            assert client.interim in ([], [100] if expected.expects_continue else []), (
                f"{case.where}: out of turn"
            )
        if case.cut:
            client.end()
            reply = take(client, server)
            if reply is not None:
                check_refusal(reply, case.cut, case)
        elif case.error:
            check_refusal(take(client, server), case.error, case)
        elif case.requests[-1].persistent:
            client.end()
        assert client.ends(), f"{case.where}: a second reply"


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.theme}-{case.name}")
def test_case_in_one_send(case: Case, server: Server):
    run(case, server, [case.octets])


@pytest.mark.parametrize("case", SHORT, ids=lambda case: f"{case.theme}-{case.name}")
def test_case_octet_by_octet(case: Case, server: Server):
    run(case, server, split_evenly(case.octets, 1))


def test_the_server_serves_after_all_that(server: Server):
    with Client(server.port) as client:
        client.send([b"GET /still HTTP/1.1\r\nHost: a\r\n\r\n"])

        reply = client.take()

    assert reply is not None
    assert json.loads(reply.content)["raw_path"] == "/still"
