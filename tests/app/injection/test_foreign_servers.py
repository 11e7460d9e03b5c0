"""Under a server of others what stands behind a `yield` waits for the reply as well."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.gateway.foreign import serving
from tests.server.harness import wait_until


@pytest.fixture(scope="module")
def port():
    pytest.importorskip("uvicorn")
    with serving("uvicorn", "tests.app.injection.served:app") as port:
        yield port


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_for(port, *events):
    found = []

    def has_all():
        found.extend(json.loads(get(port, "/events")[1]))
        return len(found) >= len(events)

    wait_until(has_all, f"{events}, not {found}")
    assert found == list(events)


def test_generators_and_tasks_run_behind_the_reply(port):
    assert get(port, "/thread") == (200, b"plain")
    wait_for(port, "open", "task", "close")
    assert get(port, "/task") == (200, b"plain and waiting")
    wait_for(port, "open", "open async", "task", "close async", "close")


def test_an_error_is_seen_before(port):
    assert get(port, "/error")[0] == 409
    wait_for(port, "open", "open async", "HTTPError", "close")


def test_a_stream_is_sent_first(port):
    assert get(port, "/stream") == (200, b"plain and waiting")
    wait_for(port, "open", "open async", "sent", "close async", "close")


def test_a_client_that_leaves_ends_it(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/endless")
    response = connection.getresponse()
    assert len(response.read(1_000_000)) == 1_000_000
    response.close()
    connection.close()
    wait_for(port, "open", "stream", "close")
