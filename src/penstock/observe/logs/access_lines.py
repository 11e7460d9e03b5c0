"""The lines of the access log: JSON, and readable text.

PERF: the values that come again are made once: the head of a line by method, path and route, what fields
say by the octets they came in, a second of the clock by its number. A line of JSON takes a sixth of what a
dict and `json.dumps` take (benchmarks/access_log.py). Every table is emptied when it is full.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.http.redaction import redactor
from penstock.http.trace import find_request_id, read_ids
from penstock.observe.logs.access_record import (
    ENDED,
    METHOD,
    PATH,
    SENT,
    STARTED,
    STATUS,
    VERSION,
    client_of,
    ids_of,
    phases_of,
    version_of,
)
from penstock.observe.logs.format import paint, redacted, render_second
from penstock.observe.logs.json_text import quote, quote_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.http.headers import Headers
    from penstock.observe.logs.access_record import Record

_TABLE: Final = 1024  # entries of a table
_KEY_BYTES: Final = 1024  # a longer key is not kept
_AGENT_BYTES: Final = 1024
_PATH_BYTES: Final = 8_192


class Lines(Protocol):
    """Renders records; `epoch_ns`: what to add to their times for nanoseconds since the epoch."""

    def render(self, records: Sequence[Record], epoch_ns: int) -> str: ...


class JSONLines:
    """One JSON object a request. `rate`: of fast successes only such a share is written."""

    def __init__(self, *, release: str | None = None, rate: float = 1.0) -> None:
        self._tail = f'"worker":{os.getpid()}'
        if release:
            self._tail += f',"release":{quote(release)}'
        self._tail += "}\n"
        self._sampled = f'"sampled":{rate!r},' if rate < 1 else ""
        self._heads: dict[Any, tuple[str, str]] = {}
        self._fields: dict[bytes, tuple[str, str | None, str | None]] = {}
        self._clients: dict[Any, str] = {}

    def render(self, records: Sequence[Record], epoch_ns: int) -> str:
        """Return the lines of some records."""
        lines = []
        last, clock = -1, ""
        heads, fields, clients = self._heads, self._fields, self._clients
        tail, sampled = self._tail, self._sampled
        for record in records:
            (
                ended, started, began, content_at, handler_at, answered_at, _, requests,
                connection, method, path, query, version, headers, route, content_in, status, _, _,
                sent, kept,
            ) = record  # fmt: skip
            at_ms = (ended + epoch_ns) // 1_000_000
            second = at_ms // 1000
            if second != last:
                last, clock = second, render_second(second)
            found = heads.get((method, path, route, version))
            if found is None:
                found = self._make_head(method, path, route, record)
            message, head = found
            known = fields.get(headers.raw)
            if known is None:
                known = self._read_fields(headers)
            agent, traceparent, name = known
            client = connection.client
            shown = clients.get(client[0] if client is not None else None)
            if shown is None:
                shown = self._show_client(record)
            if type(kept) is tuple:
                (trace_id, span_id, _, _), name = kept
                name = quote(name)
            else:
                ids = kept.get("ids") or kept.setdefault("ids", read_ids(traceparent))
                trace_id, span_id = ids[0], ids[1]
            us = (ended - started + 500) // 1000
            duration = f"{us // 1000}.{us % 1000:03d}"
            if began or content_at or handler_at or answered_at or requests == 1:
                phases = ",".join([f'"{phase}":{ms}' for phase, ms in phases_of(record).items()])
            else:
                phases = f'"handler":{duration}'
            secure = connection.tls_version
            tls = f'"tls":"{secure}",' if secure else ""
            octets = (
                len(method)
                + len(path)
                + len(query)
                + (14 if not query else 15)
                + len(headers.raw)
                + content_in
            )
            lines.append(
                f'{{"time":"{clock}.{at_ms % 1000:03d}Z","level":"INFO","logger":"penstock.access",'
                f'"message":"{message} {status}",{head}'
                f'"trace_id":"{trace_id}","span_id":"{span_id}","request_id":{name or quote(trace_id)},'
                f'"status":{status},"duration_ms":{duration},"phases":{{{phases}}},"bytes_in":{octets},'
                f'"bytes_out":{sent},{shown}{agent}{tls}{sampled}{tail}'
            )
        return "".join(lines)

    def _make_head(self, method: str, path: bytes, route: str | None, record: Record) -> tuple[str, str]:
        shown = quote_within(redactor().path(path[: 2 * _PATH_BYTES]), _PATH_BYTES)
        head = f'"method":"{method}","path":{shown},'
        if route is not None:
            head += f'"route":{quote_within(route, _PATH_BYTES)},'
        head += f'"http_version":"{version_of(record)}",'
        made = f"{method} {shown[1:-1]}", head
        if len(path) <= _KEY_BYTES:
            _put(self._heads, (method, path, route, record[VERSION]), made)
        return made

    def _read_fields(self, headers: Headers) -> tuple[str, str | None, str | None]:
        agent = headers.get("user-agent")
        shown = "" if agent is None else f'"user_agent":{quote_within(redacted(agent), _AGENT_BYTES)},'
        name = find_request_id(headers)
        quoted = quote(name) if name else None
        known = (shown, headers.get("traceparent"), quoted)
        if len(headers.raw) <= _KEY_BYTES:
            _put(self._fields, headers.raw, known)
        return known

    def _show_client(self, record: Record) -> str:
        client = client_of(record)
        shown = f'"client":{quote_within(client, 512)},'
        if client != "-":
            _put(self._clients, client, shown)
        return shown


class TextLines:
    """As people read it: client, request line without its query, status, octets sent, duration."""

    def __init__(self, *, is_coloured: bool = False, rate: float = 1.0) -> None:
        self._is_coloured = is_coloured
        self._sampled = [f"sampled={rate!r}"] if rate < 1 else []

    def render(self, records: Sequence[Record], epoch_ns: int) -> str:
        """Return the lines of some records."""
        return "".join([self._render(record, epoch_ns) for record in records])

    def _render(self, record: Record, epoch_ns: int) -> str:
        at = (record[ENDED] + epoch_ns) / 1e9
        members = [*self._sampled, f"trace_id={ids_of(record)[0]}"]
        message = render_message(record, is_coloured=self._is_coloured)
        return paint(self._is_coloured, at, "INFO", "penstock.access", message, members) + "\n"


_COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}


@lru_cache(maxsize=_TABLE)
def _show_path(path: bytes) -> str:
    return redactor().path(path[: 2 * _PATH_BYTES])


def render_message(record: Record, *, is_coloured: bool = False) -> str:
    """Return what text says of a request, without time and names."""
    path = _show_path(record[PATH])
    status = str(record[STATUS])
    if is_coloured:
        status = f"{_COLOURS.get(record[STATUS] // 100, '')}{status}\x1b[0m"
    duration_ms = (record[ENDED] - record[STARTED]) / 1e6
    return (
        f'{client_of(record)} "{record[METHOD]} {path} HTTP/{version_of(record)}" {status} '
        f"{record[SENT]} {duration_ms:.1f}ms"
    )


def _put(table: dict[Any, Any], key: Any, value: Any) -> None:
    if len(table) >= _TABLE:
        table.clear()
    table[key] = value
