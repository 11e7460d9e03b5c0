"""Several workers under a supervisor, as an operator sees them: crashes, reloads, signals, the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.serving import WAIT_S, environment, receive
from tests.e2e.workers import (
    APPLICATION,
    Load,
    children,
    get,
    is_alive,
    reload,
    run_to_end,
    wait_until,
    workers,
    write,
)

PATHS = ["/", "/pid", "/task/0", "/task/0.01", "/thread/0", "/thread/0.01"]


def test_every_worker_gets_an_even_share_of_connections(tmp_path):
    with workers(tmp_path, count=2) as server, ExitStack() as opened:
        pids = []
        while len(pids) < 64 or not 24 / 64 <= pids.count(pids[0]) / len(pids) <= 40 / 64:
            assert len(pids) < 512, "one that was late gets what it lacks"
            clients = [opened.enter_context(server.ask("/pid")) for _ in range(8)]
            pids += [client.recv(65_536).rpartition(b"\r\n\r\n")[2] for client in clients]

    assert len(set(pids)) == 2


def test_sigkill_of_a_worker_under_load_loses_only_its_own_requests(tmp_path):
    with workers(tmp_path) as server, Load(server, PATHS, clients=8) as load:
        before = children(server)
        wait_until(lambda: load.count > 200, "the load runs")

        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(children(server) - before) == 1, "the worker is replaced")
        count = load.count
        wait_until(lambda: load.count > count + 200, "the load goes on")

    # Eight connections over two workers; a shared-out connection more or less.
    assert 1 <= len(load.failures) <= 8, load.failures
    assert "by SIGKILL; it is replaced" in server.log


def test_sigkill_loses_the_requests_in_flight_in_that_worker_and_no_other(tmp_path):
    with workers(tmp_path) as server, ExitStack() as opened:
        clients = {opened.enter_context(server.ask("/pid")): 0 for _ in range(40)}
        for client in clients:
            clients[client] = int(client.recv(65_536).rpartition(b"\r\n\r\n")[2])
        killed = min(clients.values())
        for number, client in enumerate(clients):
            path = "/task/3" if number % 2 else "/thread/3"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        seen: set[int] = set()
        wait_until(
            lambda: seen.add(int(get(server, "/pid"))) or seen == set(clients.values()),
            "both workers answer, and so have taken what came before",
        )

        os.kill(killed, signal.SIGKILL)
        replies = {}
        for client in clients:
            try:
                replies[client] = receive(client)
            except ConnectionResetError:
                replies[client] = b""

    lost = [client for client, reply in replies.items() if not reply]
    assert len(lost) == sum(pid == killed for pid in clients.values()) > 0
    assert {clients[client] for client in lost} == {killed}
    assert all(b" 200 OK\r\n" in replies[client] for client in clients if client not in lost)


def test_a_worker_that_ends_again_and_again_is_replaced_with_growing_delays(tmp_path):
    with workers(tmp_path, count=2) as server:
        for _ in range(3):
            gone = max(children(server))
            os.kill(gone, signal.SIGKILL)
            wait_until(lambda gone=gone: len(children(server) - {gone}) == 2, "it is replaced")
        assert get(server, "/") == "VERSION"

    delays = re.findall(r"(?:is replaced|next try)(?: in (\S+) s)?", server.log)
    assert delays == ["", "0.5", "1"]


@pytest.mark.parametrize("flag", ["--no-preload", "--preload"])
def test_an_application_that_cannot_be_imported_is_one_line_and_code_2(tmp_path, flag):
    code, errors = run_to_end(tmp_path, "import os\n1 / 0\n", "--workers", "2", flag)

    assert code == 2
    assert errors == "penstock: error: cannot import 'shop': shop.py:2: ZeroDivisionError: division by zero\n"


def test_workers_that_end_before_they_are_ready_are_given_up_after_some_tries(tmp_path):
    code, errors = run_to_end(
        tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "--workers", "2"
    )

    assert code == 2
    assert errors == "penstock: error: a worker ended before it was ready, by SIGKILL\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("path", ["/task/3", "/thread/3"])
def test_requests_in_flight_are_finished_before_the_end(tmp_path, number, path):
    with workers(tmp_path) as server:
        clients = [server.ask(path) for _ in range(6)]
        idle = server.ask("/")
        assert idle.recv(65_536)

        server.process.send_signal(number)
        replies = [receive(client) for client in clients]

        assert all(b"200 OK" in reply and b"\r\nConnection: close\r\n" in reply for reply in replies), replies
        assert receive(idle) == b""
        assert server.wait() == 0


def test_ctrl_c_for_the_whole_group_is_one_signal_to_stop(tmp_path):
    with workers(tmp_path) as server:
        client = server.ask("/task/0.7")
        get(server, "/")
        for pid in children(server):
            os.kill(pid, signal.SIGINT)

        server.process.send_signal(signal.SIGINT)

        assert b"200 OK" in receive(client)
        assert server.wait() == 0


def test_an_open_stream_does_not_hold_the_end_past_the_drain_deadline(tmp_path):
    with workers(tmp_path, "--drain-timeout", "0.5") as server:
        client = server.ask("/endless")
        assert client.recv(65_536)
        start = time.monotonic()

        assert server.terminate() == 0

        assert time.monotonic() - start < 18
        client.close()


def test_a_second_signal_ends_everything_at_once(tmp_path):
    with workers(tmp_path, is_cut_short=True) as server:
        client = server.ask("/task/60")
        get(server, "/")
        pids = children(server)
        start = time.monotonic()

        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping")
        server.process.send_signal(signal.SIGTERM)

        assert server.wait() == 130
        assert time.monotonic() - start < 18
        assert not any(map(is_alive, pids))
        client.close()


def test_workers_end_when_the_supervisor_is_killed(tmp_path):
    with workers(tmp_path, is_cut_short=True) as server:
        pids = children(server)

        server.process.kill()

        wait_until(lambda: not any(map(is_alive, pids)), "the workers end")


def test_a_reload_brings_new_code_and_new_workers(tmp_path):
    with workers(tmp_path) as server:
        assert get(server, "/") == "VERSION"
        write(tmp_path, APPLICATION.replace("VERSION", "another"))

        before = reload(server)

        assert get(server, "/") == "another"
        wait_until(lambda: not before & children(server), "the old ones end")
        assert len(children(server)) == 2


def test_reloads_under_load_fail_no_request(tmp_path):
    with workers(tmp_path) as server, Load(server, PATHS) as load:
        for _ in range(5):
            reload(server)
            count = load.count
            wait_until(lambda count=count: load.count > count + 50, "the load goes on")

    assert load.failures == []
    assert load.count > 500


@pytest.mark.slow
def test_twenty_reloads_under_load_fail_no_request(tmp_path):
    with workers(tmp_path, count=3) as server, Load(server, PATHS, clients=16) as load:
        for _ in range(20):
            reload(server)

    assert load.failures == []
    assert load.count > 2000


def test_recycling_under_load_fails_no_request(tmp_path):
    with workers(tmp_path, "--max-requests", "150") as server, Load(server, PATHS) as load:
        wait_until(lambda: server.log.count("is replaced: it has served") >= 6, "workers are replaced")

    assert load.failures == []


STUCK = (
    APPLICATION
    + """
import ctypes

@app.get("/stuck/inline", run="inline")
def stuck_inline() -> str:
    time.sleep(60)

@app.get("/stuck/task")
async def stuck_task() -> str:
    time.sleep(60)

@app.get("/stuck/later")
async def stuck_later() -> str:
    await asyncio.sleep(0.05)
    while True:
        pass

@app.get("/stuck/locked")
async def stuck_locked() -> str:
    ctypes.PyDLL(None).sleep(60)  # with the interpreter lock
"""
)


@pytest.mark.parametrize("name", ["inline", "task", "later"])
def test_a_worker_whose_loop_is_stuck_is_dumped_and_replaced(tmp_path, name):
    with workers(tmp_path, "--stuck-timeout", "1", text=STUCK) as server:
        before = children(server)
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        client = server.ask(f"/stuck/{name}", f"traceparent: 00-{trace_id}-00f067aa0ba902b7-01")

        server.wait_for_log(f"the loop is stuck for .*: <Request GET /stuck/{name}>, trace id {trace_id}")
        server.wait_for_log("has ended, exit code 70; it is replaced")
        wait_until(lambda: len(children(server)) == 2, "it is replaced")

        assert f", in stuck_{name}\n" in server.log
        assert len(before & children(server)) == 1
        reply = receive(client)
        assert reply.startswith(b"HTTP/1.1 504 ")
        assert trace_id.encode() in reply
        assert get(server, "/") == "VERSION"


def test_a_worker_stuck_with_the_interpreter_lock_is_dumped_and_replaced(tmp_path):
    with workers(tmp_path, "--stuck-timeout", "1", text=STUCK) as server:
        client = server.ask("/stuck/locked")

        server.wait_for_log("it is replaced")

        assert " in stuck_locked\n" in server.log
        assert receive(client) == b""


def test_a_worker_that_was_paused_is_not_taken_for_a_stuck_one(tmp_path):
    with workers(tmp_path, "--stuck-timeout", "2", text=STUCK) as server:
        before = children(server)
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3.5)
        for pid in before:
            os.kill(pid, signal.SIGCONT)

        assert get(server, "/") == "VERSION"
        time.sleep(0.6)  # two looks of who watches
        assert children(server) == before

    assert "stuck" not in server.log


def test_work_in_threads_is_not_taken_for_a_stuck_loop(tmp_path):
    with workers(tmp_path, "--stuck-timeout", "2", text=STUCK) as server:
        assert get(server, "/thread/3.5").isdecimal()

    assert "stuck" not in server.log


def test_a_request_on_a_connection_idle_at_the_reload_is_answered_and_the_last(tmp_path):
    with workers(tmp_path) as server:
        clients = [server.ask("/pid") for _ in range(8)]
        for client in clients:
            assert b"\r\nConnection: close" not in client.recv(65_536)

        reload(server)

        for client in clients:
            client.sendall(b"GET /pid HTTP/1.1\r\nHost: t\r\n\r\n")
            assert b"\r\nConnection: close\r\n" in receive(client)


def test_idle_connections_do_not_hold_a_reload(tmp_path):
    with workers(tmp_path) as server:
        idle = [server.ask("/") for _ in range(4)]
        silent = server.connect()
        for client in idle:
            client.recv(65_536)

        before = reload(server)

        wait_until(lambda: not before & children(server), "the old ones end")
        for client in [*idle, silent]:
            assert receive(client) == b""


def test_an_application_that_cannot_be_imported_leaves_the_old_workers(tmp_path):
    with workers(tmp_path) as server:
        before = children(server)
        write(tmp_path, "this is no Python\n")

        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reload given up, the workers there are stay: .*SyntaxError")

        assert children(server) == before
        assert get(server, "/") == "VERSION"
        assert server.log.count(" ERROR ") == 1

        write(tmp_path, APPLICATION.replace("VERSION", "mended"))
        reload(server)
        assert get(server, "/") == "mended"


def test_ttin_and_ttou_change_the_number_of_workers(tmp_path):
    with workers(tmp_path) as server:
        server.process.send_signal(signal.SIGTTIN)
        wait_until(lambda: len(children(server)) == 3, "one more")

        for left in (2, 1, 1):
            server.process.send_signal(signal.SIGTTOU)
            server.wait_for_log(f"{left} workers? wanted")
        wait_until(lambda: len(children(server)) == 1, "two less")

        assert get(server, "/") == "VERSION"


def test_a_preloaded_application_is_imported_once(tmp_path):
    text = APPLICATION + "\nimport sys\nprint('imported', file=sys.stderr)\n"
    with workers(tmp_path, "--preload", count=3, text=text) as server:
        reload(server)

    assert server.log.count("imported") == 1
    assert re.search("3 workers", server.log)


def test_the_supervisor_reaps_what_is_left_to_it(tmp_path):
    """As process 1 of a container it inherits every orphan; here it asks to."""
    script = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"  # PR_SET_CHILD_SUBREAPER
        "from penstock.cli import main; sys.exit(main())"
    )
    text = APPLICATION + (
        "\nimport subprocess\n"
        "@app.get('/orphan')\n"
        "def orphan() -> int:\n"
        "    return int(subprocess.run(['sh', '-c', 'sleep 0.1 & echo $!'], stdout=subprocess.PIPE).stdout)\n"
    )
    write(tmp_path, text)
    command = [sys.executable, "-c", script, "run", "shop:app", "--port", "0", "--workers", "2"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        while "bounds" not in "".join(lines[-1:]):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        port = re.search(r":([0-9]+)", "".join(lines))[1]
        done = subprocess.run(
            ["curl", "-s", f"http://127.0.0.1:{port}/orphan"], capture_output=True, timeout=WAIT_S, check=True
        )

        wait_until(lambda: not Path(f"/proc/{int(done.stdout)}").exists(), "it is reaped")
        process.terminate()
        assert process.wait(WAIT_S) == 0


def test_a_fork_that_fails_is_tried_again(tmp_path):
    script = (
        "import errno, os, sys\n"
        "fork, left = os.fork, [1, 0, 0]\n"
        "def fails_twice():\n"
        "    if left and not left.pop(): raise OSError(errno.EAGAIN, 'no process to be had')\n"
        "    return fork()\n"
        "os.fork = fails_twice\n"
        "from penstock.cli import main; sys.exit(main())"
    )
    write(tmp_path)
    command = [sys.executable, "-c", script, "run", "shop:app", "--port", "0", "--workers", "2"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        while "bounds" not in "".join(lines[-1:]):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        process.terminate()

        assert process.wait(WAIT_S) == 0

    assert "".join(lines).count("cannot fork a worker, next try in") == 2


def test_a_worker_cannot_write_to_the_pid_file_of_its_supervisor(tmp_path):
    """It may be another user by then, and root signals whom the file names."""
    file = tmp_path / "server.pid"
    with workers(tmp_path, "--pid-file", str(file), "--admin", f"unix:{tmp_path / 'admin'}") as server:
        wait_until(lambda: len(children(server)) == 3, "the workers and the admin endpoint are there")
        wait_until(
            lambda: not any("server.pid" in path for pid in children(server) for path in open_files(pid)),
            "they let go of the file",
        )

        assert int(file.read_text()) == server.process.pid


def open_files(pid):
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found
