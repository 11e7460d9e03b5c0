"""WebSocket frames as a client sends them, right and wrong, and a connection that speaks in them."""

from __future__ import annotations

import socket
import struct
import zlib
from typing import NamedTuple, Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"


def masked(data: bytes, mask: bytes = MASK) -> bytes:
    return bytes(octet ^ mask[i % 4] for i, octet in enumerate(data))


def frame(
    opcode: int = TEXT,
    data: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length: int | None = None,
    size: int | None = None,
) -> bytes:
    """The octets of a frame. `mask=None`: none; `length`: what is declared; `size`: octets of the extended length."""
    count = len(data) if length is None else length
    if size is None:
        size = 0 if count < 126 else 2 if count < 65_536 else 8
    short = count if size == 0 else {2: 126, 8: 127}[size]
    head = struct.pack("!BB", (fin << 7) | (rsv << 4) | opcode, ((mask is not None) << 7) | short)
    head += count.to_bytes(size, "big") if size else b""
    return head + (data if mask is None else mask + masked(data, mask))


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def handshake(target: str = "/", *fields: str, key: str = KEY, version: str = "13") -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: test", "Connection: Upgrade", "Upgrade: websocket"]
    lines += [f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Version: {version}", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Frame(NamedTuple):
    opcode: int
    data: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def code(self) -> int:
        """Of a close frame."""
        return struct.unpack("!H", self.data[:2])[0] if self.data else 1005


class Peer:
    """A client in frames: `send` octets, `take` frames, `ends` when the server has ended the connection."""

    def __init__(
        self,
        port: int,
        target: str = "/",
        *fields: str,
        host: str = "127.0.0.1",
        receive_buffer_bytes: int = 0,
        rest: bytes = b"",
        shake: bool = True,
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(20)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.octets = b""
        self.head = b""
        if shake:
            self.send(handshake(target, *fields) + rest)
            self.take_head()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def field(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            if line.lower().startswith(name.lower() + ":"):
                return line.partition(":")[2].strip()
        return None

    def take_head(self) -> bytes:
        while b"\r\n\r\n" not in self.octets:
            assert self._receive(), f"the connection ended in the head: {self.octets!r}"
        self.head, _, self.octets = self.octets.partition(b"\r\n\r\n")
        return self.head

    def _receive(self) -> bytes:
        data = self.socket.recv(262_144)
        self.octets += data
        return data

    def send(self, *octets: bytes) -> None:
        self.socket.sendall(b"".join(octets))

    def take(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        while True:
            found = split_frame(self.octets)
            if found is not None:
                self.octets = self.octets[found[1] :]
                return found[0]
            try:
                data = self._receive()
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self.octets, f"a frame is cut short: {self.octets[:100]!r}"
                return None

    def take_all(self) -> list[Frame]:
        """The frames up to the end of the connection."""
        frames = []
        while (found := self.take()) is not None:
            frames.append(found)
        return frames

    def take_all_but_close(self) -> list[Frame]:
        """The frames up to a close, which is answered."""
        frames = []
        while (found := self.take()) is not None and found.opcode != CLOSE:
            frames.append(found)
        self.send(close_frame())
        return frames

    def ends(self) -> bool:
        return self.take() is None

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)


def split_frame(octets: bytes) -> tuple[Frame, int] | None:
    """The first frame in octets a server sent, and how many they are; None when it is not complete."""
    if len(octets) < 2:
        return None
    first, length = octets[0], octets[1]
    assert not length & 0x80, "a server does not mask"
    at = 2
    if length >= 126:
        at += 2 if length == 126 else 8
        length = int.from_bytes(octets[2:at], "big")
    if len(octets) < at + length:
        return None
    return Frame(first & 15, octets[at : at + length], bool(first & 0x80), (first >> 4) & 7), at + length


class Deflater:
    """The client's end of permessage-deflate."""

    def __init__(self, bits: int = 12, *, no_context_takeover: bool = False) -> None:
        self._bits = bits
        self._is_fresh = no_context_takeover
        self._in = zlib.decompressobj(-15)
        self._out = zlib.compressobj(wbits=-bits)

    def deflate(self, data: bytes) -> bytes:
        if self._is_fresh:
            self._out = zlib.compressobj(wbits=-self._bits)
        return (self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def inflate(self, data: bytes) -> bytes:
        return self._in.decompress(data + b"\x00\x00\xff\xff")
