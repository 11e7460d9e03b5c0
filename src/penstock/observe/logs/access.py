"""The access log: one line per reply, formatted and written by the thread of the log.

A request costs one tuple. The queue has a bound: when the lines cannot be made as fast as requests are
answered, records are dropped and counted, and the count is logged; requests never wait for a log. Where lines
go to our own handler alone, a batch is one write; where the user configured logging for "penstock.access",
each record goes to its logger, with what JSON tells as members. Errors and slow requests are always written;
of the others a share, when that is asked for, chosen by the trace id, so that all services choose the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.access_lines import JSONLines, TextLines, render_message
from penstock.observe.logs.access_record import (
    ENDED,
    METHOD,
    PATH,
    ROUTE,
    SENT,
    STARTED,
    STATUS,
    bytes_in,
    client_of,
    ids_of,
    phases_of,
    version_of,
)
from penstock.observe.logs.apache_format import compile_format, is_apache
from penstock.observe.logs.setup import find_line_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.observe.logs.access_record import Record
    from penstock.observe.phases import Times

_QUEUE_LIMIT = 8_192  # records; of 1 KB with their fields, about 8 MB
# What is kept of long heads when there is a queue at all: attackers choose them.
_CROWD: Final = 1_024
_LONG_HEAD_BYTES: Final = 4_096
# Of the trace id, what is random by W3C Trace Context level 2, and what OpenTelemetry samples by.
_RANDOM_DIGITS: Final = 14
_RANDOM: Final = 16**_RANDOM_DIGITS

_access = logging.getLogger("penstock.access")
_log = logging.getLogger("penstock.server")


class AccessSetup(NamedTuple):
    """What is written, and how."""

    form: str = "text"
    """json, text, or a format of Apache's."""
    is_coloured: bool = False
    rate: float = 1.0
    """The share of fast successes."""
    exclude: frozenset[bytes] = frozenset()
    """Paths of which successes are not written."""
    slow_ns: int = 1_000_000_000
    """Requests of this duration count as slow."""
    release: str | None = None


class AccessLog:
    """Takes records from any thread, hands their lines to the logger `penstock.access`."""

    def __init__(self, setup: AccessSetup | None = None) -> None:
        setup = setup or AccessSetup()
        self._setup = setup
        self._render = _make_renderer(setup)
        self._message: Callable[[Record, int], str] = lambda record, _: render_message(record)
        if is_apache(setup.form):
            compiled = compile_format(setup.form)
            self._message = lambda record, epoch_ns: compiled(record, epoch_ns)[:-1]
        self._threshold = round((1 - setup.rate) * _RANDOM)
        self._chooses = setup.rate < 1 or bool(setup.exclude)
        self._queue: deque[Record] = deque()
        self.dropped = 0
        """Records, so far."""
        self._told = 0
        self._lock = threading.RLock()
        self.writer = log_writer.hold()
        self._is_stopped = False
        log_writer.look_after(self)
        self.note = self._make_note()
        """Called once for each request that is over."""

    def _make_note(self) -> Callable[[Times, Request, str | None, Response, int, int, int], None]:
        queue, writer = self._queue, self.writer
        put, drop = queue.append, self._drop

        def note(
            times: Times,
            request: Request,
            route: str | None,
            response: Response,
            received: int,
            sent: int,
            ended_ns: int,
        ) -> None:
            """Note one reply, of `sent` octets in all to `received` of content. Never blocks."""
            # PERF: 0.6 us. Attributes and one append; all that can be found out later, is.
            waiting = len(queue)
            if waiting > _CROWD and (waiting >= _QUEUE_LIMIT or len(request.headers.raw) > _LONG_HEAD_BYTES):
                drop()
                return
            kept: Any = request._rest  # noqa: SLF001 - PERF: where its ids are, or are to be
            if kept is None:
                kept = request._rest = {}  # noqa: SLF001
            elif kept:
                kept = (kept.get("ids") or request._make_ids(), request.request_id)  # noqa: SLF001
            put((
                ended_ns, times.started, times.began, times.content_at, times.handler_at, times.answered_at,
                times.accepted_at, times.requests,
                request.connection, request.method, request.raw_path, request.raw_query, request.version,
                request.headers, route, received,
                response.status, response.own_headers, -1 if response.is_stream else len(response.body),
                sent, kept,
            ))  # fmt: skip
            if writer.is_asleep:
                writer.ring()

        return note

    def _drop(self, count: int = 1) -> None:
        with self._lock:
            self.dropped += count
        log_writer.count_lost(count)

    def stop(self, timeout_s: float = 2.0) -> None:
        """Write what is queued, and take no more."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self.writer.flush(timeout_s, waits_for_sinks=False)
        log_writer.look_away(self)
        log_writer.release()

    # A source of the thread of the log.

    def has_work(self) -> bool:
        return bool(self._queue)

    def is_behind(self) -> bool:
        return False

    def forget(self) -> None:
        self._queue.clear()
        self._lock = threading.RLock()

    def work(self) -> int:
        """Write a batch."""
        queue = self._queue
        count = min(len(queue), log_writer.BATCH)
        if count:
            batch = [queue.popleft() for _ in range(count)]
            try:
                self._write(
                    [record for record in batch if self._is_wanted(record)] if self._chooses else batch
                )
            except Exception:
                # The border of the thread: a broken sink costs lines, not the log.
                self._drop(count)
        if self.dropped != self._told:
            missing, self._told = self.dropped - self._told, self.dropped
            _log.warning("the access log cannot keep up: %d lines dropped", missing)
        return count

    def _is_wanted(self, record: Record) -> bool:
        setup = self._setup
        if record[STATUS] >= 400 or record[ENDED] - record[STARTED] >= setup.slow_ns:
            return True
        if record[PATH] in setup.exclude:
            return False
        return setup.rate >= 1 or int(ids_of(record)[0][-_RANDOM_DIGITS:], 16) >= self._threshold

    def _write(self, batch: list[Record]) -> None:
        if not batch or not _access.isEnabledFor(logging.INFO):  # `handle` asks for no level
            return
        epoch_ns = time.time_ns() - time.perf_counter_ns()
        writer = find_line_writer(_access, logging.INFO)
        if writer is not None:
            writer.write(self._render(batch, epoch_ns))
            return
        for record in batch:
            try:
                _access.handle(self._make_log_record(record, epoch_ns))
            except Exception:
                # A broken sink, as above.
                self._drop()

    def _make_log_record(self, record: Record, epoch_ns: int) -> logging.LogRecord:
        made = logging.LogRecord(_access.name, logging.INFO, __file__, 0, "%s", None, None)
        made.msg = self._message(record, epoch_ns)
        at_ns = record[ENDED] + epoch_ns
        made.created, made.msecs = at_ns / 1e9, at_ns // 10**6 % 1000 + 0.0
        trace_id, span_id, request_id = ids_of(record)
        made.__dict__.update(
            trace_id=trace_id,
            span_id=span_id,
            request_id=request_id,
            method=record[METHOD],
            path=record[PATH].decode("ascii", "backslashreplace"),
            status=record[STATUS],
            duration_ms=(record[ENDED] - record[STARTED]) / 1e6,
            phases=phases_of(record),
            bytes_in=bytes_in(record),
            bytes_out=record[SENT],
            client=client_of(record),
            http_version=version_of(record),
        )
        if record[ROUTE] is not None:
            made.__dict__["route"] = record[ROUTE]
        return made


def _make_renderer(setup: AccessSetup) -> Callable[[list[Record], int], str]:
    if is_apache(setup.form):
        render = compile_format(setup.form)
        return lambda batch, epoch_ns: "".join([render(record, epoch_ns) for record in batch])
    if setup.form == "json":
        return JSONLines(release=setup.release, rate=setup.rate).render
    return TextLines(is_coloured=setup.is_coloured, rate=setup.rate).render
