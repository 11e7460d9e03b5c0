"""The cheapest server there is: what a generator reaches against it is the generator's own ceiling.

    with null_server() as url:
        ...

One process, one epoll loop, one fixed reply to whatever comes, as soon as a head (and the content it
announces) is there. It checks nothing and knows nothing: it is no server to learn from.
"""

from __future__ import annotations

import re
import select
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from http_benchmark.targets.process import open_listener, running

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLY: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_HEAD_REPLY: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})", re.IGNORECASE)
_END: Final = b"\r\n\r\n"
_RECEIVE: Final = 1 << 18


@contextmanager
def null_server() -> Iterator[str]:
    """Run it on a free port of 127.0.0.1; yield its URL."""
    listener = open_listener()
    port = int(listener.getsockname()[1])

    def is_ready(limit_s: float) -> None:
        with socket.create_connection(("127.0.0.1", port), limit_s) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            if not sock.recv(1):
                raise ConnectionResetError("it closed the connection")

    with running(__name__, [str(listener.fileno())], listener, is_ready):
        yield f"http://127.0.0.1:{port}/"


def serve(listener: socket.socket) -> None:
    """Serve until the process ends."""
    epoll = select.epoll()
    listener.setblocking(False)
    epoll.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    rests: dict[int, bytes] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                _accept(listener, epoll, connections)
                continue
            connection = connections[fd]
            try:
                octets = connection.recv(_RECEIVE)
                if octets:
                    # The usual case: one whole request without content.
                    if (
                        fd not in rests
                        and octets.startswith(b"GET ")
                        and octets.find(_END) == len(octets) - 4
                    ):
                        connection.send(REPLY)
                        continue
                    replies, rest = answer(rests.pop(fd, b"") + octets)
                    if rest:
                        rests[fd] = rest
                    connection.setblocking(True)
                    connection.sendall(replies)
                    connection.setblocking(False)
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            rests.pop(fd, None)
            connections.pop(fd).close()


def answer(octets: bytes) -> tuple[bytes, bytes]:
    """Return the replies to all requests that are whole, and what is left over."""
    replies = []
    begin = 0
    while (end := octets.find(_END, begin)) >= 0:
        length = _LENGTH.search(octets, begin, end)
        after = end + len(_END) + (int(length[1]) if length else 0)
        if after > len(octets):
            break
        replies.append(_HEAD_REPLY if octets.startswith(b"HEAD ", begin) else REPLY)
        begin = after
    return b"".join(replies), octets[begin:]


def _accept(listener: socket.socket, epoll: select.epoll, connections: dict[int, socket.socket]) -> None:
    try:
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections[connection.fileno()] = connection
            epoll.register(connection.fileno(), select.EPOLLIN)
    except OSError:
        return


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
