"""`penstock top`: what it prints, and the screen it keeps at a real terminal while a real server works."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager

import pytest

from penstock.cli.top_screen import Screen, show_count, show_ms, spark
from tests.cli.conftest import make_environment
from tests.e2e.serving import receive
from tests.e2e.workers import Load, workers
from tests.observe.test_live import Told, series

APPLICATION = """
import time
from penstock import App

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "served"

@app.get("/fail")
def fail() -> str:
    raise KeyError("no")
"""
TAKE_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
WAIT_S = 60.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@contextmanager
def serving(folder, admin="127.0.0.1:0", **options):
    with workers(folder, "--admin", admin, text=APPLICATION, **options) as server:
        yield server, re.search(r"admin\s+(?:http://)?(\S+)", server.log)[1]


class AtTerminal:
    """`penstock top` with a terminal of its own."""

    def __init__(self, *words, size=(100, 30), **variables):
        self._near, far = pty.openpty()
        self.resize(*size)
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-bb", "-m", "penstock", "top", *words],
            stdin=far,
            stdout=far,
            stderr=far,
            env=make_environment(TERM="xterm", **variables),
            start_new_session=True,
        )
        self._far = far
        self.modes = termios.tcgetattr(far)
        self.seen = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self._near, keys)

    def wait_for(self, pattern):
        """Read until a whole screen shows something."""
        end = time.monotonic() + WAIT_S
        while not re.search(pattern, self.screen):
            assert time.monotonic() < end, self.seen[-5000:]
            self._read(0.1)
        return self.screen

    @property
    def screen(self):
        """The last whole one, without colours."""
        whole = self.seen.rpartition("\x1b[J")[0]
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", whole.rpartition("\x1b[H")[2]).replace("\r", "")

    def _read(self, timeout_s):
        if select.select([self._near], [], [], timeout_s)[0]:
            self.seen += os.read(self._near, 65_536).decode(errors="replace")

    def end(self):
        """Wait for its end: the exit code, and that the terminal is as it was."""
        end = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen[-2000:]
            self._read(0.05)
        while select.select([self._near], [], [], 0)[0]:
            self._read(0)
        assert self.seen.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l"), self.seen[-200:]
        assert termios.tcgetattr(self._far) == self.modes
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._near)
        os.close(self._far)


def test_the_screen_shows_a_server_at_work_and_q_ends_it(tmp_path):
    with serving(tmp_path, may_fail=True) as (server, address), AtTerminal(address) as top:
        top.wait_for("serving .*2 workers")
        with Load(server, ["/"], clients=2):
            first = top.wait_for(r"[1-9][\d.,k]*/s  .*█")
            later = top.wait_for(r"[1-9][\d.,k]*/s  .*█(?s:.*)GET /")
        receive(server.ask("/fail", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01", "Connection: close"))
        failed = top.wait_for(f"500 .*{TRACE}  KeyError  GET /fail")
        top.press(b"q")
        assert top.end() == 0

    assert len(first.splitlines()) <= 30
    assert later.splitlines()[-1] == failed.splitlines()[-1] == "q quits"


def test_a_worker_that_is_killed_is_seen(tmp_path):
    with serving(tmp_path) as (_, address), AtTerminal(address) as top:
        screen = top.wait_for("ready(?s:.*)ready")
        victim = int(re.search(r"^ +1 +(\d+)", screen, re.MULTILINE)[1])
        os.kill(victim, signal.SIGKILL)
        top.wait_for(rf"1 restart (?s:.*)\n +1 +(?!{victim} )\d+ .*ready")
        top.press(b"\x03")  # Ctrl-C
        assert top.end() == 0


def test_another_size_is_obeyed_and_a_server_that_goes_is_said_and_waited_for(tmp_path):
    with serving(tmp_path) as (_, address):
        top = AtTerminal(address, size=(120, 40), NO_COLOR="1")
        with top:
            top.wait_for("q quits")
            top.resize(70, 9)
            os.kill(top.process.pid, signal.SIGWINCH)
            end = time.monotonic() + WAIT_S
            while len(top.screen.splitlines()) > 9:
                assert time.monotonic() < end, (top.process.poll(), top.seen[-5000:])
                top._read(0.1)
            assert not re.search(r"\x1b\[[\d;]*m", top.seen)
            os.kill(top.process.pid, signal.SIGTERM)
            assert top.end() == 128 + signal.SIGTERM
        left = AtTerminal(address)
        left.wait_for("serving")
    with left:
        left.wait_for("CONNECTION LOST .*; lost at")
        left.press(b"Q")
        assert left.end() == 0


def test_without_a_terminal_one_look_is_printed(tmp_path, penstock):
    path = tmp_path / "admin.sock"
    with serving(tmp_path, f"unix:{path}") as (server, _):
        receive(server.ask("/", "Connection: close"))
        end = time.monotonic() + WAIT_S  # a look is up to a second old, and this server has just started
        while " STARTING " in (named := penstock("top", f"unix:{path}")).stdout:
            assert time.monotonic() < end
        found = penstock("top", PENSTOCK_ADMIN=f"unix:{path}")
        told = penstock("top", "--json", "--admin", f"unix:{path}")

    assert (named.returncode, found.returncode, told.returncode) == (0, 0, 0)
    assert named.stdout.startswith("penstock  serving")
    assert found.stdout.startswith("penstock  serving")
    assert "\x1b" not in named.stdout
    look = json.loads(told.stdout)
    assert (look["status"], len(look["workers"])) == ("ok", 2)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "top of which server? Name its admin endpoint: penstock top 127.0.0.1:9000"),
        (("127.0.0.1:1",), 1, "no admin endpoint answers at 127.0.0.1:1: Connection refused"),
        (
            ("unix:/absent.sock",),
            1,
            "no admin endpoint answers at unix:/absent.sock: No such file or directory",
        ),
        (("--onec",), 2, "unknown flag '--onec'; did you mean '--once'?"),
    ],
)
def test_mistakes_are_one_line(penstock, words, code, message):
    done = penstock("top", *words)

    assert (done.returncode, done.stderr, done.stdout) == (code, f"penstock: error: {message}\n", "")


def test_an_address_where_something_else_answers_is_told(tmp_path, penstock):
    with serving(tmp_path) as (server, _):
        done = penstock("top", f"http://127.0.0.1:{server.port}/")

    assert done.returncode == 1
    assert "is no admin endpoint" in done.stderr


def make_look():
    told = Told()
    listed = {"line": "GET /\x1b[2J HTTP/1.1", "route": "/", "since": 990.0, "runs": "thread"}
    error = {
        "number": 1,
        "time": 5.0,
        "status": 500,
        "method": "GET",
        "path": "/\x07",
        "route": "/",
        "trace_id": TRACE,
        "error_type": "E\x9bm",
    }
    for slot in (1, 2):
        told.worker(slot, slot, listed=[listed] * 30, oldest=990.0, requests_in_flight=30, errors=[error])
    told.look(*[series(route=f"/{number}\x1b]0;x\x07") for number in range(60)])
    return told.look(*[series(route=f"/{n}\x1b]0;x\x07", us_2500=n + 1) for n in range(60)])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (40, 10), (20, 3), (80, 1)])
def test_a_screen_is_never_higher_than_its_terminal(width, height):
    screen = Screen(is_coloured=True)
    screen.rates = [1.0, 0.0, 5.0]

    lines = screen.lines(make_look(), width, height, "gone")

    assert len(lines) <= height
    assert "q quits" in lines[-1]


def test_nothing_a_terminal_would_obey_gets_through():
    text = "".join(Screen(is_coloured=False).lines(make_look(), 100))

    assert text.isprintable()
    assert TRACE in text


def test_figures_are_short():
    assert [show_count(number) for number in (0, 0.34, 7, 4312, 12_400, 3_100_000)] == [
        "0",
        "0.3",
        "7",
        "4,312",
        "12.4k",
        "3.1M",
    ]
    assert [show_ms(ms) for ms in (None, 0.216, 0.9999, 8.7, 78.2, 999, 2300.0, 43_000.0)] == [
        "-",
        "216 us",
        "1.0 ms",
        "8.7 ms",
        "78 ms",
        "999 ms",
        "2.3 s",
        "43 s",
    ]
    assert spark([0, 0], 5) == "▁▁"
