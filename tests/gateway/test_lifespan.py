"""The lifespan protocol of ASGI, as `penstock run` shows it to the operator."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import ApplicationError
from penstock.gateway.lifespan import Lifespan


def live(app, between=None):
    """Start, and when that succeeded stop; the lifespan."""

    async def main():
        lifespan = Lifespan(app)
        await lifespan.start()
        if between is not None:
            between(lifespan)
        await lifespan.stop()
        return lifespan

    return asyncio.run(asyncio.wait_for(main(), 10))


def test_events_come_in_order_and_state_is_kept():
    events = []

    async def app(scope, receive, send):
        assert (scope["type"], scope["asgi"]["version"]) == ("lifespan", "3.0")
        for _ in range(2):
            kind = (await receive())["type"]
            events.append(kind)
            scope["state"][kind] = True
            await send({"type": f"{kind}.complete"})

    lifespan = live(app, lambda lifespan: events.append(dict(lifespan.state)))

    assert events == ["lifespan.startup", {"lifespan.startup": True}, "lifespan.shutdown"]
    assert lifespan.state == {"lifespan.startup": True, "lifespan.shutdown": True}


@pytest.mark.parametrize("raises", [False, True])
def test_application_may_not_take_part(raises):
    async def app(scope, receive, send):
        if raises:
            assert scope["type"] == "http"

    live(app)


def test_application_may_end_its_lifespan_after_the_start():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})

    live(app)


@pytest.mark.parametrize("raises", [False, True])
def test_failed_start_says_why(raises):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        if raises:
            raise ValueError("no database")

    with pytest.raises(ApplicationError, match=r"^the application failed to start: no database$"):
        live(app)


def test_failed_shutdown_says_why():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "still busy"})

    with pytest.raises(ApplicationError, match=r"^the application failed to shut down: still busy$"):
        live(app)


@pytest.mark.parametrize("kind", ["lifespan.startup.complete", "lifespan.begin", "http.response.start"])
def test_message_out_of_turn_is_an_error(kind):
    raised = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        try:
            await send({"type": kind})
        except RuntimeError as error:
            raised.append(str(error))

    live(app)

    assert raised == [f"ASGI: the application sent {kind!r} out of its turn"]


def test_start_that_is_given_up_ends_the_application():
    ended = []

    async def app(scope, receive, send):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Lifespan(app).start(), 0.05)

    asyncio.run(main())

    assert ended == [True]
