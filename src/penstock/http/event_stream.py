"""`EventStream`: Server-Sent Events as a response, from an iterator of events.

    return EventStream(source)

It is a StreamResponse whose pieces are whole events, so it can be ended between any two: a server that stops
ends it in order, and the client connects again. While the source is silent a comment is sent every
`ping_interval_s`; the source is not disturbed by that. The octets of events are made in `http.events`.

Absent on purpose: a place where events of the past are kept; what Last-Event-ID means is the source's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.encoded_source import encoded
from penstock.http.events import MEDIA_TYPE, encode_comment, encode_event, encode_item
from penstock.http.response import StreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from penstock.http.response import Fields

_PING = encode_comment("ping")


class EventStream(StreamResponse):
    """A stream of `Event`, of text, or of values that are sent as JSON. An async source runs on the loop, a
    plain one in the thread pool; either is closed as soon as the client leaves.

    `retry_ms` is how long a client waits before it connects again. `ping_interval_s`: a comment is sent when
    there was nothing else for so long; 0 for never.
    """

    __slots__ = ()

    def __init__(
        self,
        source: AsyncIterable[object] | Iterable[object],
        *,
        retry_ms: int | None = None,
        ping_interval_s: float = 15.0,  # proxies close what is silent for 30 to 60 s; WHATWG advises 15
        headers: Fields | None = None,
        status: int = 200,
    ) -> None:
        if ping_interval_s < 0:
            raise ValueError(f"ping_interval_s={ping_interval_s!r}: expected seconds, or 0 for no pings")
        first = b"" if retry_ms is None else encode_event(None, retry_ms=retry_ms)
        super().__init__(
            encoded(source, encode_item, first, "EventStream takes an iterator of events"),
            status,
            headers,
            MEDIA_TYPE,
        )
        self.headers.setdefault("Cache-Control", "no-cache")
        self.headers.setdefault("X-Accel-Buffering", "no")  # nginx would hold events back
        self.pulse = _Ping(ping_interval_s or float("inf"))


class _Ping:
    """A comment is a beat, and a stream of whole events may end after any of them."""

    __slots__ = ("interval_s",)

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s

    def beat(self) -> bytes:
        return _PING

    def end(self) -> bytes:
        return b""
