import socket
import threading

import pytest

from benchmarks.load import exchange, generate

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def server():
    """A server that answers each connection's requests with what `replies` says; yields (port, replies)."""
    replies = [REPLY]
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock):
        with sock:
            try:
                while sock.recv(65_536):
                    sock.sendall(replies[0])
            except OSError:
                return

    def accept():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], replies
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_our_generator_counts_replies(server):
    port, _ = server

    done = generate(port, "/", connections=4, seconds=0.2)

    assert done.requests > 10
    assert done.errors == 0
    assert 0.2 <= done.seconds < 2


def test_a_reply_cut_short_is_told(server):
    port, replies = server
    replies[0] = b"HTTP/1.1 200 OK\r\n\r\n"

    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        pytest.raises(SystemExit, match="Content-Length"),
    ):
        exchange(sock, b"GET / HTTP/1.1\r\n\r\n")


def test_an_exchange_is_one_request_and_its_whole_reply(server):
    port, _ = server

    with socket.create_connection(("127.0.0.1", port)) as sock:
        assert exchange(sock, b"GET / HTTP/1.1\r\n\r\n") == REPLY
