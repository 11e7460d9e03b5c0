r"""Server-Sent Events (WHATWG HTML §9.2): events and comments to octets, and the id a client comes back with.

A stream is lines in UTF-8; an empty line ends an event. Text may hold any line ends, and each line becomes a
field of its own, so nothing the application sends can begin another event. An id is held to what the browser
can send back in Last-Event-ID: an id that could not come back would lose the place in the stream.

Absent on purpose: the stream itself, which is `http.event_stream`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import LocalProtocolError
from penstock.http.json import dumps

if TYPE_CHECKING:
    from penstock.http.headers import Headers, MutableHeaders

MEDIA_TYPE = "text/event-stream"  # always UTF-8; a charset parameter says nothing more

_LINE_END = re.compile(r"\r\n|\r|\n")  # those of §9.2.5 and no others: not U+0085, not U+2028
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # no field value may hold them (RFC 9110 §5.5)


@dataclass(frozen=True, slots=True)
class Event:
    r"""One event. `data` is text, or a value that is sent as JSON; without data the page sees no event.

    `event` is its type, "message" without one; `id` comes back as Last-Event-ID when the client connects
    again, which it does `retry_ms` after the stream ends; a `comment` goes ahead and is seen by nobody.

    >>> Event({"n": 1}, event="count", id="7").encode()
    b'event: count\nid: 7\ndata: {"n":1}\n\n'
    """

    data: object = None
    event: str | None = None
    id: str | None = None
    retry_ms: int | None = None
    comment: str | None = None

    def encode(self) -> bytes:
        """Return its octets. LocalProtocolError for what would break the stream, or when there is nothing."""
        if self.comment is None:
            return encode_event(_text(self.data), event=self.event, id=self.id, retry_ms=self.retry_ms)
        comment = encode_comment(self.comment)
        if all(part is None for part in (self.data, self.event, self.id, self.retry_ms)):
            return comment
        return comment + encode_event(_text(self.data), event=self.event, id=self.id, retry_ms=self.retry_ms)


def encode_item(item: object) -> bytes:
    r"""Return the octets for whatever a source gave: an Event, text, or a value that is sent as JSON.

    >>> encode_item("a"), encode_item([1, 2])
    (b'data: a\n\n', b'data: [1,2]\n\n')
    """
    if isinstance(item, Event):
        return item.encode()
    return encode_event(item if isinstance(item, str) else dumps(item).decode())


def encode_event(
    data: str | None, *, event: str | None = None, id: str | None = None, retry_ms: int | None = None
) -> bytes:
    r"""Return one event. LocalProtocolError for an event type or id that would break the stream.

    `data` of several lines arrives with each line end as "\n". Without data (None) the client takes over `id`
    and `retry_ms`, the pause before it connects again, and its page sees no event; `id=""` makes it forget
    the last id. Without `event` the type is "message".

    >>> encode_event("a\r\nb", event="greeting", id="7")
    b'event: greeting\nid: 7\ndata: a\ndata: b\n\n'
    >>> encode_event("a", id="7\ndata: b")
    Traceback (most recent call last):
    penstock.errors.LocalProtocolError: 500: event id: '\n' at position 1 cannot be sent
    """
    lines = []
    if event is not None:
        _check(event, _LINE_END, "event type")
        lines.append(f"event: {event}\n")
    if id is not None:
        _check(id, _CONTROL, "event id")
        if id != id.strip(" \t"):
            raise LocalProtocolError(detail=f"event id {id!r}: spaces at its ends would not come back")
        lines.append(f"id: {id}\n")
    if retry_ms is not None:
        if not isinstance(retry_ms, int) or retry_ms < 0:
            raise LocalProtocolError(detail=f"retry_ms={retry_ms!r}: expected milliseconds, an int from 0 on")
        lines.append(f"retry: {int(retry_ms)}\n")
    if data is not None:
        lines.append(_prefixed("data: ", data))
    if not lines:
        raise LocalProtocolError(detail="an event needs data, event, id or retry_ms; a ping is a comment")
    return _utf8("".join(lines) + "\n")


def encode_comment(text: str = "") -> bytes:
    r"""Return a comment, which clients pass over: a ping that keeps proxies from closing an idle stream.

    >>> encode_comment("ping")
    b': ping\n\n'
    """
    return _utf8(_prefixed(": ", text) + "\n")


def parse_last_event_id(headers: Headers | MutableHeaders) -> str | None:
    """Return the id of the last event a reconnecting client saw, or None when it says none or no UTF-8.

    >>> from penstock.http.headers import Headers
    >>> parse_last_event_id(Headers.from_pairs([("Last-Event-ID", "7")]))
    '7'
    """
    values = headers.get_all("last-event-id")
    if len(values) != 1 or not values[0]:
        return None
    try:
        return values[0].encode("latin-1").decode()  # §9.2.3: the field carries UTF-8
    except UnicodeDecodeError:
        return None


def _text(data: object) -> str | None:
    return data if data is None or isinstance(data, str) else dumps(data).decode()


def _prefixed(prefix: str, text: str) -> str:
    if "\n" not in text and "\r" not in text:
        return f"{prefix}{text}\n"
    return "".join(f"{prefix}{line}\n" for line in _LINE_END.split(text))


def _check(text: str, refused: re.Pattern[str], what: str) -> None:
    bad = refused.search(text)
    if bad is not None:
        where = f"{bad.group()!r} at position {bad.start()}"
        raise LocalProtocolError(detail=f"{what}: {where} cannot be sent")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        wrong = f"{text[error.start]!r} is half a surrogate pair and has no UTF-8"
        raise LocalProtocolError(detail=f"event stream: {wrong}") from None
