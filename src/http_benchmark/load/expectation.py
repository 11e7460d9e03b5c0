"""What a reply to one request must be to count as success, and which whole replies are known to be it.

Replies to the same request are mostly the same octets, or differ in a Date once a second. A reply that was
read with care once, and was a success that left its connection open, is remembered: the next one with the
same octets needs one comparison. What is remembered is bounded; a server that never says the same twice only
costs the careful way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from http_benchmark.load.reply import Head

_KNOWN_REPLIES: Final = 32
_KNOWN_OCTETS: Final = 131_072
_KNOWN_HEADS: Final = 64
_HEAD_OCTETS: Final = 4_096


class Expectation:
    """Of one request of a scenario."""

    __slots__ = ("_known_octets", "body", "heads", "is_head", "known", "label", "statuses", "usual")

    def __init__(self, label: str, *, is_head: bool, statuses: frozenset[int], body: bytes | None) -> None:
        self.label = label
        """Method and path, for messages."""
        self.is_head = is_head
        self.statuses = statuses
        self.body = None if is_head else body
        self.usual: bytes | None = None
        """The known reply that came last: one comparison of octets is cheaper than a hash of them."""
        self.known: set[bytes] = set()
        """Whole replies that are successes and leave the connection open."""
        self.heads: dict[bytes, Head] = {}
        """Heads that were read before."""
        self._known_octets = 0

    def fault(self, status: int, *, is_content_right: bool) -> tuple[str, str] | None:
        """Return class and text of what is wrong with a complete reply, or None."""
        if status not in self.statuses if self.statuses else not 200 <= status <= 399:
            return f"status {status}", f"{self.label} was answered with status {status}"
        if not is_content_right:
            return "content", f"{self.label} was answered with other content than expected"
        return None

    def remember(self, reply: bytes) -> None:
        """Take a whole reply for known from now on."""
        if len(self.known) >= _KNOWN_REPLIES or self._known_octets > _KNOWN_OCTETS:
            self.known.clear()
            self._known_octets = 0
        self.known.add(reply)
        self._known_octets += len(reply)
        self.usual = reply

    def remember_head(self, octets: bytes, head: Head) -> None:
        """Know a head again, if it is none of those that only take memory."""
        if len(octets) <= _HEAD_OCTETS:
            if len(self.heads) >= _KNOWN_HEADS:
                self.heads.clear()
            self.heads[octets] = head
