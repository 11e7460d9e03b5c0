"""Where the log goes and in which form, for whoever configured no logging of their own.

Lines go to stderr, or to files: JSON, but text on a terminal. Logging the user configured wins: with a
handler on the root logger or on "penstock", that on stderr keeps silent. A file is asked for, so it gets its
lines all the same (`log_file`). Records of other loggers, which nobody handles, are shown from level info on,
in the same form: we stand where `logging.lastResort` stood, so whatever an application sets up later takes
our place. Whoever logs hands a record over and goes on (`log_writer`). Absent on purpose: another way to set
up the standard library's `logging`; its own takes our formatters.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.format import (
    JSONFormatter,
    LineFormatter,
    TextFormatter,
    TraceFilter,
    message_of,
    read_extra,
)
from penstock.observe.logs.stderr import STDERR
from penstock.observe.terminal import is_terminal, wants_colour

if TYPE_CHECKING:
    from typing import Protocol

    from penstock.observe.logs.file import LogFiles

    class Sink(Protocol):
        """Takes whole lines."""

        def write(self, lines: str) -> None: ...

        def flush(self) -> None: ...


Form: TypeAlias = Literal["auto", "json", "text"]

ROOT: Final = "penstock"
ACCESS: Final = "penstock.access"

# Exceptions that may wait with all their frames hold; of further ones the text is made at once.
_LIVE = 64

_marks = TraceFilter()
_last_resort = logging.lastResort
_root_level: int | None = None
"""That of the root logger, before we changed it."""


class Logging(NamedTuple):
    """How a process logs, as told by the settings; it can be pickled."""

    level: str = "info"
    form: Form = "auto"
    access_form: str = "auto"
    """Of the access log: the same, or its own."""
    release: str | None = None
    is_in_development: bool = False
    file: str | None = None
    """Where the log goes instead of stderr."""


def configure(setup: Logging, files: LogFiles | None = None) -> None:
    """Log "penstock", everything below it, and what nobody else handles, to `files` or to stderr.

    A level already set on the logger "penstock", and handlers on it or on the root logger, are the user's and
    stay in force.
    """
    logger = logging.getLogger(ROOT)
    if logger.level == logging.NOTSET:
        logger.setLevel(setup.level.upper())
    STDERR.formatter = make_formatter(setup, is_for_terminal=True)
    handler: LineHandler
    if files is not None and any(files):
        files.install(make_formatter(setup), _make_access_formatter(setup))
    if files is not None and files.log is not None:
        handler = next(each for each in logger.handlers if isinstance(each, LineHandler))
    else:
        handler = StderrHandler()
        handler.setFormatter(STDERR.formatter)
        if not (logger.handlers or logging.getLogger().handlers):
            logger.addHandler(handler)
    _show_unhandled(handler, setup.level)


def _show_unhandled(handler: LineHandler, level: str) -> None:
    """Have `handler` write the records that no other does."""
    global _root_level  # noqa: PLW0603 - there is one root logger
    root = logging.getLogger()
    if root.handlers:
        return
    logging.lastResort = handler
    if root.level == logging.WARNING:  # nobody chose that
        _root_level = root.level
        root.setLevel(max(logging.INFO, logging.getLevelName(level.upper())))


def make_formatter(setup: Logging, *, is_for_terminal: bool = False) -> LineFormatter:
    """Return the formatter of stderr, or that of a file."""
    if find_form(setup.form, is_for_terminal=is_for_terminal) == "json":
        return JSONFormatter(release=setup.release)
    if is_for_terminal and setup.is_in_development:
        from penstock.observe.failures.development import DevelopmentFormatter

        return DevelopmentFormatter()
    return TextFormatter(is_coloured=is_for_terminal and wants_colour(sys.stderr))


def _make_access_formatter(setup: Logging) -> LineFormatter | None:
    """Return the formatter of a file with nothing but the access log; None: its lines are made elsewhere."""
    if setup.access_form == "auto":
        return make_formatter(setup)
    if setup.access_form in ("json", "text"):
        return make_formatter(setup._replace(form=cast("Form", setup.access_form)))
    return None


def find_form(form: Form, *, is_for_terminal: bool = True) -> Literal["json", "text"]:
    """Return the form of lines on stderr, or in a file: unless told, text is for terminals."""
    if form != "auto":
        return form
    return "text" if is_for_terminal and is_terminal(sys.stderr) else "json"


def withdraw() -> None:
    """Undo `configure`: who comes next has the choice again. Files stay open."""
    global _root_level  # noqa: PLW0603
    logging.lastResort = _last_resort
    if _root_level is not None:
        logging.getLogger().setLevel(_root_level)
        _root_level = None
    for name in (ROOT, ACCESS):
        logger = logging.getLogger(name)
        for handler in [handler for handler in logger.handlers if isinstance(handler, LineHandler)]:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True


def find_line_writer(logger: logging.Logger, level: int) -> LineHandler | None:
    """The `LineHandler` that alone would write the records of `logger`; None when others have a say."""
    if logger.filters:
        return None
    handlers = list(logger.handlers)
    above: logging.Logger | None = logger
    while above is not None and above.propagate:
        above = above.parent
        handlers += above.handlers if above is not None else []
    if len(handlers) != 1:
        return None
    only = handlers[0]
    if not isinstance(only, LineHandler) or not isinstance(only.formatter, LineFormatter):
        return None
    return only if not only.filters and only.level <= level else None


class LineHandler(logging.Handler):
    """Hands records over to the thread of the log, which formats them and gives them to a sink; where there
    is none, that happens at once. Never raises.
    """

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self.sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            writer = log_writer.running()
            if writer is None or writer.is_current():
                self.write_record(record)
                return
            taken = self._take(record)
            JOBS.put(writer, partial(self.write_record, taken), is_urgent=record.levelno >= logging.WARNING)
        except Exception:
            # The border to the log. There is nowhere left to say it: `handleError` writes to stderr, too.
            return

    def _take(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return what the record says now: nothing its maker may still change, and no object of theirs."""
        _marks.filter(record)
        taken = logging.makeLogRecord({})
        fields = {name: getattr(record, name) for name in _KEPT}
        fields["msg"], fields["args"] = message_of(record), None
        if record.exc_info and len(JOBS) > _LIVE and isinstance(self.formatter, LineFormatter):
            fields["failure"], fields["exc_info"] = self.formatter.read_failure(record.exc_info), None
        taken.__dict__.update(read_extra(record))
        taken.__dict__.update(fields)
        return taken

    def write_record(self, record: logging.LogRecord) -> None:
        """Format and write it, however long that takes."""
        self.sink.write(self.format(record) + "\n")

    def write(self, lines: str) -> None:
        """Write lines that are formatted already; never raises. In the thread of the log."""
        try:
            self.sink.write(lines)
        except Exception:  # as above
            return

    def flush(self) -> None:
        """Wait a moment for what was handed over; `logging.shutdown` asks, at the end of a process."""
        log_writer.flush()
        self.sink.flush()


_KEPT: Final = (
    *("name", "levelno", "levelname", "pathname", "lineno", "created", "msecs", "thread", "threadName"),
    *("process", "exc_info", "exc_text", "stack_info", "trace_id", "span_id", "request_id"),
)


class StderrHandler(LineHandler):
    """Writes to whatever `sys.stderr` is at that moment. Silent once the root logger has handlers."""

    def __init__(self) -> None:
        super().__init__(STDERR)

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:  # configured after we were; the record reaches them by itself
            super().emit(record)


def _tell_lost(count: int) -> None:
    logging.getLogger("penstock.server").warning("the log cannot keep up: %d lines dropped", count)


JOBS: Final = log_writer.Jobs(_tell_lost)
"""Records on their way to the thread."""
log_writer.look_after(JOBS)
log_writer.look_after(STDERR)
