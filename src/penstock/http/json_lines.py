"""`JSONLines`: a stream of values, one JSON text a line, as each comes.

    return JSONLines(rows())

What a generator yields whose handler says `-> Iterator[Row]`. A reader has each value as soon as it was
made, and a stream cut short is known by its framing, not by its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.http.encoded_source import encoded
from penstock.http.json import dumps
from penstock.http.response import StreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from penstock.http.response import Fields

MEDIA_TYPE = "application/jsonl"  # jsonlines.org; nothing is registered


class JSONLines(StreamResponse):
    """A stream of values that are sent as JSON. An async source runs on the loop, a plain one in the thread
    pool; either is closed as soon as the client leaves. `show` makes of each value what is sent of it.
    """

    __slots__ = ()

    def __init__(
        self,
        source: AsyncIterable[object] | Iterable[object],
        status: int = 200,
        headers: Fields | None = None,
        media_type: str = MEDIA_TYPE,
        show: Callable[[Any], Any] | None = None,
    ) -> None:
        def encode(value: Any) -> bytes:
            return dumps(value if show is None else show(value)) + b"\n"

        lines = encoded(source, encode, expected="JSONLines takes an iterator of values")
        super().__init__(lines, status, headers, media_type)
