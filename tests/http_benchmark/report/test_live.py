"""Progress on a real terminal, in a pipe, and nowhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from http_benchmark.measurement.progress import Progress
from http_benchmark.report import live
from http_benchmark.report.live import Live, spark

WAIT_S = 60.0
# Tells of two subjects in turns, as the engine does; waits for a line on stdin before it ends.
PROGRAM = """
import sys
from http_benchmark.measurement.progress import Progress
from http_benchmark.report import live

live.REDRAW_S = 0.0
with live.Live(planned_s=75) as shown:
    for round in range(2):
        for name in ("httpx", sys.argv[1]):
            for at in range(12):
                shown.watch(Progress(name, round, 2, at / 4, 3.0, 1000.0 + 100 * at, 1_230_000, 4_560_000, 250 * at, round))
    print(end="\\0", flush=True)  # all is shown
    sys.stdin.readline()
print("the result", flush=True)
"""


def look(name="httpx", number=0, elapsed_s=1.0, errors=0):
    return Progress(name, number, 3, elapsed_s, 4.0, 1234.5, 1_230_000, 4_560_000, 1200, errors)


def show_at_terminal(columns, *words, **variables):
    """Run the program at a terminal of so many columns: what it wrote while it ran, and in all."""
    near, far = pty.openpty()
    fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-bb", "-c", PROGRAM, *words],
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
        | {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"}
        | variables,
    )
    os.close(far)
    try:
        during = read_until(near, b"", b"\0").replace(b"\0", b"")
        os.write(near, b"\n")
        seen = read_until(near, during, b"the result")
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(near)
    return during.decode(), seen.decode()


def read_until(near, seen, text):
    end = time.monotonic() + WAIT_S
    while text not in seen:
        assert time.monotonic() < end, seen[-3000:]
        if select.select([near], [], [], 0.1)[0]:
            seen += os.read(near, 65_536)
    return seen


def last_screen(seen):
    plain = re.sub(r"\x1b\[(?!2K|1A)[\d;?]*[A-Za-z]", "", seen).replace("\r", "")
    return re.split(r"\x1b\[2K|\x1b\[1A", plain)[-1].splitlines()


@pytest.mark.parametrize("columns", [100, 44])
def test_a_terminal_shows_rate_percentiles_sparkline_and_time_left(columns):
    during, _ = show_at_terminal(columns, "aiohttp")

    screen = last_screen(during)
    assert all(len(line) <= columns for line in screen)
    assert screen[0].startswith("httpx  round 2 of 2") or screen[0].startswith("aiohttp  round 2 of 2")
    assert re.search("━+─* +[0-9.]+ s of 3.0 s", screen[1])
    assert re.match(r"[\d,]+/s  p50 1.23 ms", screen[2])
    assert set(screen[3].strip()) <= set("▁▂▃▄▅▆▇█") and len(set(screen[3])) > 3
    assert any(line.startswith("httpx") for line in screen[1:])
    if columns == 100:
        assert re.search(r", 1 min 1\d s left of all", screen[1])
        assert "p99 4.56 ms" in screen[2] and "1 errors" in screen[2]


def test_the_terminal_is_left_as_it_was_and_keeps_its_cursor():
    during, seen = show_at_terminal(100, "aiohttp")

    assert during.rindex("\x1b[?25h") > during.rindex("\x1b[?25l")  # whoever is killed leaves a cursor
    after = seen[len(during) :].rpartition("the result")[0]
    assert after.count("\x1b[2K") >= 4  # its lines are taken away
    assert "\x1b[?1049h" not in seen


def test_a_name_cannot_command_the_terminal():
    during, _ = show_at_terminal(100, "\x1b]0;owned\x07\x1b[2J\nnext")

    assert "\x1b]0" not in during and "\x1b[2J" not in during
    assert "?]0;owned??[2J next" in during


def test_without_rich_a_terminal_has_plain_lines(tmp_path):
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("raise ImportError('not here')")

    _, seen = show_at_terminal(100, "aiohttp", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))

    assert "\x1b" not in seen
    assert "aiohttp: round 1/2, 2.8 s of 3.0 s: 1,000/s  p50 1.23 ms  p99 4.56 ms  2,750 requests" in seen


def test_a_dumb_terminal_has_plain_lines():
    _, seen = show_at_terminal(100, "aiohttp", TERM="dumb")

    assert "\x1b" not in seen


def test_a_pipe_has_a_line_for_each_round(monkeypatch):
    stream = io.StringIO()

    with Live(stream) as shown:
        for number in range(3):
            for name in ("httpx", "aiohttp"):
                for at in range(8):
                    shown.watch(look(name, number, at / 2))

    lines = stream.getvalue().splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        f"{name}: round {number}/3" for number in (1, 2, 3) for name in ("httpx", "aiohttp")
    ]
    assert (
        lines[0]
        == "httpx: round 1/3, 3.5 s of 4.0 s: 343/s  p50 1.23 ms  p99 4.56 ms  1,200 requests  0 errors"
    )


def test_clients_of_one_name_are_told_apart():
    stream = io.StringIO()

    with Live(stream) as shown:
        for client in ("httpx (sync)", "httpx (async)"):
            shown.watch(look("nightly")._replace(client=client))

    assert [line.partition(":")[0] for line in stream.getvalue().splitlines()] == [
        "httpx (sync)",
        "httpx (async)",
    ]


def test_a_long_round_has_a_line_every_few_seconds(monkeypatch):
    stream, clock = io.StringIO(), iter(range(1000))
    monkeypatch.setattr(live, "monotonic", lambda: next(clock) / 4)

    with Live(stream) as shown:
        for at in range(100):
            shown.watch(look(elapsed_s=at / 4))

    assert len(stream.getvalue().splitlines()) == 5  # at 5, 10, 15, 20 and at the end


def test_warming_up_is_told_when_it_takes_long_and_is_no_figure(monkeypatch):
    stream, clock = io.StringIO(), iter(range(1000))
    monkeypatch.setattr(live, "monotonic", lambda: next(clock) / 4)

    with Live(stream) as shown:
        for at in range(50):
            shown.watch(look(elapsed_s=at / 4 - 13))

    assert stream.getvalue().splitlines() == ["httpx: round 1/3, warming up"] * 2


def test_the_screen_is_drawn_five_times_a_second_at_most(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    clock = iter(range(10_000))
    monkeypatch.setattr(live, "monotonic", lambda: next(clock) / 100)
    stream = Terminal()

    with Live(stream) as shown:
        before = stream.getvalue().count("httpx")
        for _ in range(100):  # a second
            shown.watch(look())
        drawn = stream.getvalue().count("httpx") - before

    assert 4 <= drawn <= 6


def test_quiet_is_silent():
    stream = io.StringIO()

    with Live(stream, is_quiet=True) as shown:
        shown.watch(look())

    assert stream.getvalue() == ""


def test_a_stream_that_breaks_does_not_end_the_measurement():
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()

    with Path(os.devnull).open() as only_to_be_read:
        for stream in (Broken(), closed, only_to_be_read):
            with Live(stream) as shown:
                for number in range(3):
                    shown.watch(look(number=number))


def test_an_encoding_without_bars_has_plain_lines_in_its_letters():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    with Live(stream) as shown:
        shown.watch(look("ß")._replace(p50_ns=1_230))

    assert raw.getvalue().startswith(b"?: round 1/3, 1.0 s of 4.0 s: 1,200/s  p50 1.23 us")


def test_what_it_costs():
    """Prints the figures that the module states; they are bounded loosely, other tests run beside."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    costs = {}
    for interval_s in (0.0, 1000.0):
        live_redraw, live.REDRAW_S = live.REDRAW_S, interval_s
        try:
            with Live(Terminal()) as shown:
                shown.watch(look())
                start = time.thread_time()
                for _ in range(100):
                    shown.watch(look())
                costs[interval_s] = (time.thread_time() - start) / 100
        finally:
            live.REDRAW_S = live_redraw

    print({f"{interval_s:g}": f"{cost * 1e6:.1f} us" for interval_s, cost in costs.items()})
    assert costs[0.0] < 0.01 and costs[1000.0] < 0.000_2


def test_the_sparkline_of_nothing_is_empty():
    assert spark([]) == ""
    assert spark([0.0, 0.0]) == "▁▁"
