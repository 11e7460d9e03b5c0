"""Files on their way out: `os.sendfile` in slices, one slice a turn of the loop.

A slice bounds how long others wait and how much one reader gets ahead of them; between slices nothing is held
but the descriptor, so a slow reader costs neither a thread nor memory. When the socket is full, the write
deadline runs, and each octet taken earns time as for any reply. What was promised is what is sent: a file
that grew is sent up to the promised length, one that shrank ends the connection, which is the only way left
to tell the client, and the log says so.

Where there is no sendfile, and over TLS, a slice is read and sent.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from penstock.errors import LocalProtocolError
from penstock.http.file_response import FileResponse
from penstock.http.kept_response import KeptFile
from penstock.http.partial import narrow
from penstock.http.problem import unexpected
from penstock.http.status import has_content
from penstock.server.streams import release
from penstock.server.transport import BUSY, CLOSED, NEVER, WRITE_RATE_BYTES_PER_S

if TYPE_CHECKING:
    import asyncio

    from penstock.http.ranges import Range
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.answering import Answering

_log = logging.getLogger("penstock.server")

# PERF: 193 ms of CPU for a GB, 226 in slices of 512 KiB, 178 in those of 2 MiB (nginx's sendfile_max_chunk).
# While a hundred clients get one each, 20 ms, others wait.
_SLICE_BYTES = 1024 * 1024
_READ_BYTES = 128 * 1024  # read and sent: what is not taken stays in memory meanwhile

_OF_THE_FILE = frozenset({errno.EIO, errno.ESTALE, errno.EISDIR, errno.EBADF, errno.EINVAL, errno.ENOMEM})
_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})  # of this file system

_NOTHING = memoryview(b"")
_MORE = getattr(socket, "MSG_MORE", 0)
_sendfile: Any = getattr(os, "sendfile", None)


def start_transfer(connection: Answering, request: Request, response: FileResponse) -> None:
    """Answer with a file, or with what the request's conditions and ranges make of it. Reactor's thread;
    `connection.phase` is BUSY.
    """
    serialiser, persistent = connection.reactor.serialiser, not connection.closing
    if not isinstance(response, KeptFile):
        chosen = narrow(request, response)
        if not isinstance(chosen, FileResponse):
            connection.reply(request, chosen)
            return
        response = chosen
    try:
        if isinstance(response, KeptFile):
            head = serialiser.render_kept_head(request, response, persistent=persistent)
        else:
            head, _, _ = serialiser.render_stream_head(request, response, persistent=persistent)
    except LocalProtocolError as error:
        trace_id = request.trace_id
        _log.error("%s: the response cannot be sent, trace id %s: %s", request, trace_id, error)
        release(connection, response)
        connection.reply(request, unexpected(request, error))
        return
    if connection.body is not None:
        connection.body.is_started = True  # with the final head under way, 100 Continue comes too late
    transfer = _Transfer(connection, request, response, len(head))
    connection.stream = transfer
    transfer.begin(head)


class _Transfer:
    """One file to one client. Reactor's thread only."""

    __slots__ = (
        "_at",
        "_connection",
        "_deadline",
        "_is_over",
        "_request",
        "_response",
        "_sent",
        "_sent_before",
        "_spans",
        "_uses_sendfile",
    )

    task: asyncio.Task[Any] | None = None

    def __init__(self, connection: Answering, request: Request, response: FileResponse, sent: int) -> None:
        self._connection = connection
        self._request = request
        self._response = response
        self._sent = sent  # octets, the head included
        self._sent_before = 0  # when it last was blocked
        self._deadline = NEVER
        self._is_over = False
        is_bare = request.method == "HEAD" or not has_content(response.status)
        self._spans: list[bytes | Range] = []  # what is left, the next one last
        if not is_bare:
            self._spans += [
                span for span in reversed(response.spans) if isinstance(span, bytes) or span[0] < span[1]
            ]
        self._at = 0  # octets of the next span that are sent
        is_plain = type(connection.sock) is socket.socket  # over TLS it is another that looks like it
        self._uses_sendfile = _sendfile is not None and is_plain

    def begin(self, head: bytes) -> None:
        """Send the head and the first slice."""
        connection = self._connection
        # Not past replies or hints that the client has yet to take.
        if self._uses_sendfile and self._spans and connection.unsent is None:
            try:  # PERF: 52 us for a file of 200 KiB instead of 75: the head is no segment of its own
                sent = connection._send(head, _MORE)  # noqa: SLF001 - what a farewell parks
            except OSError:
                sent = 0  # met again
            head = head[sent:]
        if head:
            connection.write(head)
        if connection.phase == CLOSED or connection.unsent is not None:
            return
        if connection.reader.held:  # finished here, each pipelined request would be answered inside the last
            connection.reactor.loop.call_soon(self.on_flushed)
        else:
            self.on_flushed()

    def on_flushed(self) -> None:
        """The client takes octets: send a slice, and see what comes next."""
        connection = self._connection
        if self._is_over or connection.phase != BUSY or connection.unsent is not None:
            return
        try:
            self._send_next()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in _OF_THE_FILE:
                reason = error.strerror
                _log.error("%s: the file cannot be read: %s; connection closed", self._request, reason)
            connection.close()  # for any other the client has left
            return
        except Exception:
            _log.exception("%s: the transfer failed", self._request)
            self._finish(is_complete=False)
            return
        if self._is_over or connection.phase == CLOSED:
            return
        if not self._spans:
            self._finish(is_complete=True)
        elif connection.unsent is None:
            self._wait()

    def _wait(self) -> None:
        """Wait for this connection's next turn, in which the client takes more; what it took since the last
        earned it time.
        """
        connection, sent = self._connection, self._sent
        connection.block(_NOTHING)
        earned = self._deadline + (sent - self._sent_before) / WRITE_RATE_BYTES_PER_S
        self._deadline = connection.deadline = min(connection.deadline, earned)
        self._sent_before = sent

    def _send_next(self) -> None:
        """Send from the next span, a slice at most. BlockingIOError: the client takes nothing now."""
        if not self._spans:
            return
        span = self._spans[-1]
        if isinstance(span, bytes):
            self._connection.write(span)
            self._sent += len(span)
            self._spans.pop()
            return
        start, stop = span[0] + self._at, span[1]
        send = self._send_file if self._uses_sendfile else self._send_read
        sent = send(start, stop - start)
        if sent == 0:
            _log.warning("%s: the file became shorter while it was sent; connection closed", self._request)
            self._finish(is_complete=False)
            return
        self._sent += sent
        self._at += sent
        if start + sent == stop:
            self._spans.pop()
            self._at = 0

    def _send_file(self, start: int, count: int) -> int:
        to, file = self._connection.fd, self._response.file.fd
        try:
            sent: int = _sendfile(to, file, start, min(count, _SLICE_BYTES))
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
            self._uses_sendfile = False
            return self._send_read(start, count)
        return sent

    def _send_read(self, start: int, count: int) -> int:
        piece = os.pread(self._response.file.fd, min(count, _READ_BYTES), start)
        self._connection.write(piece)
        return len(piece)

    def disconnect(self) -> None:
        """The client has left, or shut only its own side: then it still reads."""
        if self._connection.phase == CLOSED and not self._is_over:
            self._finish(is_complete=False)

    def cut(self) -> None:
        """Part of a file is not the file."""

    def so_far(self) -> tuple[Response, int]:
        return self._response, self._sent

    def _finish(self, *, is_complete: bool) -> None:
        self._is_over = True
        self._spans = []
        release(self._connection, self._response)
        self._connection.finish_stream(self._request, self._response, self._sent, is_complete=is_complete)
