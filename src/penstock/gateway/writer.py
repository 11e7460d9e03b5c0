"""The `write` callable of WSGI (PEP 3333): each piece is sent while the application goes on.

With the first piece the request is answered, though the application has not returned: the connection goes to
the loop, and the application's thread hands it piece by piece, waiting while the client does not read. What
the application returns in the end follows the same way.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, cast

from penstock.errors import ClientDisconnected, ConnectionLost
from penstock.gateway.fields import make_push

if TYPE_CHECKING:
    from penstock.gateway.fields import Fields
    from penstock.http.handler import AnswersEarly, Sink
    from penstock.http.request import Request

_log = logging.getLogger("penstock.gateway")


class Writer:
    """Sends from the application's thread; the `Source` of its own stream."""

    def __init__(self, request: Request, status: int, fields: Fields) -> None:
        """Answer the request. ConnectionLost when the client has left, or waited too long."""
        self._request = request
        self._sink: Sink | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False
        self._begun = threading.Event()
        connection = cast("AnswersEarly", request.connection)
        if not connection.answer_early(request, make_push(status, fields, self, None)):
            raise ConnectionLost("the request has been answered already, its handler was too slow")
        self._begun.wait()

    # What the server tells, on the loop.

    def begin(self, sink: Sink) -> None:
        """The head is sent."""
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._begun.set()

    def disconnect(self) -> None:
        """The client has left."""
        self._is_over = True
        self._begun.set()

    # What the application's thread does.

    def write(self, piece: bytes) -> None:
        """Send a piece, and wait while the client does not take it. ConnectionLost once it has left."""
        if not isinstance(piece, bytes):
            raise TypeError(f"WSGI: a piece of content is bytes, not {type(piece).__name__}")
        if piece:
            self._run(self._send(piece))

    def end(self, *, is_complete: bool) -> None:
        """No more pieces; once. What is not complete is shown by cutting the connection."""
        if not self._is_over:
            self._run(self._end(is_complete))

    def _run(self, coroutine: Any) -> None:
        if self._loop is None or self._is_over:
            coroutine.close()
            raise ConnectionLost("the client has left")
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _send(self, piece: bytes) -> None:
        assert self._sink is not None  # noqa: S101 - it has begun
        try:
            waits = self._sink.send(piece)
            if waits is not None:
                await waits
        except ClientDisconnected:
            raise ConnectionLost("the client has left") from None

    async def _end(self, is_complete: bool) -> None:  # noqa: FBT001 - private
        assert self._sink is not None  # noqa: S101 - it has begun
        self._is_over = True
        try:
            self._sink.end(is_complete=is_complete)
        except Exception as error:  # shorter than declared
            _log.error("%s: the response cannot be sent: %s", self._request, error)
            self._sink.end(is_complete=False)
