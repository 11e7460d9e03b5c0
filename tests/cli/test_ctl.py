"""`penstock ctl`: asked of running servers, and of what is none."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from penstock.cli import main
from penstock.cli.ctl import render_status
from penstock.server.control import fetch_status
from tests.cli import unprivileged
from tests.e2e.serving import WAIT_S
from tests.e2e.workers import children, is_alive, wait_until, workers
from tests.ports import free_port

APPLICATION = """
import time
from penstock import App

app = App()

@app.get("/")
def home() -> str:
    return "served"

@app.get("/users/{user_id}")
def user(user_id: int) -> str:
    time.sleep(60)

@app.get("/block")
async def block() -> str:
    time.sleep(60)
"""
SINGLE, SEVERAL = 1, 2


@contextmanager
def served(folder, *flags, count=SEVERAL, **options):
    words = ("--pid-file", "shop.pid", "--admin", f"unix:{folder}/admin.sock", *flags)
    with workers(folder, *words, count=count, text=APPLICATION, **options) as server:
        yield server
        if options.get("is_cut_short"):
            left = children(server)
            server.process.kill()
            for pid in left:
                os.kill(pid, signal.SIGKILL)


def told(penstock, *words, **variables):
    done = penstock("ctl", *words, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def wait_for(folder, condition):
    end = time.monotonic() + WAIT_S
    while not condition(found := fetch_status(f"unix:{folder}/admin.sock")):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


@pytest.fixture
def ctl(folder, capsys):
    """`ctl("status")` in this process: exit code, stdout and stderr."""

    def run(*words):
        code = main(["ctl", *words])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return run


def fails(done, code, message):
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"penstock: error: {message}\n")


# -------------------------------------------------------------------------------------------------------------- status


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_status_lists_workers_and_requests_in_flight(penstock, tmp_path, count):
    with served(tmp_path, count=count, is_cut_short=True) as server, server.ask("/users/7?token=secret"):
        wait_for(tmp_path, lambda found: found["requests_in_flight"] == 1)
        text = told(penstock, "status", PENSTOCK_ADMIN=f"unix:{tmp_path}/admin.sock")

    first, second, _, head, *rows = text.splitlines()
    assert first.startswith(f"ok: process {server.process.pid} for ")
    assert f"{count} worker" in first
    assert second == "1 connection, 1 request so far, 1 in flight, 0 waiting for a thread"
    assert head.split() == [
        "PID",
        "STATE",
        "AGE",
        "CONNECTIONS",
        "REQUESTS",
        "IN",
        "FLIGHT",
        "OLDEST",
        "THREADS",
        "RSS",
    ]
    assert [row.split()[1] for row in rows[:count]] == ["ready"] * count
    assert rows[count + 1].split() == ["AGE", "RUNS", "WORKER", "REQUEST"]
    assert "thread" in rows[count + 2]
    assert rows[count + 2].endswith("GET /users/7?token=[redacted] HTTP/1.1")
    assert "secret" not in text


def test_status_shows_a_worker_whose_loop_stands_still(tmp_path):
    with served(tmp_path, is_cut_short=True) as server, server.ask("/block"):
        found = wait_for(
            tmp_path,
            lambda found: max(each["loop_still_seconds"] for each in found["workers"]) > 2.5,
        )
        text = render_status(found)

    assert text.count("ready, loop still for ") == 1
    assert [request["runs"] for request in found["requests"]] == ["loop"]


def test_status_by_the_pid_file_lists_processes(penstock, tmp_path):
    with served(tmp_path) as server:
        text = told(penstock, "status", "--pid-file", "shop.pid")
        found = json.loads(told(penstock, "status", "--pid-file", "shop.pid", "--json"))["processes"]
        pids = {server.process.pid, *children(server)}

    assert {each["pid"] for each in found} == pids
    assert (found[0]["pid"], found[0]["role"]) == (server.process.pid, "server")
    assert all(each["rss_bytes"] > 1_000_000 and each["uptime_seconds"] < 600 for each in found)
    assert all(str(pid) in text for pid in pids)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_status_over_tcp(penstock, tmp_path, address):
    with workers(tmp_path, "--admin", address, count=SINGLE, text=APPLICATION) as server:
        url = re.search(r"admin\s+http://(\S+)", server.log)[1]
        text = told(penstock, "status", "--admin", url)
        found = json.loads(told(penstock, "status", "--json", "--admin", url))
        pid = server.process.pid

    assert text.startswith(f"ok: process {pid} ")
    assert found["pid"] == found["workers"][0]["pid"] == pid


def test_the_settings_of_the_file_are_where_it_looks(penstock, tmp_path):
    with served(tmp_path) as server:
        (tmp_path / "penstock.toml").write_text(
            f'admin = "unix:{tmp_path}/admin.sock"\npid_file = "shop.pid"\nworkers = 2\n'
        )
        text = told(penstock, "status")
        told(penstock, "stop")
        assert server.process.wait(WAIT_S) == 0

    assert text.startswith("ok: process ")


WORKER = {
    "pid": 7,
    "state": "ready",
    "uptime_seconds": 1.0,
    "connections": 0,
    "requests_total": 0,
    "requests_in_flight": 0,
    "oldest_request_seconds": None,
    "thread_pool": {"active_workers": 0, "total_workers": 16},
    "rss_bytes": 0,
    "loop_still_seconds": 0.0,
    "figures_age_seconds": 0.0,
}
FIGURES = {
    "status": "ok",
    "pid": 1,
    "uptime_seconds": 93_784.0,
    "connections": 1,
    "requests_total": 9,
    "requests_in_flight": 9,
    "thread_pool": {"queue_depth": 0},
    "rss_bytes": 0,
    "restarts": 1,
    "workers": [],
    "requests": [{"age_seconds": 185.0, "runs": "task", "worker": 2, "line": "GET /\x1b[2J HTTP/1.1"}],
}


def test_ages_have_two_units_and_what_is_cut_off_is_counted():
    text = render_status(FIGURES)

    assert "ok: process 1 for 1 d 2 h, 0 workers, 1 restart, -" in text
    assert "3 min 5 s" in text
    assert "and 8 younger ones" in text


def test_checks_that_fail_and_releases_are_told():
    check = {"status": "failed", "critical": True, "since_seconds": 3.1, "workers": 2, "workers_failed": 1}
    worker = {**WORKER, "release": "r2\x1b"}
    told = {
        **FIGURES,
        "checks": {"database": {**check, "reason": "no\x1b"}, "mail": {**check, "status": "ok"}},
    }

    text = render_status({**told, "release": "r2", "workers": [worker]})

    assert "ok: release r2, process 1 " in text
    assert "check database: failed in 1 of 2 workers for 3.1 s: no?" in text
    assert "check mail" not in text
    assert "7    r2?      ready" in text


def test_nothing_that_was_told_moves_the_terminal():
    assert "\x1b" not in render_status(FIGURES)


# ------------------------------------------------------------------------------------------------------------- signals


def test_scale_changes_the_number_of_workers(penstock, tmp_path):
    with served(tmp_path) as server:
        assert told(penstock, "scale", "+1", "--pid-file", "shop.pid") == (
            f"scale +1: told process {server.process.pid}\n"
        )
        wait_for(tmp_path, lambda found: len(found["workers"]) == 3)
        told(penstock, "scale", "-1", "--pid-file", "shop.pid")
        wait_for(tmp_path, lambda found: len(found["workers"]) == 2)


def test_reload_replaces_every_worker(penstock, tmp_path):
    with served(tmp_path) as server:
        before = {each["pid"] for each in fetch_status(f"unix:{tmp_path}/admin.sock")["workers"]}
        told(penstock, "reload", "--pid-file", "shop.pid")
        server.wait_for_log("reload done")
        wait_until(lambda: not any(map(is_alive, before)), "the old ones end")


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_reopen_logs_goes_on_in_a_new_file(penstock, tmp_path, count):
    log = tmp_path / "access.log"
    with workers(
        tmp_path, "--pid-file", "shop.pid", "--access-log", "--access-log-file", str(log), count=count
    ):
        log.rename(tmp_path / "old.log")
        told(penstock, "reopen-logs", "--pid-file", "shop.pid")
        wait_until(log.exists, "there is a new file")


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_stop_ends_the_server_in_order(penstock, tmp_path, count):
    with served(tmp_path, count=count) as server:
        told(penstock, "stop", "--pid-file", "shop.pid")
        assert server.process.wait(WAIT_S) == 0

    fails(
        penstock("ctl", "stop", "--pid-file", "shop.pid"),
        1,
        "no server runs: there is no shop.pid",
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [(("reload",), "SIGHUP"), (("scale", "+1"), "SIGTTIN"), (("scale", "-1"), "SIGTTOU")],
)
def test_a_signal_that_would_end_a_single_process_is_not_sent(penstock, tmp_path, words, name):
    with served(tmp_path, count=SINGLE) as server:
        done = penstock("ctl", *words, "--pid-file", "shop.pid")
        pid = server.process.pid

        assert fetch_status(f"unix:{tmp_path}/admin.sock")["status"] == "ok"
    message = f"process {pid} takes no {name}: {' '.join(words)} is for a server with workers (--workers 2)"
    fails(done, 1, message)


def test_another_users_server_cannot_be_told():
    with unprivileged.public_folder() as folder:
        words = ("--pid-file", str(folder / "shop.pid"))
        with unprivileged.serving(folder, *words) as (child, _):
            done = unprivileged.run(folder, "ctl", "stop", *words, user="nobody", group="nogroup")
            message = f"process {child.pid} is another user's; only that user or root can do it"
            fails(done, 1, message)


# ------------------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "ctl what? status, reload, stop, scale, reopen-logs"),
        (("stats",), "unknown action 'stats'; did you mean 'status'?"),
        (("scale",), "scale by how much? One worker at a time: penstock ctl scale +1, or -1"),
        (("scale", "+2"), "scale by how much? One worker at a time: penstock ctl scale +1, or -1"),
        (("reload", "now"), "unexpected argument 'now'"),
        (("status", "-1"), "unexpected argument '-1'"),
        (("stop", "--json"), "--json is for status"),
        (("stop", "--port", "1"), "unknown flag '--port'"),
        (("status",), "status of which server? Name its admin endpoint with --admin, or --pid-file"),
        (("reload",), "reload which server? Name its pid file with --pid-file"),
        (("status", "--admin", "9100"), None),
    ],
)
def test_wrong_words_are_one_line(ctl, words, message):
    message = message or "--admin: expected HOST:PORT, [::1]:PORT or unix:/path, got '9100'"

    fails(ctl(*words), 2, message)


def test_a_pid_file_of_a_dead_process_says_so(ctl, tmp_path):
    with subprocess.Popen(["true"]) as child:
        pass
    (tmp_path / "shop.pid").write_text(f"{child.pid}\n")

    fails(
        ctl("stop", "--pid-file", "shop.pid"),
        1,
        "no server runs: the process of shop.pid has ended",
    )


def test_a_pid_file_without_a_pid_is_a_mistake(ctl, tmp_path):
    (tmp_path / "shop.pid").write_text("notes\n")

    fails(
        ctl("stop", "--pid-file", "shop.pid"),
        2,
        "pid_file: shop.pid holds no process id; it is not ours to replace",
    )


@pytest.mark.parametrize("place", ["tcp", "unix"])
def test_nobody_at_the_address_is_said(ctl, tmp_path, place):
    port = free_port()
    address, reason = {
        "tcp": (f"127.0.0.1:{port}", "Connection refused"),
        "unix": (f"unix:{tmp_path}/admin.sock", "No such file or directory"),
    }[place]

    fails(ctl("status", "--admin", address), 1, f"no admin endpoint answers at {address}: {reason}")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\n\r\n{"status": 1, "workers": 2, "requests": 3}',
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",
    ],
)
def test_something_else_at_the_address_is_said(ctl, reply):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer_once, args=(listening, reply), daemon=True).start()
        done = ctl("status", "--admin", f"127.0.0.1:{listening.getsockname()[1]}")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("penstock: error: ")
    assert done.stderr.count("\n") == 1


def answer_once(listening, reply):
    client, _ = listening.accept()
    with client:
        client.recv(65_536)
        client.sendall(reply)
