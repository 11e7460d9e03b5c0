"""What is noted of a request for the access log: a tuple, made on the path of requests, read off it.

PERF: a plain tuple takes 0.05 us, a NamedTuple 0.25. Its places have names here. It holds nothing large: no
content, and of a head the fields, which the reader shares between requests that look alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from penstock.http.trace import find_request_id, read_ids
from penstock.observe.phases import measure

if TYPE_CHECKING:
    from penstock.http.headers import Headers
    from penstock.http.trace import Ids

Record: TypeAlias = tuple[Any, ...]

# When the reply was over, and the times of the connection, all of perf_counter_ns; the connection as the
# request shows it; then what request and response said. IDS are those the request has by then with its name,
# or the empty dict it keeps such things in: the thread of the log makes them, and leaves them there.
(
    ENDED, STARTED, BEGAN, CONTENT_AT, HANDLER_AT, ANSWERED_AT, ACCEPTED_AT, REQUESTS,
    CONNECTION, METHOD, PATH, QUERY, VERSION, HEADERS, ROUTE, CONTENT_IN, STATUS, OWN_HEADERS, CONTENT_OUT,
    SENT, IDS,
) = range(21)  # fmt: skip

UNKNOWN: Final = -1
"""For CONTENT_OUT: it was streamed."""

_VERSIONS = {b"0": "1.0", b"1": "1.1", b"2": "2", b"3": "3"}


class Times(NamedTuple):
    """Those of a record, for `phases.measure`."""

    started: int
    began: int
    content_at: int
    handler_at: int
    answered_at: int
    accepted_at: int
    requests: int


def phases_of(record: Record) -> dict[str, float]:
    """Return milliseconds by phase."""
    times: Any = Times(*record[STARTED : REQUESTS + 1])  # `measure` asks for what can be set
    return measure(times, record[ENDED])


def version_of(record: Record) -> str:
    """Return the version of HTTP that the client speaks."""
    return _VERSIONS[record[VERSION]]


def client_of(record: Record) -> str:
    """Return the address of the client, "-" where there is none."""
    client: tuple[str, int] | None = record[CONNECTION].client
    return client[0] if client is not None else "-"


def bytes_in(record: Record) -> int:
    """Return the octets of the request: its head as it was before any was left out, and its content."""
    query = len(record[QUERY])
    line = len(record[METHOD]) + len(record[PATH]) + (query + 1 if query else 0) + len("  HTTP/1.1\r\n")
    content: int = record[CONTENT_IN]
    return line + len(record[HEADERS].raw) + len("\r\n") + content


def ids_of(record: Record) -> tuple[str, str, str]:
    """Return trace id, span id and request id."""
    kept = record[IDS]
    if type(kept) is tuple:
        ids, request_id = kept
        return ids[0], ids[1], request_id
    headers = record[HEADERS]
    ids = _make_ids(kept, headers)
    return ids[0], ids[1], find_request_id(headers) or ids[0]


def _make_ids(kept: dict[str, Any], headers: Headers) -> Ids:
    ids: Ids = kept.get("ids") or kept.setdefault("ids", read_ids(headers.get("traceparent")))
    return ids
