"""Records as lines, JSON or readable text; public, for whoever sets up `logging` by themselves.

    {"time":"2026-01-31T12:00:00.123Z","level":"INFO","logger":"shop","message":"sold",...}
    2026-01-31T12:00:00.123Z INFO shop sold order=17 trace_id=4bf92f3577b34da6a3ce929d0e0e4736

One record is one line in JSON, and in text one that begins at the left edge: control characters become
escapes and what follows is indented, so nothing a client or an exception said can pass for a record. A line
has a bound, and what is cut is counted. Which request a record belongs to is read in the thread that made it
(`TraceFilter`, or the formatter where none was asked); a member of the record's own never takes our names.
"""

from __future__ import annotations

import logging
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.http.current import current
from penstock.http.redaction import REDACTED, redactor
from penstock.observe.logs.json_text import quote, quote_within, render, to_plain

if TYPE_CHECKING:
    from types import TracebackType

    ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

# Octets of a line in JSON, 62 KiB together; journald takes 48 KiB a line, Docker cuts at 16 and joins again.
_MESSAGE_BYTES: Final = 16_384
_STACK_BYTES: Final = 24_576
_OTHER_BYTES: Final = 4_096
_EXTRA_BYTES: Final = 12_288
# Characters of a stack, head and tail; and of a message in text, where `less` and people read it.
_STACK_HEAD: Final = 4_000
_STACK_TAIL: Final = 16_000
_TEXT: Final = 16_384
# Of a text before redaction, which makes it shorter, or a little longer.
_LOOKED_AT: Final = 65_536

# C0 without the line feed, which `format` deals with, and the tab; DEL; C1, which some terminals obey;
# the separators that split lines elsewhere; and marks that turn the direction of what follows.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_CONTINUATION = "\n    "
# Of these the message says all that the members do.
_SPOKEN = frozenset({"penstock.access", "penstock.slow"})
_IDS = ("trace_id", "span_id", "request_id")
_STANDARD = frozenset(
    (*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "failure", "color_message", *_IDS)
)
_OURS = frozenset({"time", "level", "logger", "exception", "stack", "worker", "release"})


class Failure(NamedTuple):
    """An exception, of which nothing is kept alive."""

    kind: str
    message: str
    stack: str


class TraceFilter(logging.Filter):
    """Gives each record `trace_id`, `span_id` and `request_id` of the request it was logged for, "" without
    one; put it on a handler, and formats may say `%(trace_id)s`. Never refuses a record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark the record. In the thread that made it."""
        fields = record.__dict__
        told = None if "trace_id" in fields else ids_now()  # else it tells of another request, by its own
        for name, value in zip(_IDS, told or ("", "", ""), strict=True):
            fields.setdefault(name, value)
        return True


def ids_now() -> tuple[str, str, str] | None:
    """Return trace id, span id and request id of the request this thread or Task works for."""
    request = current.get()
    return None if request is None else (request.trace_id, request.span_id, request.request_id)


def render_time(at: float) -> str:
    """The time of a line, RFC 3339 in UTC with milliseconds.

    >>> render_time(1_700_000_000.5)
    '2023-11-14T22:13:20.500Z'
    """
    second, millisecond = divmod(int(at * 1000), 1000)
    return f"{render_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=4)
def render_second(second: int) -> str:
    """Return it without its fraction and zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))  # digits only: no locale


def message_of(record: logging.LogRecord) -> str:
    """Return the text of a record, whatever its arguments are."""
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the text: a mistake of the caller's, and still worth a line
        try:
            return f"{record.msg!r} with {record.args!r}"
        except Exception:  # they cannot even be shown
            return f"a record from {record.pathname}:{record.lineno} that cannot be shown"


def read_extra(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the caller gave with `extra=`, as a picture. What has one of our names is not among it."""
    members = {
        name: value
        for name, value in record.__dict__.items()
        if name not in _STANDARD and name not in _OURS and type(name) is str
    }
    return to_plain(members) if members else members


class LineFormatter(logging.Formatter):
    """What both forms share."""

    def format(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def describe_exception(self, exc_info: ExceptionInfo) -> str:
        """Return the traceback of an exception, as it is shown."""
        return self.formatException(exc_info)

    def read_failure(self, exc_info: ExceptionInfo) -> Failure:
        """Return what a line says of an exception."""
        kind, error = exc_info[0], exc_info[1]
        if kind is None:
            return Failure("NoneType", "", "")
        try:
            message = str(error)
        except Exception:  # its own code
            message = "<cannot be shown>"
        try:
            stack = self.describe_exception(exc_info)
        except Exception:  # as above
            stack = "<the traceback cannot be shown>"
        name = (
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )
        return Failure(name, message, _shorten(stack.rstrip()))

    def _failure_of(self, record: logging.LogRecord) -> Failure | None:
        failure: Failure | None = record.__dict__.get("failure")
        if failure is None and record.exc_info and record.exc_info[0] is not None:
            return self.read_failure(record.exc_info)
        return failure


class BareFormatter(LineFormatter):
    """The message alone, for lines of the access log in a form of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _on_one_line(message_of(record))


class JSONFormatter(LineFormatter):
    """One JSON object a record. `members`: further ones that are the same on each line, such as `release`."""

    def __init__(self, **members: object) -> None:
        super().__init__()
        self._tail = "".join(
            f",{quote(name)}:{render(to_plain(value))}"
            for name, value in members.items()
            if value is not None
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        start = f'{{"time":"{render_time(record.created)}","level":{quote(record.levelname)},'
        start += f'"logger":{quote_within(record.name, 1024)},'
        parts = [f'{start}"message":{quote_within(redacted(message_of(record)), _MESSAGE_BYTES)}']
        parts += [f',"{name}":{quote_within(value, 512)}' for name, value in _ids_of(record) if value]
        extra = read_extra(record)
        if extra:
            members = "".join(
                f",{quote(name)}:{render(value)}" for name, value in redacted_members(extra).items()
            )
            if len(members) > _EXTRA_BYTES // 4 and len(members.encode()) > _EXTRA_BYTES:
                members = f',"extra":{quote_within(members[1:], _EXTRA_BYTES)}'
            parts.append(members)
        failure = self._failure_of(record)
        if failure is not None:
            parts.append(
                f',"exception":{{"type":{quote_within(failure.kind, 1024)}'
                f',"message":{quote_within(redacted(failure.message), _OTHER_BYTES)}'
                f',"stack":{quote_within(redacted(failure.stack), _STACK_BYTES)}}}'
            )
        if record.stack_info:
            stack = redacted(_shorten(str(record.stack_info)))
            parts.append(f',"stack":{quote_within(stack, _STACK_BYTES if failure is None else _OTHER_BYTES)}')
        return f'{"".join(parts)},"worker":{record.process or 0}{self._tail}}}'


class TextFormatter(LineFormatter):
    """Time, level, logger, message, members, trace id; a traceback follows, indented. `is_coloured`: for a
    terminal.
    """

    def __init__(self, *, is_coloured: bool = False) -> None:
        super().__init__()
        self.is_coloured = is_coloured

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and what is indented below it."""
        message = _cut(redacted(message_of(record)), _TEXT)
        message = _on_one_line(message)
        extra = {} if record.name in _SPOKEN else read_extra(record)  # its message says all there is
        members = [f"{_show(name)}={_show(value)}" for name, value in redacted_members(extra).items()]
        trace_id = next(value for name, value in _ids_of(record) if name == "trace_id")
        if trace_id and trace_id not in message:
            members.append(f"trace_id={_show(trace_id)}")
        level, logger = _on_one_line(record.levelname), _on_one_line(record.name)
        line = paint(self.is_coloured, record.created, level, logger, message, members)
        details = []
        failure = self._failure_of(record)
        if failure is not None:
            details.append(self.escape_stack(redacted(failure.stack)))
        if record.stack_info:
            details.append(_harmless(redacted(_shorten(str(record.stack_info)))))
        return line + "".join(_CONTINUATION + text.replace("\n", _CONTINUATION) for text in details)

    def escape_stack(self, stack: str) -> str:
        """Return a traceback that can be printed."""
        return _harmless(stack)


_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_LEVELS = {
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
    "INFO": "\x1b[32m",
}


def paint(
    is_coloured: bool,  # noqa: FBT001 - which of two forms
    at: float,
    level: str,
    logger: str,
    message: str,
    members: list[str],
) -> str:
    """Return a line of text."""
    rest = f" {' '.join(members)}" if members else ""
    if not is_coloured:
        return f"{render_time(at)} {level} {logger} {message}{rest}"
    rest = rest and f"{_DIM}{rest}{_PLAIN}"
    return (
        f"{_DIM}{render_time(at)}{_PLAIN} {_LEVELS.get(level, '')}{level}{_PLAIN} "
        f"{_DIM}{logger}{_PLAIN} {message}{rest}"
    )


def redacted(text: str) -> str:
    """Return `text` without what looks like a secret. What no line has room for is not looked at."""
    return redactor().text(_cut(text, _LOOKED_AT))


def redacted_members(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members a caller gave, without secrets, by their names and by their look."""
    return {name: _hide(name, value) for name, value in members.items()}


def _hide(name: str, value: Any) -> Any:
    if type(value) is dict:
        return redacted_members(value)
    if type(value) is list:
        return [_hide(name, item) for item in value]
    if type(value) is str:
        return redactor().field(name, value)
    return value if value is None or type(value) is bool or not redactor().is_secret(name) else REDACTED


def _ids_of(record: logging.LogRecord) -> list[tuple[str, str]]:
    fields = record.__dict__
    if "trace_id" in fields:
        return [(name, str(fields.get(name) or "")) for name in _IDS]
    return list(zip(_IDS, ids_now() or ("", "", ""), strict=True))


def _show(value: Any) -> str:
    """A member's value in text: bare when it is one word."""
    if type(value) is str and value.isascii() and value.isprintable() and not set(value) & set(' "='):
        return value or '""'
    return _cut(render(value), _OTHER_BYTES)


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else _CONTROL.sub(_escape, text).replace("\n", "\\n")


def _shorten(stack: str) -> str:
    """The head and the tail of what is too long: the middle of a traceback is what repeats."""
    missing = len(stack) - _STACK_HEAD - _STACK_TAIL
    if missing <= 0:
        return stack
    return f"{stack[:_STACK_HEAD]}\n... [{missing} characters cut] ...\n{stack[-_STACK_TAIL:]}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... [{len(text) - limit} characters cut]"


def _harmless(text: str) -> str:
    return _CONTROL.sub(_escape, text.rstrip())


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
