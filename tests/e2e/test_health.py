"""Named checks and probes of real servers: several workers, hangs, deaths, drains, a lost Redis."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.app.stores.redis_server import redis_server
from tests.e2e.serving import receive
from tests.e2e.test_admin import SEVERAL, SINGLE, served, starting
from tests.e2e.workers import wait_until, workers

# What a check does stands in a file of its name, or in one for its worker alone.
APPLICATION = """
import asyncio, os, time
from pathlib import Path
from penstock import App, health_routes

app = App()
app.include(health_routes())

def mode(name):
    for path in (Path(f"{name}-{os.getpid()}"), Path(name)):
        if path.exists():
            return path.read_text()
    return "well"

def act(name):
    if mode(name) == "raise":
        raise ConnectionRefusedError("connect postgresql://shop:sesame@db/shop")
    return mode(name) != "false"

@app.check("database", every_s=0.05, timeout_s=20)
def database():
    while mode("database") == "hang":
        time.sleep(0.01)
    return act("database")

@app.check("queue", every_s=0.05, timeout_s=20)
async def queue():
    while mode("queue") == "hang":
        await asyncio.sleep(0.01)
    while mode("queue") == "block":
        time.sleep(0.01)
    return act("queue")

@app.check("mail", every_s=0.05, timeout_s=20, critical=False)
async def mail():
    return act("mail")

"""

HASTY = APPLICATION.replace("timeout_s=20", "timeout_s=0.5")  # so that a hang is seen soon


def own(server, path):
    """What a worker answers at the address of the application: status and JSON."""
    head, _, content = receive(server.ask(path, "Connection: close")).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content)


def failing(*names):
    return {"status": "failing", "failed": list(names)}


def degraded(*names):
    return {"status": "degraded", "failed": list(names)}


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_checks_that_fail_and_come_back_are_told_of_all_workers(tmp_path, count):
    with served(tmp_path, count=count, text=APPLICATION) as (server, admin):
        well = admin.get("/readyz"), own(server, "/readyz")
        (tmp_path / "mail").write_text("false")
        admin.wait(lambda found: found == degraded("mail"), "/readyz")
        still_ready = admin.status_of("/readyz"), own(server, "/readyz")
        (tmp_path / "database").write_text("raise")
        admin.wait(lambda found: found == failing("database", "mail"), "/readyz")
        codes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health")]
        health = admin.wait(lambda found: found["checks"]["database"]["workers_failed"] == count, "/health")
        of_a_worker = own(server, "/readyz"), own(server, "/health")[1]
        wait_until(
            lambda: (
                b'penstock_check_ok{check="database"} 0' in admin.exchange("/metrics", accept="text/plain")[1]
            ),
            "it is measured",
        )
        text = (
            admin.exchange("/readyz", accept="text/plain")[1],
            admin.exchange("/health", accept="text/plain")[1],
        )
        for name in ("mail", "database"):
            (tmp_path / name).unlink()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert well == ((200, {"status": "ok"}), (200, {"status": "ok"}))
    assert still_ready == (200, (200, degraded("mail")))
    assert codes == [200, 503, 503]
    assert health["checks"]["database"]["reason"].startswith("ConnectionRefusedError: connect ")
    assert [worker["state"] for worker in health["workers"]] == ["failing"] * count
    assert of_a_worker[0] == (503, failing("database", "mail"))
    assert "reason" not in of_a_worker[1]["checks"]["database"]
    assert of_a_worker[1]["checks"]["database"]["workers"] == count  # it answers for the others
    assert text[0] == b"failing: database, mail\n"
    assert f"check database: failed in {count} of {count} workers for ".encode() in text[1]


@pytest.mark.parametrize(
    ("count", "name", "how"),
    [(SEVERAL, "database", "hang"), (SEVERAL, "queue", "hang"), (SINGLE, "queue", "block")],
)
def test_a_check_that_hangs_fails_after_its_limit_and_keeps_no_probe_waiting(tmp_path, count, name, how):
    with served(tmp_path, count=count, text=HASTY) as (_, admin):
        (tmp_path / name).write_text(how)
        admin.wait(lambda found: name in found.get("failed", ()), "/readyz")
        start = time.monotonic()
        told = admin.get("/health")[1]
        took_s = time.monotonic() - start
        (tmp_path / name).unlink()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert told["checks"][name]["reason"] == "no result within 0.5 s"
    assert took_s < 5  # a hang lasts longer


def test_a_check_that_fails_in_one_worker_alone_degrades(tmp_path):
    with served(tmp_path, count=SEVERAL, text=APPLICATION) as (_, admin):
        one, other = (worker["pid"] for worker in admin.metrics()["workers"])
        (tmp_path / f"database-{one}").write_text("false")
        admin.wait(lambda found: found == degraded("database"), "/readyz")
        told = admin.get("/health")
        (tmp_path / f"database-{other}").write_text("false")
        admin.wait(lambda found: found == failing("database"), "/readyz")

    states = {worker["pid"]: (worker["state"], worker["failed"]) for worker in told[1]["workers"]}
    assert told[0] == 200
    assert states == {one: ("failing", ["database"]), other: ("ready", [])}


def test_a_worker_in_place_of_one_that_was_killed_tells_its_checks(tmp_path):
    with served(tmp_path, count=SEVERAL, text=APPLICATION) as (_, admin):
        (tmp_path / "database").write_text("false")
        admin.wait(lambda found: found["checks"]["database"]["workers_failed"] == 2, "/health")
        before = {worker["pid"] for worker in admin.metrics()["workers"]}
        os.kill(min(before), signal.SIGKILL)
        admin.wait(
            lambda found: (
                found["checks"]["database"]["workers_failed"] == 2
                and min(before) not in {worker["pid"] for worker in found["workers"]}
            ),
            "/health",
        )
        (tmp_path / "database").unlink()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")


def test_a_server_starts_while_what_it_needs_hangs_and_is_not_ready(tmp_path):
    (tmp_path / "queue").write_text("hang")
    with starting(tmp_path, HASTY) as (_, admin):
        # The limit of the check is what a start waits for it.
        admin.wait(lambda found: "queue" in found.get("failed", ()), "/readyz")
        codes = [admin.status_of(path) for path in ("/livez", "/startupz", "/readyz")]
        (tmp_path / "queue").unlink()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert codes == [200, 200, 503]


def test_a_reload_is_never_unready_for_its_checks(tmp_path):
    with served(tmp_path, count=SEVERAL, text=APPLICATION) as (server, admin):
        server.process.send_signal(signal.SIGHUP)
        seen = set()
        while not all(worker["generation"] for worker in admin.get("/health")[1]["workers"]):
            seen.add(admin.get("/readyz")[1]["status"])

    assert seen <= {"ok"}


def test_without_an_admin_address_a_worker_answers_for_itself(tmp_path):
    with workers(tmp_path, count=SEVERAL, text=APPLICATION) as server:
        well = [own(server, path) for path in ("/livez", "/readyz")]
        (tmp_path / "database").write_text("false")
        for path in ("/readyz", "/health"):
            wait_until(lambda path=path: own(server, path)[0] == 503, "it fails")
        alive = own(server, "/livez")

    assert well == [(200, {"status": "ok"})] * 2
    assert alive == (200, {"status": "ok"})


REDIS = """
import os
from penstock import App, RedisStore

app = App()
store = RedisStore(os.environ["TEST_REDIS_URL"])
app.on_shutdown(store.aclose)

@app.check("redis", every_s=0.05, timeout_s=1)
async def redis():
    await store.aget("anything")
"""


def test_a_redis_that_stops_is_told_until_it_is_back(tmp_path):
    def is_lost(found):
        return found["checks"]["redis"]["workers_failed"] == SEVERAL

    with (
        redis_server() as redis,
        served(tmp_path, count=SEVERAL, text=REDIS, TEST_REDIS_URL=redis.url) as (_, admin),
    ):
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")
        redis.hold()
        held = admin.wait(is_lost, "/health")
        redis.release()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")
        redis.kill()
        killed = admin.wait(is_lost, "/health")
        redis.start()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert (held["status"], killed["status"]) == ("failing", "failing")


ASGI = """
import asyncio
from pathlib import Path

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        while not Path("go").exists():
            await asyncio.sleep(0.01)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
"""


def test_a_hosted_asgi_application_starts_until_it_says_it_has(tmp_path):
    with starting(tmp_path, ASGI, "--workers", str(SEVERAL)) as (_, admin):
        before = [admin.get(path) for path in ("/livez", "/startupz", "/readyz")]
        (tmp_path / "go").touch()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert before == [(200, {"status": "ok"}), *[(503, {"status": "starting"})] * 2]
