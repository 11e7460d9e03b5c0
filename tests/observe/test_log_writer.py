"""The thread of the log: order, bounds, flush, fork, and sinks that stall."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from penstock.http.current import current
from penstock.http.request import Request
from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.format import TextFormatter
from penstock.observe.logs.setup import JOBS, LineHandler, Logging, configure

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
WAIT_S = 30


class Sink:
    """Takes lines; none while `gate` is closed."""

    def __init__(self):
        self.lines = []
        self.gate = threading.Event()
        self.gate.set()
        self.threads = set()
        self.is_reached = threading.Event()

    def write(self, lines):
        self.is_reached.set()
        self.gate.wait(WAIT_S)
        self.threads.add(threading.current_thread().name)
        self.lines += lines.splitlines()

    def flush(self):
        pass


@pytest.fixture
def writer():
    held = log_writer.hold()
    yield held
    log_writer.release()


@pytest.fixture
def sink(logger, writer):
    """What the logger "penstock" writes to by the thread."""
    sink = Sink()
    handler = LineHandler(sink)
    handler.setFormatter(TextFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield sink
    sink.gate.set()
    log_writer.flush()


def test_lines_are_written_by_the_thread_in_order(logger, sink):
    for number in range(1000):
        logger.info("line %d", number)
    assert log_writer._writer.flush(WAIT_S)

    assert [line.split()[-1] for line in sink.lines] == [str(number) for number in range(1000)]
    assert sink.threads == {"penstock-log"}


def test_nobody_waits_for_a_sink_that_stalls_and_the_loss_is_told(logger, sink, monkeypatch):
    monkeypatch.setattr(log_writer, "QUEUE_LIMIT", 50)
    sink.gate.clear()
    logger.error("first")
    assert sink.is_reached.wait(WAIT_S)

    before = time.monotonic()
    for number in range(500):
        logger.error("line %d", number)
    duration_s = time.monotonic() - before
    sink.gate.set()
    log_writer.flush(WAIT_S)

    assert duration_s < WAIT_S / 2
    assert len(sink.lines) == 1 + 50 + 1
    assert "the log cannot keep up: 450 lines dropped" in sink.lines[1]


def test_record_is_what_it_was_when_it_was_logged(logger, sink):
    sink.gate.clear()
    logger.error("first")
    assert sink.is_reached.wait(WAIT_S)
    order = {"items": ["tea"]}
    token = current.set(request := Request.build())

    logger.error("sold %s", order["items"], extra={"order": order})
    current.reset(token)
    order["items"].append("milk")
    sink.gate.set()
    log_writer.flush(WAIT_S)

    assert sink.lines[1].endswith(f"""sold ['tea'] order={{"items":["tea"]}} trace_id={request.trace_id}""")


def test_exceptions_in_a_long_queue_keep_nothing_alive(logger, sink):
    class Big:
        alive = 0

        def __init__(self):
            Big.alive += 1

        def __del__(self):
            Big.alive -= 1

    def fail():
        content = Big()
        raise ValueError(f"with {type(content).__name__}")

    sink.gate.clear()
    for _ in range(300):
        try:
            fail()
        except ValueError:
            logger.exception("failed")

    assert Big.alive < 100
    sink.gate.set()
    log_writer.flush(WAIT_S)
    assert sum(line.startswith("    ValueError: with Big") for line in sink.lines) == 300


def test_a_record_that_cannot_be_written_costs_its_line(logger, sink, monkeypatch):
    lost = JOBS.lost
    logger.info("before")
    log_writer.flush(WAIT_S)
    with monkeypatch.context() as patch:
        patch.setattr(sink, "write", None)
        logger.info("lost")
        log_writer.flush(WAIT_S)
    logger.info("after")
    log_writer.flush(WAIT_S)

    assert JOBS.lost == lost + 1
    assert [line.split()[-1] for line in sink.lines] == [
        "before",
        "after",
    ]  # nor is that told: nowhere to tell


def test_held_twice_it_ends_with_the_last(writer):
    again = log_writer.hold()

    log_writer.release()

    assert again is writer
    assert writer.is_alive()
    assert log_writer.running() is writer


def test_flush_in_the_thread_itself_does_not_wait(logger, writer):
    done = threading.Event()
    JOBS.insist(lambda: (log_writer.flush(WAIT_S), done.set()))

    assert done.wait(WAIT_S / 2)


def run(program, **options):
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env=ENVIRONMENT,
        timeout=WAIT_S,
        text=True,
        check=False,
        **options,
    )


START = """
import logging, os, sys, threading
from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.setup import Logging, configure
configure(Logging(form="text"))
log_writer.hold()
log = logging.getLogger("shop")
"""


def test_end_of_a_process_loses_nothing():
    done = run(f"{START}\nfor number in range(2000): log.info('line %d', number)")

    assert len(done.stderr.splitlines()) == 2000


def test_flush_before_a_hard_end_loses_nothing():
    done = run(
        f"{START}\nfor number in range(2000): log.info('line %d', number)\nlog_writer.flush()\nos._exit(3)"
    )

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2000


def test_forked_process_logs_by_itself_and_repeats_nothing():
    done = run(
        f"{START}\n"
        "for number in range(500): log.info('parent')\n"
        "pid = os.fork()\n"
        "log.info('child' if not pid else 'parent')\n"
        "if pid: os.waitpid(pid, 0)\n"
        "else: log.handle(log.makeRecord('shop', 20, '', 0, 'child', (), None)); os._exit(0)\n"
    )

    words = [line.split()[-1] for line in done.stderr.splitlines()]
    assert (words.count("parent"), words.count("child")) == (501, 2)


def test_log_from_a_destructor_in_the_middle_of_a_log_is_written():
    done = run(
        f"{START}\n"
        "class Noisy:\n"
        "    def __init__(self): self.me = self\n"
        "    def __del__(self): log.warning('gone')\n"
        "import gc; gc.set_threshold(1)\n"
        "for number in range(300):\n"
        "    Noisy()\n"
        "    log.warning('here')\n"
        "gc.collect()\n"
    )

    words = [line.split()[-1] for line in done.stderr.splitlines()]
    assert (words.count("here"), words.count("gone")) == (300, 300)


def test_reader_that_stops_stalls_no_file(tmp_path, logger):
    from penstock.observe.logs.file import open_log_files
    from tests.observe.test_logs import drain, stderr_as_pipe

    files = open_log_files(None, str(tmp_path / "access.log"))
    configure(Logging(form="text"), files)
    with stderr_as_pipe() as pipe:
        held = log_writer.hold()
        for _ in range(1500):
            logger.info("x" * 200)  # more than a pipe takes
        logging.getLogger("penstock.access").info("served")
        end = time.monotonic() + WAIT_S
        while "served" not in (tmp_path / "access.log").read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        thread = threading.Thread(target=held.flush, args=(WAIT_S,))
        thread.start()
        while thread.is_alive():
            drain(pipe)
        log_writer.release()
    for file in files:
        if file is not None:
            file.close()
