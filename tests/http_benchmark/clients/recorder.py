"""A server on plain sockets that does what its path says, and tells what octets it was sent.

One thread a connection, blocking: small enough to be believed. `connections` and `requests` count.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import contextmanager

CONTENT = b"0123456789" * 10


class Recorder:
    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.requests = 0
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        scheme = "https" if context else "http"
        self.origin = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            octets = b""
            while True:
                while b"\r\n\r\n" not in octets:
                    got = connection.recv(65536)
                    if not got:
                        return
                    octets += got
                head, _, octets = octets.partition(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                while len(octets) < length:
                    octets += connection.recv(65536)
                body, octets = octets[:length], octets[length:]
                self.requests += 1
                if not self._answer(connection, head + b"\r\n\r\n" + body):
                    return
        except (OSError, ValueError):
            pass
        finally:
            self._open.discard(plain)
            connection.close()

    def _answer(self, connection: socket.socket, request: bytes) -> bool:
        """Answer one request; False ends the connection."""
        method, target = request.split(b" ", 2)[:2]
        has_content = method != b"HEAD"

        def reply(status: bytes, fields: bytes, content: bytes) -> None:
            head = b"HTTP/1.1 " + status + b"\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(content)
            connection.sendall(head + (content if has_content else b""))

        match target.split(b"?")[0]:
            case b"/echo":
                reply(b"200 OK", b"", request)
            case b"/plain":
                reply(b"200 OK", b"", CONTENT)
            case b"/close":
                reply(b"200 OK", b"Connection: close\r\n", CONTENT)
                return False
            case b"/drop":  # closes without having said so
                reply(b"200 OK", b"", CONTENT)
                return False
            case b"/no-content":
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            case b"/not-modified":
                connection.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")
            case b"/interim":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                reply(b"200 OK", b"", CONTENT)
            case b"/hints":
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                reply(b"200 OK", b"", CONTENT)
            case b"/redirect":
                reply(b"302 Found", b"Location: /echo\r\n", b"elsewhere")
            case b"/cookie":
                reply(b"200 OK", b"Set-Cookie: kept=yes; Path=/\r\n", CONTENT)
            case b"/chunked":
                chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (size, b"c" * size) for size in (1, 10, 89))
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
                connection.sendall(b"0\r\nTrailer-Field: a\r\n\r\n")
            case b"/until-closed":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)
                return False
            case b"/short":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + CONTENT[:60])
                return False
            case b"/short-chunked":
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + CONTENT[:60]
                )
                return False
            case b"/nothing":
                return False
            case b"/reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case b"/garbage":
                connection.sendall(b"SMTP ready when you are\r\n\r\n")
                return False
            case b"/silent":
                return bool(connection.recv(1))
            case _:
                reply(b"404 Not Found", b"", b"no such thing")
        return True


@contextmanager
def recording(context: ssl.SSLContext | None = None):
    recorder = Recorder(context)
    try:
        yield recorder
    finally:
        recorder.close()
