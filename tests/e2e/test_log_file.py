"""Log files of a running server: rotated under load by rename and SIGUSR1, full, with and without workers."""

from __future__ import annotations

import os
import re
import resource
import signal
from pathlib import Path

import pytest

from tests.e2e.serving import receive, serving
from tests.e2e.workers import Load, children, wait_until, write

APPLICATION = """
from penstock import App

app = App()

@app.get("/")
async def home() -> str:
    return "served"

@app.get("/fails")
async def fails() -> str:
    raise RuntimeError("on purpose")
"""


def flags(folder, *words):
    write(folder, APPLICATION)
    paths = ("--log-file", str(folder / "server.log"), "--access-log-file", str(folder / "access.log"))
    return ("shop:app", *paths, *words)


def read(folder, pattern):
    return "".join(path.read_text() for path in folder.glob(pattern))


@pytest.mark.parametrize("count", [1, 3])
def test_files_rotated_under_load_have_every_line(tmp_path, count):
    with serving(*flags(tmp_path, "--workers", str(count)), cwd=tmp_path) as server:
        with Load(server, ["/"], clients=4) as load:
            for number in range(5):
                rotated = tmp_path / f"access.log.{number}"
                before = load.count
                (tmp_path / "access.log").rename(rotated)
                server.process.send_signal(signal.SIGUSR1)
                wait_until((tmp_path / "access.log").exists, "a new file is there")
                wait_until(lambda before=before: load.count > before + 50, "the load goes on")
        wait_until(lambda: read(tmp_path, "access.log*").count("\n") >= load.count, "all is written")
        assert children(server) or count == 1

    lines = read(tmp_path, "access.log*").splitlines()
    assert len(lines) == load.count
    assert all(
        re.search(r' "GET / HTTP/1\.1" 200 \d+ [\d.]+ms trace_id=[0-9a-f]{32}$', line) for line in lines
    )
    assert load.failures == []
    assert "penstock.access" not in server.log
    assert " INFO penstock.server stopp" in (tmp_path / "server.log").read_text()
    # Not one process went on in an old file.
    assert (tmp_path / "access.log").stat().st_size > 0


@pytest.mark.parametrize("count", [1, 2])
def test_reopening_reaches_every_process(tmp_path, count):
    with serving(*flags(tmp_path, "--workers", str(count)), cwd=tmp_path, may_fail=True) as server:
        for name in ("server.log", "access.log"):
            (tmp_path / name).rename(tmp_path / f"{name}.1")
        server.process.send_signal(signal.SIGUSR1)
        wait_until((tmp_path / "access.log").exists, "a new file is there")

        def are_all_reopened():
            receive(server.ask("/fails", "Connection: close"))
            pids = children(server) if count > 1 else {server.process.pid}
            opened = [str(link.readlink()) for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
            return not any(path.endswith(".log.1") for path in opened)

        wait_until(are_all_reopened, "no process has an old file open")

        before = (tmp_path / "server.log.1").stat().st_size
        receive(server.ask("/fails", "Connection: close"))
        wait_until(lambda: "on purpose" in (tmp_path / "server.log").read_text(), "it is in the new file")
        assert (tmp_path / "server.log.1").stat().st_size == before


def test_a_disk_that_is_full_for_a_while_costs_lines_and_no_request(tmp_path):
    with serving(*flags(tmp_path), cwd=tmp_path) as server:
        pid = server.process.pid
        receive(server.ask("/", "Connection: close"))
        wait_until(lambda: (tmp_path / "access.log").stat().st_size, "the first line is there")
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        size = (tmp_path / "access.log").stat().st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, limits[1]))

        with Load(server, ["/"], clients=2) as load:
            wait_until(lambda: load.count > 100, "it serves")
            server.wait_for_log(
                r"access\.log: cannot be written, lines are lost until it can: File too large"
            )
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        receive(server.ask("/", "Connection: close"))
        server.wait_for_log(r"access\.log: is written again")

    text = (tmp_path / "access.log").read_text()
    lost = sum(int(number) for number in re.findall(r"WARNING penstock (\d+) lines lost", text))
    written = len(re.findall(r' "GET / HTTP/1\.1" 200 ', text))
    assert load.failures == []
    assert lost > 0
    assert lost + written == load.count + 2
    assert server.log.count("cannot be written") == 1


def test_without_log_files_the_signal_ends_nothing(tmp_path):
    write(tmp_path, APPLICATION)
    for words in ((), ("--workers", "2")):
        with serving("shop:app", *words, cwd=tmp_path) as server:
            for pid in {server.process.pid, *children(server)}:
                os.kill(pid, signal.SIGUSR1)
            assert receive(server.ask("/", "Connection: close")).endswith(b"served")
            assert "has ended" not in server.log


@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--workers", "2", "--preload")])
def test_signals_to_a_server_that_starts_end_nothing(tmp_path, words):
    early = "import os, signal\nfor number in (signal.SIGUSR1, signal.SIGUSR2):\n    os.kill(os.getpid(), number)\n"
    write(tmp_path, early + APPLICATION)

    with serving("shop:app", *words, cwd=tmp_path) as server:
        assert receive(server.ask("/", "Connection: close")).endswith(b"served")
        assert "has ended" not in server.log
