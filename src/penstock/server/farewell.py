"""The last replies of a worker whose loop stands still: 504 for the request that keeps it, 503 for the rest.

Run in the thread of the heartbeat, when the process is about to end. Nobody else may send any more: each
connection gets a `_send` that never returns, and the replies begin only when no thread is inside the server's
own code. So a loop or a pool thread that goes on after all stops at its next send, and what is in flight is
never written into. Who is owed a whole reply gets one; where any octet of a reply has left, none.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.http.problem import problem
from penstock.server.answering import Answering
from penstock.server.transport import CLOSED, FLUSHING, IDLE, LINGER, THREAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.reactor import Reactor

    Recv = Callable[[int], bytes]

_NAMES = ("answering.py", "connection.py", "intake.py", "streams.py", "tls.py", "transfer.py", "transport.py")
_SENDING = frozenset(Path(__file__).parent / name for name in _NAMES)
# What threads do in the server's own code takes microseconds; more than this, and something else is wrong.
_SETTLE_S = 0.5
_RECEIVE_BYTES = 65_536


def say_farewell(reactor: Reactor, stuck: Request | None, linger_s: float) -> tuple[int, int]:
    """Answer whoever waits; return how many were answered, and how many can not be, since a part has left.
    `linger_s`: for the clients to read it before the connections end.
    """
    connections = [each for each in _snapshot(reactor) if isinstance(each, Answering)]
    senders = [each._send for each in connections]  # noqa: SLF001 - nobody else's any more
    for each in connections:
        each._send = _park  # noqa: SLF001
    if not _has_settled():
        return 0, len(connections)
    answered, cut = [], 0
    for connection, send in zip(connections, senders, strict=True):
        try:
            octets = _make_reply(connection, stuck)
            if octets is not None and send(octets):  # small, and nothing else is in the socket's buffer
                answered.append(connection)
        except OSError:
            continue  # the client has left
        cut += octets is None and connection.phase != IDLE
    _linger(answered, time.monotonic() + linger_s)
    return len(answered), cut


def _snapshot(reactor: Reactor) -> list[Any]:
    while True:
        try:
            return list(reactor.connections)
        except RuntimeError:  # it changed meanwhile: the loop moves again
            continue


def _park(*_: Any) -> int:
    """Stands where a connection's `send` was: the thread that calls it goes no further."""
    threading.Event().wait()
    return 0


def _has_settled() -> bool:
    """Wait until no other thread is in code that sends; what it calls next is `_park`."""
    own = threading.get_ident()
    end = time.monotonic() + _SETTLE_S
    while time.monotonic() < end:
        frames = sys._current_frames()  # noqa: SLF001 - documented
        if not any(_may_send(frame) for ident, frame in frames.items() if ident != own):
            return True
        time.sleep(0.005)
    return False


def _may_send(frame: Any) -> bool:
    return Path(frame.f_code.co_filename) in _SENDING


def _make_reply(connection: Answering, stuck: Request | None) -> bytes | None:
    """Return what is sent to this client; None when it waits for nothing, or a part of its reply has left."""
    request, phase = connection.request, connection.phase
    if phase in (CLOSED, FLUSHING, LINGER) or connection.stream is not None or connection.unsent is not None:
        return None
    before = b"".join(connection.corked or ())  # replies that were to leave with the next one
    if request is None and (phase == THREAD or (phase == IDLE and not _has_input(connection))):
        return before or None
    response = _last_response(request if request is not None and request is stuck else None)
    octets = connection.reactor.serialiser.render(request, response, False)
    note = connection.reactor.note_in_thread
    if note is not None and request is not None:
        note(connection, request, connection.endpoint, response, len(octets))
    return before + octets


def _last_response(stuck: Request | None) -> Response:
    if stuck is not None:
        return problem(504, detail="the handler took too long", trace_id=stuck.trace_id)
    return problem(503, detail="the server does not respond and restarts", headers={"Retry-After": "1"})


def _has_input(connection: Answering) -> bool:
    """A request has come since the loop stands still, or a part of one."""
    try:
        return bool(connection._recv(_RECEIVE_BYTES))  # noqa: SLF001
    except OSError:
        return False


def _linger(connections: list[Answering], end: float) -> None:
    """Shut our sides, and read until the clients have shut theirs: a reset would destroy the replies."""
    poller = select.poll()
    left = {}
    for connection in connections:
        try:
            connection.sock.shutdown(1)
        except OSError:
            continue
        left[connection.fd] = connection
        poller.register(connection.fd, select.POLLIN)
    while left and (wait_s := end - time.monotonic()) > 0:
        for fd, _ in poller.poll(wait_s * 1000):
            try:
                is_over = not left[fd]._recv(_RECEIVE_BYTES)  # noqa: SLF001
            except BlockingIOError:
                is_over = False
            except OSError:
                is_over = True
            if is_over:
                poller.unregister(fd)
                del left[fd]
