"""What a server of known behaviour does, request by request: decided by the request's number alone, so that
how often each kind of reply was sent is known exactly, whatever order connections are served in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

Kind = Literal["ok", "slow", "error", "reset", "short", "closed"]
KINDS: Final[tuple[Kind, ...]] = ("ok", "slow", "error", "reset", "short", "closed")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rules. `<kind>_every=10` makes every tenth reply of that kind, 1 makes all, 0 none.

    With equal periods from 5 on no two kinds meet: of the ten requests 1 to 10, number 10 is an `error`, 1 a
    `reset`, 2 `short`, 3 `closed` and 4 `slow`. Where unequal periods meet, the first in that order wins.
    """

    delay_s: float = 0.0
    """From the last octet of the request to the first of the reply."""
    slow_every: int = 0
    slow_factor: float = 20.0
    """A slow reply's delay in units of `delay_s`."""
    error_every: int = 0
    """Replies of 500, whole and of the usual length."""
    reset_every: int = 0
    """Instead of a reply, RST."""
    short_every: int = 0
    """Half of the content announced, then FIN."""
    closed_every: int = 0
    """A whole reply, then FIN."""
    announces_close: bool = True
    """Such a reply says `Connection: close`; else its client finds out by itself."""
    pause_s: float = 0.0
    """Once, the whole server stands still for so long."""
    pause_at_s: float = 1.0
    """After the first request."""
    framing: Literal["length", "chunked", "close"] = "length"
    content_octets: int = 13
    head_octet_s: float = 0.0
    """Between two octets of a head; 0 sends it whole."""
    accept_delay_s: float = 0.0
    """A connection is not read, and its TLS handshake not begun, before so long."""
    is_silent: bool = False
    """Takes requests and never answers."""

    def __post_init__(self) -> None:
        if self.framing == "close" and (self.short_every or self.closed_every):
            raise ValueError("content that ends with the connection is never seen to be short")
        if self.short_every and self.content_octets < 2:
            raise ValueError("content of less than two octets cannot be cut")

    def kind_of(self, number: int) -> Kind:
        """The kind of reply that request `number`, from 1, gets."""
        for kind, every, shift in (
            ("error", self.error_every, 0),
            ("reset", self.reset_every, 1),
            ("short", self.short_every, 2),
            ("closed", self.closed_every, 3),
            ("slow", self.slow_every, 4),
        ):
            if every and number % every == shift % every:
                return kind  # type: ignore[return-value]  # one of those above
        return "ok"

    def delay_of(self, kind: Kind) -> float:
        """Seconds."""
        return self.delay_s * self.slow_factor if kind == "slow" else self.delay_s

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def compose_reply(behaviour: Behaviour, kind: Kind, *, is_head: bool = False, closes: bool = False) -> bytes:
    """The octets of a reply. `closes`: the connection ends after it, so it says that."""
    status = b"500 Internal Server Error" if kind == "error" else b"200 OK"
    content = (b"Hello, World!" * (behaviour.content_octets // 13 + 1))[: behaviour.content_octets]
    sent = content[: len(content) // 2] if kind == "short" else content
    fields = b"Content-Type: text/plain\r\n"
    if behaviour.framing == "length":
        fields += b"Content-Length: %d\r\n" % len(content)
    elif behaviour.framing == "chunked":
        fields += b"Transfer-Encoding: chunked\r\n"
        end = b"" if kind == "short" else b"\r\n0\r\n\r\n"
        sent = b"%x\r\n%b%b" % (len(content), sent, end) if content else b"0\r\n\r\n"
    if behaviour.framing == "close" or closes or (kind == "closed" and behaviour.announces_close):
        fields += b"Connection: close\r\n"
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields, b"" if is_head else sent)
