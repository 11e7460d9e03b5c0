"""The access log: the form of a line, the order, the bound, and a sink that fails."""

from __future__ import annotations

import logging
import sys
import threading
import time

import pytest

from penstock.observe import access_log
from penstock.observe.access_log import AccessLog
from penstock.observe.logs import configure


class Sink(logging.Handler):
    """Keeps records; `failing` ones raise, and nothing is taken before `gate` is open."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.gate = threading.Event()
        self.gate.set()
        self.failing = 0

    def emit(self, record):
        self.gate.wait(10)
        if self.failing:
            self.failing -= 1
            raise OSError("the disk is full")
        self.records.append(record)

    @property
    def lines(self):
        return [record.getMessage() for record in self.records if record.name == "penstock.access"]


@pytest.fixture
def sink():
    handler, logger = Sink(), logging.getLogger("penstock")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    handler.gate.set()
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def log():
    log = AccessLog()
    yield log
    log.stop()


def record(log, target="/"):
    log.record("127.0.0.1", "GET", target, "1.1", 200, 13, 0.00042)


def test_line_says_who_what_and_how_long(sink, log):
    log.record("192.0.2.7", "POST", "/users", "1.0", 201, 1234, 1.5)
    log.stop()

    assert sink.lines == ['192.0.2.7 "POST /users HTTP/1.0" 201 1234 1500.0ms']


def test_record_bears_the_time_of_the_reply_not_of_the_writing(sink, log, monkeypatch):
    monkeypatch.setattr(access_log.time, "time", lambda: 1_700_000_000.25)

    record(log)
    log.stop()

    assert (sink.records[0].created, sink.records[0].msecs) == (1_700_000_000.25, 250.0)
    assert (sink.records[0].levelno, sink.records[0].name) == (logging.INFO, "penstock.access")


def test_lines_keep_the_order_of_the_replies(sink, log):
    for number in range(100):
        record(log, f"/{number}")
    log.stop()

    assert [line.split()[2] for line in sink.lines] == [f"/{number}" for number in range(100)]


def test_records_of_many_threads_are_all_written(sink, log):
    threads = [threading.Thread(target=lambda: [record(log) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.stop()

    assert len(sink.lines) == 1600


def test_records_beyond_the_bound_are_dropped_counted_and_told(sink, log, monkeypatch):
    monkeypatch.setattr(access_log, "_QUEUE_LIMIT", 5)
    sink.gate.clear()

    for _ in range(50):
        record(log)
    sink.gate.set()
    log.stop()

    told = [one.args[0] for one in sink.records if one.name == "penstock.server"]
    assert 5 <= len(sink.lines) <= 6  # the writer may hold one more
    assert len(sink.lines) + sum(told) == 50


def test_sink_that_fails_costs_lines_and_not_the_log(sink, log):
    sink.failing = 1

    record(log, "/lost")
    record(log, "/kept")
    log.stop()

    assert [line.split()[2] for line in sink.lines] == ["/kept"]
    assert "1 lines dropped" in next(
        one.getMessage() for one in sink.records if one.name == "penstock.server"
    )


def test_level_above_info_silences_it(sink, log):
    logging.getLogger("penstock").setLevel(logging.WARNING)

    record(log)
    log.stop()

    assert sink.records == []


def test_stop_writes_what_is_queued(sink, log):
    sink.gate.clear()
    for _ in range(20):
        record(log)
    threading.Timer(0.05, sink.gate.set).start()

    log.stop()

    assert len(sink.lines) == 20


def lines_of_both_ways(logger, stderr):
    """The same records through the logger, and written directly."""
    configure("info")
    for log in (AccessLog(), AccessLog()):
        record(log, "/a")
        record(log, "/b%20c")
        log.stop()
        yield stderr()
        logger.handlers[0].addFilter(
            lambda _: True
        )  # from here on a filter has a say, so the logger is asked


def test_line_is_the_same_written_directly_and_through_the_logger(logger, stderr, monkeypatch):
    monkeypatch.setattr(access_log.time, "time", lambda: 1_700_000_000.123)

    directly, through_the_logger = lines_of_both_ways(logger, stderr)

    start = '2023-11-14T22:13:20.123Z INFO penstock.access 127.0.0.1 "GET'
    assert directly == f'{start} /a HTTP/1.1" 200 13 0.4ms\n{start} /b%20c HTTP/1.1" 200 13 0.4ms\n'
    assert through_the_logger == directly


def test_batches_are_written_whole_and_in_order(logger, stderr, monkeypatch):
    monkeypatch.setattr(access_log, "_BATCH", 7)
    configure("info")
    log = AccessLog()

    for number in range(100):
        record(log, f"/{number}")
    log.stop()

    assert [line.split()[5] for line in stderr().splitlines()] == [f"/{number}" for number in range(100)]


@pytest.mark.parametrize("name", ["penstock.access", "penstock", ""])
def test_handler_added_anywhere_gets_the_records(logger, stderr, log, name):
    configure("info")
    handler, other = Sink(), logging.getLogger(name)
    other.addHandler(handler)

    record(log)
    log.stop()
    other.removeHandler(handler)

    assert len(handler.lines) == 1
    assert len(stderr().splitlines()) == (0 if name == "" else 1)


def test_filter_on_the_logger_is_asked(logger, stderr, log):
    configure("info")
    logger = logging.getLogger("penstock.access")
    logger.addFilter(is_wanted := lambda one: "/wanted" in one.getMessage())

    record(log, "/unwanted")
    record(log, "/wanted")
    log.stop()
    logger.removeFilter(is_wanted)

    assert [line.split()[5] for line in stderr().splitlines()] == ["/wanted"]


def test_stream_that_fails_never_ends_the_thread(logger, stderr, log, monkeypatch):
    configure("info")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        record(log, "/lost")
        deadline = time.monotonic() + 10
        while log._queue.qsize():
            assert time.monotonic() < deadline
    log.stop()

    assert not log._thread.is_alive()


def test_stopped_twice_is_stopped(log):
    log.stop()
    log.stop()
