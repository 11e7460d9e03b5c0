"""The access log: the form of a line, the order, the bound, and a sink that fails."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time

import pytest

from penstock.observe.logs import access as access_log
from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.access import AccessLog
from penstock.observe.logs.setup import Logging, configure
from penstock.observe.metrics.gather import gather
from tests.observe.noting import note

TEXT = Logging(form="text")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
FIELDS = [("host", "t"), ("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01")]


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


def test_line_says_who_what_and_how_long(sink, log):
    note(
        log,
        "/users",
        method="POST",
        version=b"0",
        status=201,
        sent=1234,
        duration_s=1.5,
        client=("192.0.2.7", 1),
    )
    log.stop()

    assert sink.lines == ['192.0.2.7 "POST /users HTTP/1.0" 201 1234 1500.0ms']


def test_record_bears_the_time_of_the_reply_not_of_the_writing(sink, log):
    before = time.time()

    note(log)
    after = time.time()
    log.stop()

    (record,) = sink.records
    assert before - 0.1 <= record.created <= after + 0.1
    assert record.msecs == int(record.created * 1000) % 1000
    assert (record.levelno, record.name) == (logging.INFO, "penstock.access")


def test_record_bears_what_json_tells_as_members(sink, log):
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

    fields = [("host", "t"), ("traceparent", f"00-{trace_id}-{parent}-01"), ("x-request-id", "a-1")]
    request = note(log, "/users/7?x=1", fields=fields, route="/users/{user_id}", status=404, body=b"12345")
    log.stop()

    (record,) = sink.records
    assert (record.trace_id, record.span_id, record.request_id) == (trace_id, request.span_id, "a-1")
    assert (record.method, record.path, record.route, record.status) == (
        "GET",
        "/users/7",
        "/users/{user_id}",
        404,
    )
    assert (record.client, record.http_version, record.bytes_out) == ("127.0.0.1", "1.1", 13)
    assert record.bytes_in == len("GET /users/7?x=1 HTTP/1.1\r\n\r\n") + len(request.headers.raw) + 5


def test_lines_keep_the_order_of_the_replies(sink, log):
    for number in range(100):
        note(log, f"/{number}")
    log.stop()

    assert [line.split()[2] for line in sink.lines] == [f"/{number}" for number in range(100)]


def test_records_of_many_threads_are_all_written(sink, log):
    threads = [threading.Thread(target=lambda: [note(log) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.stop()

    assert len(sink.lines) == 1600


def test_records_beyond_the_bound_are_dropped_counted_and_told(sink, log, monkeypatch):
    monkeypatch.setattr(access_log, "_QUEUE_LIMIT", 5)
    monkeypatch.setattr(access_log, "_CROWD", 2)
    sink.gate.clear()
    before = gather().value("penstock_log_lines_dropped")

    for _ in range(50):
        note(log)
    sink.gate.set()
    log.stop()

    told = [one.args[0] for one in sink.records if one.name == "penstock.server"]
    assert 5 <= len(sink.lines) <= 10  # the thread may hold some more
    assert len(sink.lines) + sum(told) == 50
    assert gather().value("penstock_log_lines_dropped") - before == sum(told)


def test_sink_that_fails_costs_lines_and_not_the_log(sink, log):
    sink.failing = 1

    note(log, "/lost")
    note(log, "/kept")
    log.stop()

    assert [line.split()[2] for line in sink.lines] == ["/kept"]
    assert "1 lines dropped" in next(
        one.getMessage() for one in sink.records if one.name == "penstock.server"
    )


def test_level_above_info_silences_it(sink, log):
    logging.getLogger("penstock").setLevel(logging.WARNING)

    note(log)
    log.stop()

    assert sink.records == []


def test_stop_writes_what_is_queued(sink, log):
    sink.gate.clear()
    for _ in range(20):
        note(log)
    threading.Timer(0.05, sink.gate.set).start()

    log.stop()

    assert len(sink.lines) == 20


def lines_of_both_ways(logger, stderr):
    """The same records through the logger, and written directly."""
    configure(TEXT)
    for log in (AccessLog(), AccessLog()):
        note(log, "/a", fields=FIELDS)
        note(log, "/b%20c", fields=FIELDS)
        log.stop()
        yield stderr()
        logger.handlers[0].addFilter(
            lambda _: True
        )  # from here on a filter has a say, so the logger is asked


def test_line_is_the_same_written_directly_and_through_the_logger(logger, stderr):
    directly, through_the_logger = lines_of_both_ways(logger, stderr)

    start = rf'{TIME} INFO penstock\.access 127\.0\.0\.1 "GET'
    end = rf'HTTP/1\.1" 200 13 0\.4ms trace_id={TRACE_ID}\n'
    assert re.fullmatch(rf"{start} /a {end}{start} /b%20c {end}", directly)
    assert re.sub(TIME, "", through_the_logger) == re.sub(TIME, "", directly)


def test_batches_are_written_whole_and_in_order(logger, stderr, monkeypatch):
    monkeypatch.setattr(log_writer, "BATCH", 7)
    configure(TEXT)
    log = AccessLog()

    for number in range(100):
        note(log, f"/{number}")
    log.stop()

    assert [line.split()[5] for line in stderr().splitlines()] == [f"/{number}" for number in range(100)]


@pytest.mark.parametrize("name", ["penstock.access", "penstock", ""])
def test_handler_added_anywhere_gets_the_records(logger, stderr, log, name):
    configure(TEXT)
    handler, other = Sink(), logging.getLogger(name)
    other.addHandler(handler)

    note(log)
    log.stop()
    other.removeHandler(handler)

    assert len(handler.lines) == 1
    assert len(stderr().splitlines()) == (0 if name == "" else 1)


def test_filter_on_the_logger_is_asked(logger, stderr, log):
    configure(TEXT)
    logger = logging.getLogger("penstock.access")
    logger.addFilter(is_wanted := lambda one: "/wanted" in one.getMessage())

    note(log, "/unwanted")
    note(log, "/wanted")
    log.stop()
    logger.removeFilter(is_wanted)

    assert [line.split()[5] for line in stderr().splitlines()] == ["/wanted"]


def test_stream_that_fails_never_ends_the_thread(logger, stderr, log, monkeypatch):
    configure(TEXT)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        note(log, "/lost")
        deadline = time.monotonic() + 30
        while log.has_work():
            assert time.monotonic() < deadline
    log.stop()

    with monkeypatch.context() as patch:
        patch.setattr(log_writer, "BATCH", 256)
    assert len(stderr().splitlines()) == 0


def test_stopped_twice_is_stopped(log):
    log.stop()
    log.stop()
