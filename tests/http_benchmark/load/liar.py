"""A server of raw octets for the tests of the generator: it says exactly what a test tells it to say.

A `Script` is called once for each connection, in a thread, with a `Peer`. What it read is in `liar.requests`.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Peer:
    """One connection, as the server has it."""

    def __init__(self, sock: socket.socket, requests: list[bytes], number: int):
        self.sock = sock
        self.number = number  # of the connection, from 0
        self._requests = requests
        self._held = b""

    def request(self) -> bytes:
        """The next request, whole; b"" at the end."""
        while b"\r\n\r\n" not in self._held:
            if not self._more():
                return b""
        head, _, rest = self._held.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(rest) < length:
            if not self._more():
                return b""
            rest = self._held.partition(b"\r\n\r\n")[2]
        self._held = rest[length:]
        self._requests.append(head + b"\r\n\r\n" + rest[:length])
        return self._requests[-1]

    def say(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def say_split(self, octets: bytes) -> None:
        """Each octet in a segment of its own, as far as the kernel lets it."""
        for index in range(len(octets)):
            self.sock.send(octets[index : index + 1])

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _more(self) -> bool:
        octets = self.sock.recv(65_536)
        self._held += octets
        return bool(octets)


class Liar:
    """The listening side."""

    def __init__(
        self, script: Callable[[Peer], None], listener: socket.socket, context: ssl.SSLContext | None
    ):
        self.requests: list[bytes] = []
        self.connections = 0
        self.faults: list[BaseException] = []
        self._script, self._listener, self._context = script, listener, context
        host = "localhost"
        if listener.family != socket.AF_UNIX:
            host = f"127.0.0.1:{listener.getsockname()[1]}"
        self.url = f"{'http' if context is None else 'https'}://{host}/"
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._listener.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(20)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections))
            self.connections += 1
            self._socks.append(sock)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._script(Peer(sock, self.requests, number))
        except OSError:
            pass  # the generator has left
        except BaseException as error:
            self.faults.append(error)
        finally:
            sock.close()

    def refuse(self) -> None:
        """Take no more connections."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # for the second time
        self._listener.close()

    def close(self) -> None:
        self.refuse()
        self._accepting.join()
        for sock in self._socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        assert self.faults == []


@contextmanager
def lying(
    script: Callable[[Peer], None], *, unix: str | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Liar]:
    """A server that follows the script on each connection, closed at the end."""
    listener = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    listener.bind(unix or ("127.0.0.1", 0))
    listener.listen(1024)
    liar = Liar(script, listener, context)
    try:
        yield liar
    finally:
        liar.close()


def answering(*replies: bytes) -> Callable[[Peer], None]:
    """A script that gives these replies in turn, for ever, on each connection."""

    def script(peer: Peer) -> None:
        index = 0
        while peer.request():
            peer.say(replies[index % len(replies)])
            index += 1

    return script


def closing(reply: bytes) -> Callable[[Peer], None]:
    """A script that reads a request, says this and closes."""

    def script(peer: Peer) -> None:
        if peer.request():
            peer.say(reply)

    return script
