"""Named checks in one process: what counts as failed, what is said of it, and how they run."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from penstock import App, TestClient, health_routes
from penstock.errors import ApplicationError
from penstock.observe.checks import Check, bounded, figures, join

WAIT_S = 20
QUICKLY = {"every_s": 0.01, "timeout_s": 0.05}


def application(function, **options):
    app = App()
    app.include(health_routes(details=True))
    app.check("database", **{"every_s": 60.0, "timeout_s": 20.0, **options})(function)
    return app


def asked(client, path="/health"):
    reply = client.get(path)
    return reply.status, reply.json()


def wait_until(client, condition):
    end = time.monotonic() + WAIT_S
    while not condition(found := asked(client)):
        assert time.monotonic() < end, found
        time.sleep(0.005)
    return found


def raises():
    raise ConnectionRefusedError("no database at 10.0.0.7")


async def araises():
    await asyncio.sleep(0)
    raises()


def leaves():
    raise SystemExit(3)


def stops():
    raise StopIteration


async def cancels():
    raise asyncio.CancelledError


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError


def unspeakable():
    raise Unspeakable


class Undecided:
    def __bool__(self):
        raise ValueError("ambiguous")


def quotes():
    raise ConnectionError("postgresql://shop:sesame@db/shop\nAuthorization: Bearer sesame" + "x" * 10**6)


@pytest.mark.parametrize("result", [None, True, 1, "PONG", {"a": 1}])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_returns_nothing_or_something_true_is_well(result, is_async):
    async def check():
        return result

    with TestClient(application(check if is_async else lambda: result)) as client:
        status, told = asked(client)

    assert (status, told["status"]) == (200, "ok")
    assert (told["checks"]["database"]["status"], told["workers"][0]["failed"]) == ("ok", [])
    assert told["checks"]["database"]["checked_seconds_ago"] >= 0


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda: False, "returned False"),
        (lambda: 0, "returned 0"),
        (raises, "ConnectionRefusedError: no database at 10.0.0.7"),
        (araises, "ConnectionRefusedError: no database at 10.0.0.7"),
        (leaves, "SystemExit: 3"),
        (stops, "StopIteration"),
        (cancels, "CancelledError"),
        (unspeakable, "Unspeakable"),
        (Undecided, "ValueError: ambiguous"),
    ],
)
def test_what_raises_or_returns_something_false_has_failed(function, reason):
    with TestClient(application(function)) as client:
        status, told = asked(client)
        ready = asked(client, "/readyz")
        alive = asked(client, "/livez")

    assert (status, told["checks"]["database"]["reason"]) == (503, reason)
    assert ready == (503, {"status": "failing", "failed": ["database"]})
    assert alive == (200, {"status": "ok"})


def test_a_run_that_cancels_its_own_task_has_failed_and_comes_again():
    runs = []

    async def gives_itself_up():
        runs.append(None)
        if len(runs) == 1:
            asyncio.current_task().cancel()
            await asyncio.sleep(WAIT_S)

    with TestClient(application(gives_itself_up, every_s=0.01)) as client:
        _, told = wait_until(client, lambda found: found[0] == 200)

    assert len(runs) > 1
    assert told["checks"]["database"]["status"] == "ok"


def test_a_reason_is_short_and_without_secrets(caplog):
    with TestClient(application(quotes)) as client:
        reason = asked(client)[1]["checks"]["database"]["reason"]

    assert reason.startswith("ConnectionError: postgresql://shop:")
    assert len(reason) <= 200
    assert "sesame" not in reason + caplog.text


def test_a_decorated_async_function_is_awaited():
    async def inner(result):
        return result

    with TestClient(application(lambda: inner(False))) as client:
        assert asked(client, "/readyz")[0] == 503


def test_what_is_not_critical_degrades_and_stays_ready():
    with TestClient(application(raises, critical=False)) as client:
        wait_until(client, lambda found: found[1]["status"] == "degraded")
        ready = asked(client, "/readyz")

    assert ready == (200, {"status": "degraded", "failed": ["database"]})


def test_without_details_nobody_is_told_reasons_or_processes():
    app = App()
    app.include(health_routes("/internal"))
    app.check("database")(raises)

    with TestClient(app) as client:
        told = client.get("/internal/health").json()

    assert told["checks"]["database"]["status"] == "failed"
    assert "reason" not in told["checks"]["database"]
    assert "workers" not in told
    assert "10.0.0.7" not in str(told)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_run_that_hangs_has_failed_and_is_the_only_one(is_async):
    free, runs = threading.Event(), []

    def check():
        runs.append("begun")
        free.wait(WAIT_S)
        runs.append("ended")

    async def acheck():
        runs.append("begun")
        try:
            await asyncio.sleep(0 if free.is_set() else WAIT_S)
        except asyncio.CancelledError:
            await asyncio.to_thread(free.wait, WAIT_S)  # it does not heed
        runs.append("ended")

    app, others = application(acheck if is_async else check, **QUICKLY), []
    app.check("other", critical=False, **QUICKLY)(lambda: others.append(1))
    with TestClient(app) as client:
        _, told = wait_until(client, lambda found: found[0] == 503)
        wait_until(client, lambda _: len(others) > 10)
        begun = runs.count("begun")
        free.set()
        wait_until(client, lambda found: found[0] == 200)

    assert begun == 1
    assert told["checks"]["database"]["reason"] == "no result within 0.05 s"


def test_an_async_run_that_hangs_is_cancelled_and_comes_again():
    cancelled = []

    async def check():
        try:
            await asyncio.sleep(WAIT_S)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    with TestClient(application(check, **QUICKLY)) as client:
        wait_until(client, lambda _: len(cancelled) > 2)
        assert asked(client, "/readyz")[0] == 503


def test_a_start_waits_for_critical_checks_and_no_others():
    began, free = [], threading.Event()

    def slow():
        began.append("slow")
        free.wait(WAIT_S)

    app = application(lambda: None)
    app.check("search", critical=False, timeout_s=WAIT_S)(slow)
    with TestClient(app) as client:
        ready, told = asked(client, "/readyz"), asked(client)[1]
        free.set()

    assert ready == (200, {"status": "ok"})
    assert [check["status"] for check in told["checks"].values()] == ["ok", "pending"]


def test_after_a_stop_no_check_is_told():
    with TestClient(application(lambda: None)):
        told = [check["name"] for check in figures()]

    assert told == ["database"]
    assert figures() == []


def test_a_change_is_logged_once(caplog):
    caplog.set_level(logging.INFO)
    state, runs = {"works": False}, []

    def check():
        runs.append(1)
        return state["works"]

    with TestClient(application(check, every_s=0.01)) as client:
        wait_until(client, lambda _: len(runs) > 5)
        state["works"] = True
        wait_until(client, lambda found: found[0] == 200)

    assert [record.getMessage() for record in caplog.records if record.name == "penstock.app"] == [
        "check database has failed, this process is not ready: returned False",
        "check database is well again",
    ]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("",), {}),
        (("a b",), {}),
        (("x" * 65,), {}),
        ((7,), {}),
        (("a",), {"every_s": 0}),
        (("a",), {"every_s": float("inf")}),
        (("a",), {"timeout_s": -1}),
        (("a",), {"timeout_s": True}),
    ],
)
def test_what_cannot_be_run_is_refused(arguments, options):
    with pytest.raises(ApplicationError, match=r"check\("):
        App().check(*arguments, **options)(lambda: None)


def test_a_check_takes_no_arguments():
    with pytest.raises(ApplicationError, match="a function without arguments"):
        App().check("a")(lambda value: value)


def test_a_name_is_used_once_by_included_applications_too():
    app, other = App(), App()
    app.check("database")(lambda: None)
    other.check("database")(lambda: None)
    app.include(other)

    with pytest.raises(ApplicationError, match="another check 'database'"):
        other.check("database")(lambda: None)
    with pytest.raises(ApplicationError, match="another check 'database'"), TestClient(app):
        pass  # pragma: no cover


def test_there_are_32_at_most():
    app = App()
    for number in range(32):
        app.check(f"n{number}")(lambda: None)

    with pytest.raises(ApplicationError, match="32 at most"):
        app.check("more")(lambda: None)


# --------------------------------------------------------------------------------------------------------- as figures


def test_a_reason_is_one_short_line_that_no_terminal_obeys():
    assert bounded("a\nb\x1b[31m  c") == "a b?[31m c"
    assert len(bounded("x" * 10**6)) == 200


def test_a_run_past_its_limit_has_failed_while_it_still_hangs():
    check = Check("a", timeout_s=5.0, is_critical=True, owner=None)
    check.begin()
    check.end(None)
    check.begin()

    now = time.monotonic()
    assert check.tell(now)["status"] == "ok"
    assert check.tell(now + 6)["status"] == "failed"
    check.end(None)
    assert check.tell(now + 6)["status"] == "ok"


def test_since_is_when_it_began_to_be_so():
    check = Check("a", timeout_s=5.0, is_critical=True, owner=None)
    check.begin()
    check.end("no")
    first = check.tell(time.monotonic())["since"]
    check.begin()
    check.end("still no")

    told = check.tell(time.monotonic())
    assert (told["since"], told["reason"]) == (first, "still no")
    check.begin()
    check.end(None)
    assert check.tell(time.monotonic())["since"] > first


def test_several_workers_are_one():
    ok = {
        "name": "a",
        "critical": True,
        "status": "ok",
        "since": 1.0,
        "ran": 8.0,
        "took_ms": 2.0,
        "reason": None,
    }
    failed = {**ok, "status": "failed", "since": 4.0, "ran": 9.0, "took_ms": 3.0, "reason": "no"}

    (joined,) = join([[ok], [failed], [ok]])

    assert joined.to_json(10.0, with_reason=True) == {
        "status": "failed",
        "critical": True,
        "since_seconds": 6.0,
        "checked_seconds_ago": 2.0,
        "took_ms": 3.0,
        "workers": 3,
        "workers_failed": 1,
        "reason": "no",
    }
