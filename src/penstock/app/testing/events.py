r"""Server-Sent Events as a page reads them (WHATWG HTML §9.2.6): text to `Event`s.

>>> reader = EventReader()
>>> reader.feed(b"id: 7\ndata: a\ndata: b\n\n: ping\n\ndata: half")
[Event(data='a\nb', event=None, id='7', retry_ms=None, comment=None)]
"""

from __future__ import annotations

import codecs
import re

from penstock.http.events import Event

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r(?!\Z)|\n)")  # a CR at the end may be half of a CRLF


class EventReader:
    """Takes octets as they come; what has no data is no event, as in a browser."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._data: list[str] = []
        self._fields: dict[str, str] = {}

    def feed(self, octets: bytes) -> list[Event]:
        """Return the events that are complete now."""
        text = self._text + self._decoder.decode(octets)
        events, end = [], 0
        for match in _LINE.finditer(text):
            end = match.end()
            event = self._take(match[1])
            if event is not None:
                events.append(event)
        self._text = text[end:]
        return events

    def _take(self, line: str) -> Event | None:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name:
                self._fields[name] = value
            return None
        data, fields = self._data, self._fields
        self._data, self._fields = [], {}
        if not data:
            return None
        retry = fields.get("retry", "")
        retry_ms = int(retry) if retry.isascii() and retry.isdigit() else None
        return Event("\n".join(data), fields.get("event"), fields.get("id"), retry_ms)
