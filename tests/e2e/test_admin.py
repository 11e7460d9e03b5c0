"""The admin endpoint: probes and figures, whatever the processes that serve are at."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.cli import unprivileged
from tests.e2e.serving import WAIT_S, Serving, environment, receive
from tests.e2e.workers import Load, children, get, is_alive, run_to_end, wait_until, workers, write

APPLICATION = """
import asyncio, os, threading, time
from penstock import App, StreamResponse

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "served"

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/block/{seconds:float}")
async def block(seconds: float) -> str:
    time.sleep(seconds)
    return "blocked"

@app.get("/task/{seconds:float}")
async def task(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"

@app.get("/thread/{seconds:float}")
def thread(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"

@app.get("/users/{user_id}")
def user(user_id: str) -> str:
    time.sleep(20)

@app.get("/endless")
async def endless() -> StreamResponse:
    async def ticks():
        while True:
            yield b"tick\\n"
            await asyncio.sleep(0.05)
    return StreamResponse(ticks())
"""
SINGLE, SEVERAL = 1, 2
QUICK_S = (
    5.0  # what an answer may take on a machine that is busy with other things; the loop is blocked longer
)


class Admin:
    """The endpoint of a server, asked over a connection of its own each time."""

    def __init__(self, address):
        self.address = address

    def connect(self, octets=b""):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        client = socket.socket(family)
        client.settimeout(WAIT_S)
        try:
            client.connect(self.address)
            client.sendall(octets)
        except OSError:
            client.close()
            raise
        return client

    def exchange(self, path, method="GET", accept="*/*"):
        """The head of the reply, and its content."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        head, _, content = receive(self.connect(head.encode())).partition(b"\r\n\r\n")
        return head.decode(), content

    def get(self, path):
        """Status and JSON."""
        head, content = self.exchange(path)
        return int(head.split()[1]), json.loads(content)

    def status_of(self, path):
        return self.get(path)[0]

    def metrics(self):
        return self.get("/metrics")[1]

    def wait(self, condition, path="/metrics"):
        """Ask until the JSON pleases, and return it."""
        end = time.monotonic() + WAIT_S
        while not condition(found := self.get(path)[1]):
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found


@contextmanager
def served(folder, *flags, count=SINGLE, text=APPLICATION, **options):
    """A server and its admin endpoint."""
    with workers(folder, "--admin", "127.0.0.1:0", *flags, count=count, text=text, **options) as server:
        url = urlsplit(re.search(r"admin\s+(\S+)", server.log)[1])
        yield server, Admin((url.hostname, url.port))
        if options.get("is_cut_short"):  # the blocked would end late
            left = children(server)
            server.process.kill()
            for pid in left:
                os.kill(pid, signal.SIGKILL)


@contextmanager
def starting(folder, text, *flags):
    """A server that is not waited for; its admin endpoint is a unix socket."""
    write(folder, text)
    path = folder / "admin.sock"
    command = [sys.executable, "-m", "penstock", "run", "shop:app", "--port", "0", "--admin", f"unix:{path}"]
    with subprocess.Popen(
        [*command, *flags], cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            admin = Admin(str(path))
            wait_until(lambda: answers(admin), "the endpoint answers")
            yield child, admin
        finally:
            child.terminate()
            child.communicate(timeout=WAIT_S)


def answers(admin):
    try:
        return admin.status_of("/livez") == 200
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def open_many(server, path, count):
    stack = ExitStack()
    return stack, [stack.enter_context(server.ask(path)) for _ in range(count)]


# ------------------------------------------------------------------------------------------------------ what it tells


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_probes_and_figures_of_a_server_that_serves(tmp_path, count):
    with served(tmp_path, count=count) as (server, admin):
        for _ in range(5):
            get(server, "/")
        told = admin.wait(lambda found: found["requests_total"] == 5)
        alive, ready, health = admin.get("/livez"), admin.get("/readyz"), admin.get("/health")
        pids = children(server) if count > 1 else {server.process.pid}

    assert alive == ready == (200, {"status": "ok"})
    assert (health[0], health[1]["status"], health[1]["workers_ready"]) == (200, "ok", count)
    assert {"status", "uptime_seconds", "timestamp", "workers_ready"} <= set(health[1])
    assert (told["status"], told["pid"], told["restarts"]) == ("ok", server.process.pid, 0)
    assert set(told["thread_pool"]) == {"total_workers", "active_workers", "idle_workers", "queue_depth"}
    assert {worker["pid"] for worker in told["workers"]} <= pids
    assert len(told["workers"]) == count
    for worker in told["workers"]:
        assert worker["state"] == "ready"
        assert 1_000_000 < worker["rss_bytes"] < told["rss_bytes"] or count == SINGLE
        assert 0 < worker["uptime_seconds"] < WAIT_S


def test_requests_in_flight_are_told_without_their_query(tmp_path):
    with served(tmp_path, is_cut_short=True) as (server, admin), ExitStack() as opened:
        for path in ("/users/7?token=secret", "/task/9"):
            opened.enter_context(server.ask(path))
        found = admin.wait(lambda found: len(found["requests"]) == 2, "/status")
        older = admin.wait(lambda found: found["requests"][0]["age_seconds"] > 1.2, "/status")
        assert (found["requests_in_flight"], found["connections"]) == (2, 2)
        lines = {request["line"]: request for request in found["requests"]}

    assert set(lines) == {"GET /users/7?token=[redacted] HTTP/1.1", "GET /task/9 HTTP/1.1"}
    assert lines["GET /task/9 HTTP/1.1"]["runs"] == "task"
    assert lines["GET /users/7?token=[redacted] HTTP/1.1"]["runs"] == "thread"
    assert lines["GET /users/7?token=[redacted] HTTP/1.1"]["route"] == "/users/{user_id}"
    assert older["oldest_request_seconds"] >= older["requests"][0]["age_seconds"] > 1.2


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_no_request_is_counted_twice_or_not_at_all(tmp_path, count):
    with served(tmp_path, count=count) as (server, admin):
        with Load(server, ["/", "/task/0", "/thread/0"], clients=4) as load:
            totals = [admin.metrics()["requests_total"]]
            while load.count < 400:
                totals.append(admin.metrics()["requests_total"])
                assert totals[-1] >= totals[-2]
        assert not load.failures
        admin.wait(lambda found: found["requests_total"] == load.count)


def test_counts_outlive_a_worker_that_was_killed(tmp_path):
    with served(tmp_path, count=SEVERAL) as (server, admin):
        for _ in range(20):
            get(server, "/")
        before = admin.wait(lambda found: found["requests_total"] == 20)
        busiest = max(before["workers"], key=lambda worker: worker["requests_total"])

        os.kill(busiest["pid"], signal.SIGKILL)
        admin.wait(
            lambda found: (
                busiest["pid"] not in [worker["pid"] for worker in found["workers"]]
                and [worker["state"] for worker in found["workers"]] == ["ready"] * 2
            )
        )
        after = admin.metrics()

    assert busiest["requests_total"] >= 10
    assert (after["requests_total"], after["restarts"]) == (20, 1)


def test_a_reload_is_no_restart_and_loses_no_count(tmp_path):
    with served(tmp_path, count=SEVERAL) as (server, admin):
        for _ in range(10):
            get(server, "/")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reload done")
        told = admin.wait(lambda found: len(found["workers"]) == 2 and found["requests_total"] == 10)

    assert told["restarts"] == 0


# ------------------------------------------------------------------------------- while those who serve cannot answer


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_answers_while_every_thread_is_busy_and_the_queue_is_full(tmp_path, count):
    flags = ("--threads", "2", "--queue-limit", "2")
    with served(tmp_path, *flags, count=count, is_cut_short=True) as (server, admin):
        stack, _ = open_many(server, "/thread/30", 12 * count)
        with stack:
            told = admin.wait(lambda found: found["thread_pool"]["queue_depth"] == 2 * count)
            probes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health")]

    assert told["thread_pool"]["active_workers"] == 2 * count
    assert told["requests_in_flight"] == 4 * count
    assert probes == [200, 200, 200]


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_answers_while_every_loop_is_blocked(tmp_path, count):
    with served(tmp_path, count=count, is_cut_short=True) as (server, admin):
        stack, _ = open_many(server, "/block/30?password=secret", 16)
        with stack:
            told = admin.wait(
                lambda found: all(worker["loop_still_seconds"] > 2 for worker in found["workers"]), "/status"
            )
            start = time.monotonic()
            probes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health", "/metrics")]
            took_s = time.monotonic() - start

    assert probes == [200] * 4
    assert took_s < QUICK_S
    running = [request for request in told["requests"] if request["runs"] == "loop"]
    assert {request["line"] for request in running} == {"GET /block/30?password=[redacted] HTTP/1.1"}
    assert {request["worker"] for request in running} == {worker["pid"] for worker in told["workers"]}


def test_a_single_process_that_is_stuck_is_not_alive_until_it_is_no_longer(tmp_path):
    with served(tmp_path, "--stuck-timeout", "1.5") as (server, admin), server.ask("/block/6"):
        alive = admin.wait(lambda found: found["status"] == "stuck", "/livez")
        codes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health")]
        admin.wait(lambda found: found["status"] == "ok", "/livez")
        again = [admin.status_of(path) for path in ("/livez", "/readyz", "/health")]

    assert alive == {"status": "stuck"}
    assert (codes, again) == ([503] * 3, [200] * 3)


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_while_draining_it_is_alive_and_not_ready(tmp_path, count):
    with served(tmp_path, count=count) as (server, admin), server.ask("/task/4") as client:
        admin.wait(lambda found: found["requests_in_flight"] == 1)
        server.process.send_signal(signal.SIGTERM)
        told = admin.wait(lambda found: found["status"] == "draining", "/readyz")
        codes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health", "/metrics")]
        reply = receive(client)
        server.process.wait(WAIT_S)

    assert told == {"status": "draining"}
    assert codes == [200, 503, 503, 200]
    assert reply.endswith(b"slept")


SLOW_START = """
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from penstock import App

@asynccontextmanager
async def lifespan(app):
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    yield

app = App(lifespan=lifespan)
"""
SLOW_IMPORT = """
import time
from pathlib import Path
from penstock import App

while not Path("go").exists():
    time.sleep(0.01)
app = App()
"""


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
@pytest.mark.parametrize("text", [SLOW_START, SLOW_IMPORT], ids=["start", "import"])
def test_before_the_application_has_started_it_is_alive_and_not_ready(tmp_path, count, text):
    with starting(tmp_path, text, "--workers", str(count)) as (_, admin):
        before = [admin.get(path) for path in ("/livez", "/readyz")]
        (tmp_path / "go").touch()
        admin.wait(lambda found: found == {"status": "ok"}, "/readyz")

    assert before == [(200, {"status": "ok"}), (503, {"status": "starting"})]


def test_without_a_worker_that_is_ready_it_is_not_ready(tmp_path):
    with served(tmp_path, count=SEVERAL) as (server, admin):
        (tmp_path / "shop.py").write_text("while True: pass")
        for pid in {worker["pid"] for worker in admin.metrics()["workers"]}:
            os.kill(pid, signal.SIGKILL)
        admin.wait(lambda found: found["status"] == "starting", "/readyz")
        codes = [admin.status_of(path) for path in ("/livez", "/readyz", "/health")]
        write(tmp_path, APPLICATION)
        for pid in children(server):
            if pid not in _admin_processes(server, admin):
                os.kill(pid, signal.SIGKILL)
        admin.wait(lambda found: found["status"] == "ok", "/readyz")

    assert codes == [200, 503, 503]


def _admin_processes(server, admin):
    return children(server) - {worker["pid"] for worker in admin.metrics()["workers"]}


# ----------------------------------------------------------------------------------------------------- the endpoint


def test_who_prefers_text_gets_text(tmp_path):
    with served(tmp_path) as (_, admin):
        replies = [
            admin.exchange("/readyz", accept=accept)
            for accept in ("text/plain", "*/*", "text/html", "text/html, */*;q=0.1")
        ]

    texts = [head.split()[1] + " " + content.decode() for head, content in replies]
    assert texts[:2] == ["200 ok\n", '200 {"status":"ok"}']
    assert (texts[2][:3], texts[3]) == ("406", '200 {"status":"ok"}')
    assert all("Vary: Accept" in head for head, _ in replies)


def test_what_is_not_there_is_404_and_nothing_can_be_changed(tmp_path):
    with served(tmp_path) as (_, admin):
        absent = admin.get("/")
        replies = [
            admin.exchange("/livez", method) for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
        ]
        head, content = admin.exchange("/metrics", "HEAD")

        browser, _ = admin.exchange("/", accept="text/html,application/xhtml+xml,*/*;q=0.8")

    assert browser.startswith("HTTP/1.1 307")
    assert "Location: /dashboard" in browser
    assert absent[0] == 404
    assert "/livez" in absent[1]["detail"]
    for reply, _ in replies:
        assert reply.startswith("HTTP/1.1 405")
        assert "Allow: GET, HEAD" in reply
    assert head.startswith("HTTP/1.1 200")
    assert "Cache-Control: no-store" in head
    assert content == b""


GARBAGE = [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\0" * 5000, b"GET\n\n", b"A" * 100_000, b""]


def test_garbage_costs_its_own_connection_alone(tmp_path):
    with served(tmp_path, count=SEVERAL) as (_, admin):
        for octets in GARBAGE:
            assert b" 200 " not in send_garbage(admin, octets)
            assert admin.status_of("/livez") == 200


def send_garbage(admin, octets):
    try:
        with admin.connect(octets) as client:
            client.shutdown(socket.SHUT_WR)
            return receive(client)
    except OSError:  # refused in the middle
        return b""


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_clients_that_never_finish_their_head_keep_nobody_out_for_long(tmp_path, count):
    with served(tmp_path, count=count) as (server, admin), ExitStack() as opened:
        for _ in range(300):
            opened.enter_context(admin.connect(b"GET /livez HTTP/1.1\r\nHost: "))
        start = time.monotonic()
        alive = admin.status_of("/livez")
        took_s = time.monotonic() - start
        reply = get(server, "/")

    assert (alive, reply) == (200, "served")
    assert took_s < 20


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_an_address_that_is_taken_is_one_line(tmp_path, count):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = (
            "--admin",
            f"127.0.0.1:{port}",
            "--workers",
            str(count),
            "--bind",
            f"unix:{tmp_path}/shop.sock",
        )
        code, errors = run_to_end(tmp_path, APPLICATION, *words)

    reason = "the port is in use; stop what listens there or choose another"
    assert (code, errors) == (
        2,
        f"penstock: error: admin: cannot listen on 127.0.0.1:{port}: {reason}\n",
    )
    assert not (tmp_path / "shop.sock").exists()


def test_its_process_comes_back_when_it_is_killed(tmp_path):
    with served(tmp_path, count=SEVERAL) as (server, admin):
        get(server, "/")
        total = admin.wait(lambda found: found["requests_total"] == 1)
        (pid,) = _admin_processes(server, admin)

        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _comes_back(admin), "it answers again")

        assert admin.metrics()["requests_total"] == total["requests_total"]
        assert "the admin endpoint has ended, by SIGKILL" in server.log


def _comes_back(admin):
    try:
        return admin.status_of("/livez") == 200
    except (ConnectionError, IndexError, ValueError):
        return False


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_after_a_stop_nothing_is_left(tmp_path, count):
    write(tmp_path, APPLICATION)
    path = tmp_path / "admin.sock"
    server = Serving("shop:app", "--workers", str(count), "--admin", f"unix:{path}", cwd=tmp_path)
    pids = children(server)
    code = server.terminate()

    assert code == 0
    assert not path.exists()
    assert not any(map(is_alive, pids))
    assert "ERROR" not in server.log


def test_its_process_ends_when_the_supervisor_is_killed(tmp_path):
    with served(tmp_path, count=SEVERAL, is_cut_short=True) as (server, _):
        pids = children(server)
        server.process.kill()

        wait_until(lambda: not any(map(is_alive, pids)), "all of them end")
        assert len(pids) == 3


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_it_answers_where_root_is_given_up(count):
    with unprivileged.public_folder() as folder:
        admin = Admin(str(folder / "admin.sock"))
        words = ("--user", "nobody", "--admin", f"unix:{admin.address}", "--workers", str(count))
        with unprivileged.serving(folder, *words):
            wait_until(lambda: answers(admin), "it answers")
            assert admin.status_of("/readyz") == 200
