"""A connection after an upgrade: no requests any more, octets both ways between a client and a `Speaker`.

`Upgraded` takes the place of the HTTP connection among those of the reactor, with its descriptor and whatever
the client had not taken or had sent ahead, so that neither has a branch for the other. It keeps the deadline
of writing, lingers at the end like any connection, and tells its speaker of a drain. How long a client may
stay silent is the speaker's business.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from penstock.errors import LocalProtocolError
from penstock.http.problem import unexpected
from penstock.server.poller import IN, OUT
from penstock.server.transport import BUSY, CLOSED, FLUSHING, LINGER, NEVER, Transport

if TYPE_CHECKING:
    import asyncio

    from penstock.http.handler import Speaker
    from penstock.http.request import Request
    from penstock.http.upgrade import UpgradeResponse
    from penstock.server.answering import Answering

_log = logging.getLogger("penstock.server")

_RECEIVE_BYTES = 65_536


def start_upgrade(connection: Answering, request: Request, response: UpgradeResponse) -> None:
    """Send the 101 and hand the connection over. Reactor's thread; `connection.phase` is BUSY, nothing is
    corked.
    """
    reactor, speaker = connection.reactor, response.speaker
    try:
        if connection.reader.in_content:
            raise LocalProtocolError(500, "an upgrade before the end of the request's content")
        head = reactor.serialiser.render_upgrade_head(request, response)
    except LocalProtocolError as error:
        trace_id = request.trace_id
        _log.error("%s: the response cannot be sent, trace id %s: %s", request, trace_id, error)
        speaker.lost()
        connection.reply(request, unexpected(request, error))
        return
    if connection.peer_ended:
        speaker.lost()
        connection.close()
        return
    upgraded = Upgraded(connection, speaker)
    connection.hand_over(upgraded, request, response, len(head))
    upgraded.write(head)
    upgraded.begin(connection.reader.take_rest())


class Upgraded(Transport):
    """The octets of one upgraded connection. Reactor's thread only. Phases: BUSY, FLUSHING once it ends,
    LINGER, CLOSED.
    """

    __slots__ = ("_speaker", "_take", "_waiters")

    request = endpoint = task = stream = body = unnoted = None

    def __init__(self, connection: Answering, speaker: Speaker) -> None:
        super().__init__(connection.reactor, connection.sock, connection.client)
        self.mask = connection.mask
        self.unsent = connection.unsent
        if self.unsent is not None:
            self.deadline = connection.deadline
        self.phase = BUSY
        self._speaker = speaker
        self._take = speaker.take
        self._waiters: list[asyncio.Future[None]] = []
        """Who waits until everything is sent. One each: to cancel one must not cancel the others."""

    def begin(self, rest: bytes) -> None:
        """Tell the speaker, and hand it what the client sent behind its request."""
        if self.phase == CLOSED:  # the write of the head found out
            return
        self.watch(self.mask | IN)
        self._speaker.begin(_Link(self))
        if rest and self.phase == BUSY:
            self._take(rest)
        if self.reactor.is_draining and self.phase == BUSY:
            self.drain(float(self.reactor.is_retiring))

    def on_ready(self, events: int) -> None:
        """The poller has something."""
        if events != IN:
            if events & OUT:
                self.flush()
            if self.phase == CLOSED or not events & ~OUT:
                return
        try:
            data = self._recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a reset
            self.close()
            return
        if not data:
            self._on_end_of_input()
        elif self.phase == BUSY:
            self._take(data)

    def _on_end_of_input(self) -> None:
        if self.peer_ended or self.phase == LINGER:  # told twice: a hang-up
            self.close()
            return
        self.peer_ended = True  # and may still read what is under way
        self.watch(self.mask & ~IN)
        if self.phase == BUSY:
            self._speaker.end_of_input()

    def flushed(self) -> asyncio.Future[None] | None:
        if self.unsent is None:
            return None
        waiter = self.reactor.loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def on_flushed(self) -> None:
        self._wake()
        if self.phase == FLUSHING:
            self.end()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def finish(self) -> None:
        """Close once everything is sent."""
        if self.phase != BUSY:
            return
        self.phase = FLUSHING
        if self.unsent is None:
            self.end()
        elif not self.peer_ended:
            self.watch(self.mask | IN)  # what comes is discarded

    def on_deadline(self) -> None:
        """The client did not read in time, or does not close."""
        if self.unsent is not None:
            timeout_s = self.reactor.config.write_timeout_s
            _log.info("%s: cut off, it did not read within %g s", self.describe_client(), timeout_s)
        self.deadline = NEVER
        self.close()

    def drain(self, patience_s: float) -> None:
        """The server stops; with patience other processes go on."""
        if self.phase == BUSY:
            self._speaker.drain(self.reactor.config.drain_timeout_s, is_restart=bool(patience_s))

    def abort(self) -> asyncio.Future[Any] | None:
        """The drain deadline has passed: a last word, and close; return the Task that is to be cancelled."""
        if self.phase == BUSY:
            self._speaker.drain(0.0, is_restart=self.reactor.is_retiring)
        task: asyncio.Future[Any] | None = self._speaker.task
        self.close()
        return task

    def on_doomed(self) -> None:
        """No thread ever holds it."""

    def on_closed(self) -> None:
        self._wake()
        self._speaker.lost()


class _Link:
    """What the speaker has of its connection: a `http.handler.Link`."""

    __slots__ = ("_connection", "_send")

    def __init__(self, connection: Upgraded) -> None:
        self._connection = connection
        self._send = connection.sock.send

    def write(self, octets: bytes) -> asyncio.Future[None] | None:
        connection = self._connection
        # PERF: what `Transport.write` does, without a call more: this is each message sent.
        if connection.unsent is None and connection.phase == BUSY:
            try:
                sent = self._send(octets)
            except BlockingIOError:
                sent = 0
            except OSError:
                connection.close()
                return None
            if sent == len(octets):
                return None
            connection.block(memoryview(octets)[sent:])
        elif connection.phase == BUSY:
            connection.write(octets)
        return connection.flushed()

    def flushed(self) -> asyncio.Future[None] | None:
        return self._connection.flushed()

    def pause(self) -> None:
        connection = self._connection
        if connection.phase == BUSY:
            connection.watch(connection.mask & ~IN)

    def resume(self) -> None:
        connection = self._connection
        if connection.phase == BUSY and not connection.peer_ended:
            connection.watch(connection.mask | IN)

    def end(self) -> None:
        self._connection.finish()

    def abort(self) -> None:
        self._connection.close()
