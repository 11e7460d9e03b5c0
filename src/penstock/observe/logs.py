"""Log lines on stderr, or in files, for whoever configured no logging of their own.

    2026-01-31T12:00:00.123Z INFO penstock.access 127.0.0.1 "GET / HTTP/1.1" 200 13 0.2ms

One record is one line, whatever a client or an exception put into it: control characters become escapes,
and the lines of a traceback are indented, so none can pass for a record. A sink that fails or that nobody
reads (closed stderr, a broken pipe, a full one) costs lines, never the caller. Logging the user configured
wins: with a handler on the root logger or on "penstock", that on stderr keeps silent. A file is asked for, so
it gets its lines all the same (`log_file`).
Absent on purpose: JSON; the standard library's `logging` is where that is set up.
"""

from __future__ import annotations

import logging
import re
import select
import sys
import time
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

    from penstock.observe.log_file import LogFiles

ROOT = "penstock"
ACCESS = "penstock.access"

# C0 without the line feed, which `format` deals with, and the tab; DEL; C1, which some terminals obey;
# and the separators that split lines elsewhere.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_CONTINUATION = "\n    "
# PIPE_BUF of Linux: a pipe that is writable takes as much without blocking, and in one piece.
_SLICE = 4096
_PATIENCE_MS = 1000


def configure(level: str, files: LogFiles | None = None, *, development: bool = False) -> None:
    """Log "penstock" and everything below it from `level` ("info") upwards to `files`, or to stderr, in
    development for the eye.

    A level already set on the logger "penstock", and handlers on it or on the root logger, are the user's and
    stay in force.
    """
    logger = logging.getLogger(ROOT)
    if logger.level == logging.NOTSET:
        logger.setLevel(level.upper())
    if files is not None:
        files.install()
    if (files is None or files.log is None) and not _has_other_handlers(logger):
        handler = StderrHandler()
        handler.setFormatter(_make_formatter(development=development))
        logger.addHandler(handler)


def _make_formatter(*, development: bool) -> LineFormatter:
    if not development:
        return LineFormatter()
    from penstock.observe.development import DevelopmentFormatter

    return DevelopmentFormatter()


def withdraw() -> None:
    """Undo `configure`: who comes next has the choice again. Files stay open."""
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
    if not isinstance(only, LineHandler) or type(only.formatter) is not LineFormatter:
        return None
    return only if not only.filters and only.level <= level else None


def render_time(at: float) -> str:
    """The time of a line, RFC 3339 in UTC with milliseconds.

    >>> render_time(1_700_000_000.5)
    '2023-11-14T22:13:20.500Z'
    """
    second, millisecond = divmod(int(at * 1000), 1000)
    return f"{_render_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=4)
def _render_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))  # digits only: no locale


def _has_other_handlers(logger: logging.Logger) -> bool:
    return bool(logger.handlers or logging.getLogger().handlers)


class LineFormatter(logging.Formatter):
    """RFC 3339 time in UTC with milliseconds, level, logger, message; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        message = _CONTROL.sub(_escape, _message_of(record)).replace("\n", "\\n")
        line = f"{render_time(record.created)} {record.levelname} {record.name} {message}"
        details = [self.describe_exception(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            details.append(_harmless(self.formatStack(record.stack_info)))
        return line + "".join(_CONTINUATION + text.replace("\n", _CONTINUATION) for text in details)

    def describe_exception(self, exc_info: ExceptionInfo) -> str:
        """Return what follows the line of an exception, safe to print."""
        return _harmless(self.formatException(exc_info))


class LineHandler(logging.Handler):
    """A sink that takes whole lines as well as records."""

    def write(self, lines: str) -> None:
        """Write lines that are formatted already, however long that takes; never raises. For a thread that
        may wait: it does so without the lock, so that nobody else has to.
        """
        raise NotImplementedError


class StderrHandler(LineHandler):
    """Writes to whatever `sys.stderr` is at that moment, and never waits for it in the caller's thread.

    Silent once the root logger has handlers. Lines that a full pipe does not take are lost, counted, and told
    with the next line that gets through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:  # configured after we were; the record reaches them by itself
            return
        try:
            text = self.format(record) + "\n"
            if self._lost:
                now = render_time(time.time())
                text = f"{now} WARNING {ROOT} stderr was full: {self._lost} lines lost\n{text}"
            is_written = all(_write_now(part) for part in _slices(text))
            self._lost = 0 if is_written else self._lost + 1
        except Exception:
            # The border to the sink. There is nowhere left to say it: `handleError` writes to stderr, too.
            return

    def write(self, lines: str) -> None:
        for part in _slices(lines):
            is_written = False
            while not is_written:
                try:
                    _wait_writable(_PATIENCE_MS)
                    with self.lock or nullcontext():
                        is_written = _write_now(part)
                except Exception:  # as above
                    return


def tell_on_stderr(level: str, message: str) -> None:
    """Say what cannot be said in the log; not at all when stderr takes nothing just now."""
    try:
        _write_now(f"{render_time(time.time())} {level} {ROOT} {message}\n")
    except Exception:  # as above
        return


def _slices(text: str) -> Iterator[str]:
    """Whole lines, as far as possible, of at most `_SLICE` octets each."""
    size = _SLICE if text.isascii() else _SLICE // 4
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            end = (text.rfind("\n", start, end) + 1) or end
        yield text[start:end]
        start = end


def _wait_writable(timeout_ms: int) -> bool:
    """Wait until stderr takes a slice without blocking; False when it did not in time."""
    try:
        poller = select.poll()
        poller.register(sys.stderr.fileno(), select.POLLOUT)
    except (
        AttributeError,
        OSError,
        ValueError,
    ):  # no poll on this system, or no descriptor behind the stream
        return True
    return bool(poller.poll(timeout_ms))


def _write_now(part: str) -> bool:
    """Write a slice; False when that would block. Raises what the stream raises."""
    stream = sys.stderr
    if stream is None:  # a daemon
        return True
    if not _wait_writable(0):
        return False
    if not part.isascii():
        encoding = getattr(stream, "encoding", None) or "utf-8"
        part = part.encode(encoding, "backslashreplace").decode(encoding)
    stream.write(part)
    stream.flush()
    return True


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the text: a mistake of the caller's, and still worth a line
        return f"{record.msg!r} with {record.args!r}"


def _harmless(text: str) -> str:
    return _CONTROL.sub(_escape, text.rstrip())


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
