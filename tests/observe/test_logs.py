"""Log lines on stderr: their form, whose configuration wins, and that no sink takes the caller down."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.observe.logs import stderr as log_stderr
from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.format import TextFormatter
from penstock.observe.logs.setup import Logging, StderrHandler, withdraw
from penstock.observe.logs.setup import configure as configure_logging
from penstock.observe.logs.stderr import STDERR, _first_part

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def configure(level):
    """In text, as on a terminal."""
    configure_logging(Logging(level, "text"))


def make_record(message, *args, created=0.0, **options):
    record = logging.LogRecord(
        "penstock.server", logging.INFO, __file__, 1, message, args, options.get("exc_info")
    )
    record.created, record.msecs = created, created % 1 * 1e3
    return record


def test_line_has_time_level_logger_and_message(logger, stderr):
    configure("info")

    logging.getLogger("penstock.server").info("stopping: %g s at most", 20)

    assert re.fullmatch(rf"{TIME} INFO penstock\.server stopping: 20 s at most\n", stderr())


@pytest.mark.parametrize(
    ("created", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.1234, "2023-11-14T22:13:20.123Z"),
        (1_700_000_000.9999, "2023-11-14T22:13:20.999Z"),
    ],
)
def test_time_is_utc_to_the_millisecond(created, text):
    assert TextFormatter().format(make_record("x", created=created)).startswith(f"{text} ")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "error"]),
        ("info", ["info", "error"]),
        ("warning", ["error"]),
        ("critical", []),
    ],
)
def test_level_is_the_least_that_is_shown(logger, stderr, level, shown):
    configure(level)

    for name in ("debug", "info", "error"):
        getattr(logging.getLogger("penstock.server"), name)(name)

    assert [line.split()[-1] for line in stderr().splitlines()] == shown


def test_no_handler_is_put_on_the_root_logger(logger, stderr):
    configure("debug")

    assert logging.getLogger().handlers == []


@pytest.mark.parametrize(("level", "shown"), [("debug", ["info", "error"]), ("error", ["error"])])
def test_records_that_nobody_handles_are_shown_from_info_on(logger, stderr, level, shown):
    configure(level)

    for name in ("debug", "info", "error"):
        getattr(logging.getLogger("shop.orders"), name)(name)

    assert [line.split()[1:] for line in stderr().splitlines()] == [
        [name.upper(), "shop.orders", name] for name in shown
    ]


@pytest.mark.parametrize("name", ["", "shop"])
def test_application_that_sets_up_logging_after_us_gets_its_records_alone(logger, stderr, name):
    sink = io.StringIO()
    configure("info")

    handler = logging.StreamHandler(sink)
    logging.getLogger(name).addHandler(handler)
    logging.getLogger("shop.orders").info("sold")
    logging.getLogger(name).removeHandler(handler)

    assert (sink.getvalue(), stderr()) == ("sold\n", "")


def test_level_somebody_gave_the_root_logger_stays(logger, stderr):
    logging.getLogger().setLevel(logging.ERROR)

    configure("info")
    logging.getLogger("shop").warning("unseen")

    assert stderr() == ""


def test_withdrawn_it_leaves_no_trace(logger, stderr):
    before = logging.lastResort, logging.getLogger().level

    configure("info")
    withdraw()

    assert (logging.lastResort, logging.getLogger().level) == before
    assert logger.handlers == []


@pytest.mark.parametrize("name", ["", "penstock"])
def test_handler_of_the_user_wins(logger, stderr, name):
    sink = io.StringIO()
    logging.getLogger(name).addHandler(logging.StreamHandler(sink))

    configure("info")
    logging.getLogger("penstock.server").info("once")

    assert (sink.getvalue(), stderr()) == ("once\n", "")


def test_handler_set_on_the_root_logger_later_wins_too(logger, stderr):
    sink = io.StringIO()
    configure("info")

    logging.getLogger().addHandler(logging.StreamHandler(sink))
    logging.getLogger("penstock.server").info("once")

    assert (sink.getvalue(), stderr()) == ("once\n", "")


def test_level_of_the_user_wins(logger, stderr):
    logger.setLevel(logging.ERROR)

    configure("debug")
    logger.warning("unseen")

    assert stderr() == ""


def test_configured_twice_it_writes_once(logger, stderr):
    configure("info")
    configure("info")

    logger.info("once")

    assert len(stderr().splitlines()) == 1


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\x0d\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x00\x7f\x9b\u2028", "\\x00\\x7f\\x9b\\u2028"),
        ("tab\tstays, so does ü", "tab\tstays, so does ü"),
    ],
)
def test_message_stays_on_its_line(message, shown):
    assert (
        TextFormatter().format(make_record(message))
        == f"1970-01-01T00:00:00.000Z INFO penstock.server {shown}"
    )


def test_exception_cannot_forge_a_line():
    try:
        raise ValueError("x\n1970-01-01T00:00:00.000Z INFO penstock.access forged\x1b[2J")
    except ValueError:
        lines = TextFormatter().format(make_record("failed", exc_info=sys.exc_info())).split("\n")

    assert lines[0].endswith(" failed")
    assert lines[1] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1] == "    1970-01-01T00:00:00.000Z INFO penstock.access forged\\x1b[2J"


def test_arguments_that_do_not_fit_still_make_a_line(logger, stderr):
    configure("info")

    logger.info("%d seconds", "no number")

    assert "'%d seconds' with ('no number',)" in stderr()


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Broken(), closed(), None], ids=["broken", "closed", "none"])
def test_stream_that_fails_never_reaches_the_caller(logger, monkeypatch, stream):
    configure("info")

    monkeypatch.setattr(sys, "stderr", stream)

    logger.info("lost")


def test_text_the_stream_cannot_encode_is_escaped(logger, monkeypatch):
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(octets, encoding="ascii"))
    configure("info")

    logger.info("caf\u00e9 \udc80")

    assert octets.getvalue().endswith(b"caf\\xe9 \\udc80\n")


def test_stream_put_in_place_later_is_used(logger, stderr, monkeypatch):
    configure("info")
    later = io.StringIO()

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", later)
        logger.info("here")

    assert (stderr(), later.getvalue()[-5:]) == ("", "here\n")


def test_process_without_stderr_survives(logger):
    program = (
        "import os, logging, sys; from penstock.observe.logs.setup import Logging, configure; configure(Logging()); os.close(2);"
        "logging.getLogger('penstock').error('lost'); sys.stdout.write('alive')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=ENVIRONMENT, timeout=30, check=False
    )

    assert done.stdout == b"alive"


def test_handler_is_one_that_logging_knows(logger):
    configure("info")

    assert [type(handler) for handler in logger.handlers] == [StderrHandler]


@contextmanager
def stderr_as_pipe():
    """stderr is a pipe inside; the end to read from. (A fixture cannot do it: pytest sets stderr for the test.)"""
    reader, writer = os.pipe()
    before = sys.stderr
    with (
        os.fdopen(reader, "rb", buffering=0) as readable,
        os.fdopen(writer, "w", encoding="utf-8") as writable,
    ):
        sys.stderr = writable
        try:
            yield readable
        finally:
            sys.stderr = before


def drain(reader):
    """What can be read now."""
    os.set_blocking(reader.fileno(), False)
    received = b""
    while piece := reader.read(65_536):  # None when there is nothing
        received += piece
    return received.decode()


def test_pipe_that_nobody_reads_holds_up_nobody_and_the_loss_is_told(logger, monkeypatch):
    monkeypatch.setattr(log_stderr, "_KEPT_BYTES", 10_000)
    configure("info")

    with stderr_as_pipe() as pipe:
        for number in range(5000):
            logger.info("line %d", number)
        received = drain(pipe)
        while log_stderr.STDERR.is_behind():
            STDERR.flush(0.01)
            received += drain(pipe)
        logger.info("after")
        received += drain(pipe)

    *kept, told, after = received.splitlines()
    assert 1000 < len(kept) < 5000
    assert [line.split()[-1] for line in kept] == [str(number) for number in range(len(kept))]
    assert told.endswith(f"WARNING penstock stderr was full: {5000 - len(kept)} lines lost")
    assert after.endswith("INFO penstock after")


def test_long_record_is_whole_where_the_pipe_has_room(logger):
    configure("info")
    text = f"{'x' * 10_000}{'ü' * 5_000}"

    with stderr_as_pipe() as pipe:
        logger.info(text)
        received = drain(pipe)

    assert received.endswith(f" {text}\n")


@pytest.mark.parametrize(
    "extra", [{"trace_id": None}, {"trace_id": "7"}, {"request_id": "7"}, {"span_id": "7"}]
)
def test_record_that_brings_one_id_of_its_own_is_written(logger, stderr, extra):
    configure("info")

    writer = log_writer.hold()
    try:
        logger.info("seen", extra=extra)
        writer.flush(30)
    finally:
        log_writer.release()

    assert "INFO penstock seen" in stderr()


def test_slow_reader_gets_every_line(logger):
    configure("info")
    received = b""

    with stderr_as_pipe() as pipe:
        writer = log_writer.hold()
        for number in range(3_000):
            logger.info("line %d %s", number, "x" * 100)
            if number % 500 == 0:
                received += pipe.read(4096)
        thread = threading.Thread(target=writer.flush, args=(30,), daemon=True)
        thread.start()
        while thread.is_alive() or STDERR.is_behind():
            received += drain(pipe).encode()
        log_writer.release()
        received += drain(pipe).encode()

    assert [int(line.split()[4]) for line in received.decode().splitlines()] == list(range(3_000))


@pytest.mark.parametrize(
    "text", ["a\n", "a\nb\n", "x" * 10_000 + "\n", "line\n" * 5_000, "é\n" * 3_000, "y" * 4096 + "\n"]
)
def test_parts_are_the_text_and_end_with_lines(text, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    left, parts = bytearray(text.encode()), []

    while left:
        parts.append(_first_part(left))
        del left[: len(parts[-1])]

    assert b"".join(parts).decode() == text
    assert all(len(part) <= 4096 or part.count(b"\n") == 1 for part in parts)
    assert all(part.endswith(b"\n") for part in parts)


def test_line_longer_than_a_slice_waits_until_a_pipe_takes_it_whole(logger):
    configure("info")

    with stderr_as_pipe() as pipe:
        while not STDERR.is_behind():
            logger.info("x" * 1000)
        logger.info("y" * 15_000)
        first = drain(pipe)
        STDERR.flush()
        last = drain(pipe)

    assert "y" not in first
    assert last.endswith("y" * 15_000 + "\n")
