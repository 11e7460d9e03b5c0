"""How long a request was in each of its phases, of the times its connection keeps.

They follow each other without gap or overlap, so they add up to the whole time from the accept, for the first
request of a connection, or else from the first octet of the head. A phase that did not happen is absent.

    accept   from accepting the connection to the first octet of the request: a PROXY header, the TLS
             handshake, a client that takes its time. First request only. What came before, in the kernel's
             queue, no process can see.
    head     from the first octet of a head that came in pieces to the last.
    content  from there until all of the content was received. With a handler that takes it as it comes it is
             behind the queue, and includes what the handler did meanwhile.
    queue    from there until a thread of the pool was free.
    handler  from there until there was a response; for a stream or a file, its head. Sending is part of it
             where the kernel took everything at once.
    write    from there until the kernel had the last octet, or the client left.

The server answers for `queue` and `handler`; the others are the client's and its network's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

PHASES: Final = ("accept", "head", "content", "queue", "handler", "write")
"""In the order in which they happen."""

OURS: Final = ("queue", "handler")
"""In which the client waits for the server, not the server for the client."""

_NS_PER_MS: Final = 1e6


class Times(Protocol):
    """What a connection knows of the request it is at: `perf_counter_ns`; 0 is what did not happen."""

    accepted_at: int
    """When the connection was accepted."""
    requests: int
    """Begun on it so far, this one included."""
    began: int
    """When the first octet came of a head that came in pieces."""
    started: int
    """When the head was complete."""
    content_at: int
    """When the content was complete that had to be waited for."""
    handler_at: int
    """When a pool thread took the request."""
    answered_at: int
    """When there was a response that could not be sent at once."""


def measure(times: Times, until_ns: int) -> dict[str, float]:
    """Return milliseconds by phase, in order, of a request that is over, or seen, at `until_ns`; nothing when
    its head was not complete.
    """
    started = times.started
    if not started:
        return {}
    first = times.began or started
    phases = {}
    if times.requests == 1 and times.accepted_at:
        phases["accept"] = _ms(times.accepted_at, first)
    if times.began:
        phases["head"] = _ms(first, started)
    at = started
    content_at = times.content_at
    # A handler that takes content as it comes is at work before the last of it is there; it waited for a
    # thread before that.
    is_streamed = content_at > times.handler_at > 0
    if content_at and not is_streamed:
        phases["content"] = _ms(at, content_at)
        at = content_at
    if times.handler_at:
        phases["queue"] = _ms(at, times.handler_at)
        at = times.handler_at
    if is_streamed:
        phases["content"] = _ms(at, content_at)
        at = content_at
    answered = max(at, times.answered_at)  # an answer may come before the content has
    phases["handler"] = _ms(at, answered if times.answered_at else until_ns)
    if times.answered_at:
        phases["write"] = _ms(answered, until_ns)
    return phases


def name_current(phases: Mapping[str, float], *, is_receiving: bool, is_queued: bool) -> str:
    """Return the phase in which a request is whose phases so far are these. `is_receiving`: it waits for its
    content; `is_queued`: for a thread.
    """
    if is_receiving:
        return "content"
    if is_queued:
        return "queue"
    return "write" if "write" in phases else "handler"


def blame(phases: Mapping[str, float]) -> Literal["handler", "queue", "client"]:
    """Return what took the longest of a request: the handler, the wait for a thread, or the client."""
    ours = {name: phases.get(name, 0.0) for name in OURS}
    clients = sum(ms for name, ms in phases.items() if name not in OURS)
    if clients > sum(ours.values()):
        return "client"
    return "queue" if ours["queue"] > ours["handler"] else "handler"


def _ms(since_ns: int, until_ns: int) -> float:
    return round(max(0, until_ns - since_ns) / _NS_PER_MS, 3)
