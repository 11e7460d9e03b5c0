"""Without epoll the loop watches each descriptor: the tests of connections hold for that as well."""

from __future__ import annotations

from functools import partial

import pytest

from penstock.http.response import TextResponse
from penstock.server.poller import EpollPoller, LoopPoller, make_poller
from tests.server import test_connection, test_disconnect, test_partial_writes
from tests.server.harness import endpoint, serve


@pytest.fixture(autouse=True)
def _without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.server.reactor.make_poller", partial(make_poller, use_epoll=False))


def test_the_poller_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch):
    routes = {"/": endpoint("inline", lambda request: TextResponse("ok"))}
    with serve(routes) as server:
        assert isinstance(server.reactor.poller, LoopPoller)
        assert server.ask("/").status == 200

    monkeypatch.undo()
    with serve(routes) as server:
        assert isinstance(server.reactor.poller, EpollPoller)


# Collected here a second time, under the fixture above.
for module in (test_connection, test_disconnect, test_partial_writes):
    for name, function in vars(module).items():
        if name.startswith("test_"):
            globals()[name] = function
