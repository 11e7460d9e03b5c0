"""--server-timing: what clients are told of the time of their request."""

from __future__ import annotations

import re

import pytest

from penstock import App, Request, StreamResponse
from penstock.http.response import Response, TextResponse
from tests.server.harness import endpoint, request, serve

FIELD = re.compile(r"app;dur=([0-9.]+), queue;dur=([0-9.]+)(?:, content;dur=([0-9.]+))?(.*)")


def told(reply):
    found = FIELD.fullmatch(reply.get("server-timing") or "")
    assert found is not None
    return found


KEPT = TextResponse("kept").keep()
ROUTES = {
    f"/{kind}": endpoint(kind, lambda _: TextResponse("x", headers={"X-A": "1"}))
    for kind in ("inline", "task", "thread")
} | {"/kept": endpoint("inline", lambda _: KEPT)}


@pytest.mark.parametrize("path", ["/inline", "/task", "/thread", "/kept"])
@pytest.mark.parametrize("access_log", [False, True])
def test_every_response_tells_the_phases(path, access_log, tmp_path):
    with (
        serve(
            ROUTES,
            server_timing=True,
            access_log=access_log,
            access_log_file=str(tmp_path / "log") if access_log else None,
        ) as running,
        running.connect() as client,
    ):
        replies = [client.ask(path) for _ in range(3)]

    for reply in replies:
        app_ms, queue_ms, content_ms, more = told(reply).groups()
        assert float(app_ms) >= 0
        assert float(queue_ms) >= 0
        assert content_ms is None
        assert more == ""


def test_without_the_setting_nobody_is_told():
    with serve(ROUTES) as running:
        assert running.ask("/task").get("server-timing") is None


def test_content_that_was_waited_for_is_a_phase():
    with serve(ROUTES, server_timing=True) as running, running.connect() as client:
        client.send(request("/task", "POST", body=b"ab")[:-1])
        client.send(b"b")
        waited = told(client.take())
        after = told(client.ask("/task"))

    assert waited[3] is not None
    assert after[3] is None


def test_handlers_tell_their_own():
    app = App()

    @app.get("/")
    def home(request: Request) -> str:
        with request.timed("db", "two queries"):
            pass
        request.timing("cache", 0.0015)
        return "x"

    @app.get("/stream")
    async def stream(request: Request) -> StreamResponse:
        request.timing("first", 0.5)

        async def pieces():
            yield b"x"
            request.timing("late", 1)

        return StreamResponse(pieces())

    @app.get("/fails")
    def fails(request: Request) -> str:
        request.timing("before", 0.25)
        raise KeyError

    with serve(app, server_timing=True, faults=True) as running:
        assert re.fullmatch(
            r', db;dur=[0-9]+\.[0-9]{2};desc="two queries", cache;dur=1\.50', told(running.ask("/"))[4]
        )
        assert told(running.ask("/stream"))[4] == ", first;dur=500.00"
        failed = running.ask("/fails")
        assert (failed.status, told(failed)[4]) == (500, ", before;dur=250.00")
        assert told(running.ask("/nothing")) is not None


def test_a_field_of_the_application_stays_beside_it():
    def answer(_):
        return Response(b"x", headers={"Server-Timing": "own;dur=1"})

    with serve({"/": endpoint("inline", answer)}, server_timing=True) as running:
        values = [value for name, value in running.ask("/").fields if name == "server-timing"]

    assert values[0] == "own;dur=1"
    assert FIELD.fullmatch(values[1])
