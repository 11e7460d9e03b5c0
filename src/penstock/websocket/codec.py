"""Octets to messages and back, without I/O, over `websockets.protocol.Protocol`, which decides what is right.

It is fed one frame at a time, so that what follows a fault, or a full queue, is not looked at: the frames of
one segment can inflate to a thousand times its size. A whole unfragmented data frame in a conversation at
rest is read here instead, and only if all is well with it: whatever is not goes to the protocol. Assembled
here, because the protocol leaves it to others: messages out of fragments, UTF-8 checked as they come.

A frame that ends the conversation, by a close or a fault of its head, is looked at when the messages before
it are answered, so that the answers still find it open (RFC 6455 §5.5.1 allows it).
"""

from __future__ import annotations

import codecs
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.websocket.handshake import load_protocol

if TYPE_CHECKING:
    from penstock.http.websocket import WebSocketSettings

_log = logging.getLogger("penstock.websocket.protocol")
_log.setLevel(logging.WARNING)  # it tells of each frame, and of each end

_CONTINUATION, _TEXT, _BINARY, _PING, _PONG = 0, 1, 2, 9, 10

# What is this small is not counted against the octets a queue may hold.
_SMALL = 125

_TEXT_HEADS = [bytes([0x81, length]) for length in range(126)]
_BINARY_HEADS = [bytes([0x82, length]) for length in range(126)]

_new_decoder = codecs.getincrementaldecoder("utf-8")


class Codec:
    """One conversation, on the server's side."""

    __slots__ = (
        "_decoder",
        "_held",
        "_is_hasty",
        "_is_text",
        "_limit_bytes",
        "_missing",
        "_pieces",
        "_protocol",
        "_queue_limit",
        "_queued_bytes",
        "_unmask",
        "deflates",
        "is_awaited",
        "is_ending",
        "is_full",
        "is_over",
        "messages",
        "pings",
    )

    def __init__(self, settings: WebSocketSettings, extensions: list[Any]) -> None:
        load_protocol()
        from websockets.protocol import OPEN
        from websockets.server import ServerProtocol

        self._protocol: Any = ServerProtocol(state=OPEN, max_size=settings.message_limit_bytes, logger=_log)
        self._protocol.extensions = extensions
        self._unmask = _load_unmask()
        self.deflates = bool(extensions)
        self._limit_bytes = settings.message_limit_bytes
        self._queue_limit = settings.queue_limit
        self.messages: deque[str | bytes] = deque()
        """What was received; `pop` takes from it."""
        self._queued_bytes = 0  # in messages that are not small
        self.is_full = False
        """The next frames wait until there is room, and `feed` is called again."""
        self.is_awaited = False
        """Somebody waits for a message, so those before it are answered; to be set by who knows."""
        self.is_ending = False
        """It is full because the next frame ends the conversation: `go_on` when the messages are answered."""
        self.is_over = False
        """Close is sent or received: no message comes any more."""
        self._is_hasty = False  # the end waits for nobody
        self.pings = 0
        """Answered since somebody set it to 0."""
        self._held = b""  # octets not looked at
        self._missing = 0  # octets of the frame the protocol has the beginning of
        self._pieces: bytearray | None = None  # of a message in fragments
        self._is_text = False
        self._decoder: codecs.IncrementalDecoder | None = None

    # Receiving.

    def feed(self, data: bytes = b"") -> bool:
        """Take octets; what they say goes into `messages`, as far as there is room. True when there is
        something to send, or the conversation is over.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        position, end, messages = 0, len(data), self.messages
        needs_attention = False
        if self._missing:
            position = min(self._missing, end)
            self._missing -= position
            needs_attention = self._pass_on(data[:position])
        while position < end:
            if len(messages) >= self._queue_limit or self._queued_bytes > self._limit_bytes:
                self.is_full = True
                self._held = data[position:]
                break
            # PERF: 1.3 us for a message of 125 octets, 7.1 through the protocol; benchmarks/websocket.py.
            stop = self._read_plain(data, position, end)
            if stop:
                position = stop
                continue
            stop = _end_of_frame(data, position, end)
            if stop == 0:  # not even its head is complete
                self._held = data[position:]
                break
            if (messages or not self.is_awaited) and self._is_last(data[position], data[position + 1]):
                self.is_full = self.is_ending = True
                self._held = data[position:]
                break
            if stop > end:
                self._missing = stop - end
            needs_attention |= self._pass_on(data[position:stop])
            if self._protocol.eof_sent:  # a fault, or both sides have closed: the rest is nothing
                break
            position = stop
        return needs_attention

    def _read_plain(self, data: bytes, position: int, end: int) -> int:
        """Read a frame that is here whole, masked, up to 64 KiB and a whole message; return its end, or 0."""
        if end - position < 6 or self._pieces is not None or self.is_over:
            return 0
        first, length = data[position], data[position + 1] - 0x80
        body = position + 6
        if not 0 <= length <= 126:  # no mask, or the longest of heads
            return 0
        if length == 126:
            length = data[position + 2] << 8 | data[position + 3]
            body += 2
        stop = body + length
        if stop > end or length > self._limit_bytes:
            return 0
        if first == 0x81:
            try:
                self._append(self._unmask(data[body:stop], data[body - 4 : body]).decode())
            except UnicodeDecodeError:
                return 0
        elif first == 0x82:
            self._append(self._unmask(data[body:stop], data[body - 4 : body]))
        else:
            return 0
        return stop

    def _is_last(self, first: int, second: int) -> bool:
        """True when a frame that begins so will end the conversation."""
        opcode, rsv = first & 0x0F, first & 0x70
        if opcode > _BINARY:
            is_right = opcode in (_PING, _PONG)
        else:
            is_right = (opcode == _CONTINUATION) is (self._pieces is not None)
        if rsv and not (self.deflates and rsv == 0x40):
            is_right = False
        return not (is_right and second & 0x80) and not self.is_over and not self._is_hasty

    def _pass_on(self, octets: bytes) -> bool:
        """Let the protocol decide about a frame, or a part of one; True when that has consequences."""
        protocol = self._protocol
        protocol.receive_data(octets)
        frames = protocol.events_received()
        for frame in frames:
            if not self.is_over:
                self._take_frame(frame)
        if protocol.close_sent is not None or protocol.parser_exc is not None:
            self.is_over = True
        return self.is_over or bool(protocol.writes)

    def _take_frame(self, frame: Any) -> None:
        opcode, data = frame.opcode, frame.data
        if opcode == _PING:
            self.pings += 1
        if opcode > _BINARY:
            return
        try:
            if opcode != _CONTINUATION:
                self._is_text = opcode == _TEXT
                if frame.fin:
                    self._append(str(data, "utf-8") if self._is_text else bytes(data))
                    return
                self._pieces = bytearray()
                self._decoder = _new_decoder() if self._is_text else None
            self._add_piece(data, is_last=frame.fin)
        except UnicodeDecodeError as error:
            self.fail(1007, f"no UTF-8: {error.reason}")

    def _add_piece(self, data: bytes, *, is_last: bool) -> None:
        pieces = self._pieces
        assert pieces is not None  # noqa: S101 - the protocol takes no continuation of nothing
        if self._decoder is not None:
            self._decoder.decode(data, is_last)  # what is wrong is found before the last of it has come
        pieces += data
        if len(pieces) > self._limit_bytes:
            self.fail(1009, f"more than {self._limit_bytes} octets")
        elif is_last:
            self._pieces = self._decoder = None
            self._append(str(pieces, "utf-8") if self._is_text else bytes(pieces))

    def _append(self, message: str | bytes) -> None:
        self.messages.append(message)
        if len(message) > _SMALL:
            self._queued_bytes += len(message)

    def pop(self) -> str | bytes:
        """Take the next message; IndexError when there is none."""
        message = self.messages.popleft()
        if len(message) > _SMALL:
            self._queued_bytes -= len(message)
        return message

    @property
    def wants_more(self) -> bool:
        """True when it is full and enough was taken to go on."""
        return len(self.messages) <= self._queue_limit // 2 and self._queued_bytes <= self._limit_bytes // 2

    def go_on(self) -> bool:
        """Look at what waited for room; return what `feed` does."""
        if self.is_ending:
            self._is_hasty = True
        self.is_full = self.is_ending = False
        return self.feed()

    def drop_messages(self) -> None:
        """Forget what was not taken: nobody will."""
        self.messages.clear()
        self._queued_bytes = 0

    # Sending.

    def encode(self, message: str | bytes) -> bytes:
        """Return the frame of a message; the conversation is not over."""
        if type(message) is str:
            data, heads = message.encode(), _TEXT_HEADS
        else:
            data, heads = message, _BINARY_HEADS  # type: ignore[assignment]
        if not self.deflates:
            length = len(data)
            if length < 126:
                return heads[length] + data
            first = heads[0][:1]
            if length < 65_536:
                return b"%b\x7e%b%b" % (first, length.to_bytes(2, "big"), data)
            return b"%b\x7f%b%b" % (first, length.to_bytes(8, "big"), data)
        if heads is _TEXT_HEADS:
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)
        return b"".join(self._protocol.data_to_send())

    def ping(self) -> None:
        self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake. ValueError for what cannot be said in a close frame."""
        check_close(code, reason)
        self._protocol.send_close(code, reason)
        self.is_over = True

    def fail(self, code: int, reason: str) -> None:
        """End the conversation: what was received is wrong."""
        self._protocol.fail(code, reason)
        self.is_over = True

    def end_of_input(self) -> None:
        self._protocol.receive_eof()
        self.is_over = True

    def to_send(self) -> list[bytes]:
        """Return what is to be sent, b"" at the end: then the connection is to be closed."""
        pieces: list[bytes] = self._protocol.data_to_send()
        return pieces

    @property
    def verdict(self) -> tuple[int, str]:
        """Code and reason of the end: the client's, or ours when what it sent was wrong, 1006 without any."""
        protocol = self._protocol
        close = protocol.close_rcvd if protocol.parser_exc is None and protocol.close_rcvd else None
        close = close or protocol.close_sent
        return (int(close.code), close.reason) if close is not None else (1006, "the connection broke")


def check_close(code: int, reason: str) -> None:
    """Raise ValueError for what cannot be said in a close frame."""
    if not is_close_code(code):
        raise ValueError(f"{code} is not a code to close with: 1000, 1001, ..., or 3000 to 4999")
    if len(reason.encode()) > 123:  # RFC 6455 §5.5: 125 octets with the code
        raise ValueError("the reason for a close is at most 123 octets long")


def is_close_code(code: int) -> bool:
    """True for the codes that may be sent (RFC 6455 §7.4)."""
    return 3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in (1004, 1005, 1006))


def _end_of_frame(data: bytes, position: int, end: int) -> int:
    """Return where the frame that begins at `position` ends, perhaps behind `end`; 0 when that is not known
    yet.
    """
    if end - position < 2:
        return 0
    second = data[position + 1]
    length, head = second & 0x7F, 6 if second & 0x80 else 2
    if length >= 126:
        extended = 2 if length == 126 else 8
        head += extended
        length = int.from_bytes(data[position + 2 : position + 2 + extended], "big")
    return 0 if end - position < head else position + head + length


def _load_unmask() -> Any:
    try:
        from websockets.speedups import apply_mask
    except ImportError:
        from websockets.utils import apply_mask
    return apply_mask
