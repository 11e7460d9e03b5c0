"""The access log: the form of a line, the order, the bound, and a sink that fails."""

from __future__ import annotations

import logging
import threading

import pytest

from penstock.observe import access_log
from penstock.observe.access_log import AccessLog


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


def test_stopped_twice_is_stopped(log):
    log.stop()
    log.stop()
