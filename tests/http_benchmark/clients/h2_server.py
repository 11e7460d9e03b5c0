"""A TLS server that speaks HTTP/2 to whoever asks for it by ALPN, and answers with what was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded


class H2Server:
    def __init__(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.protocols: list[str | None] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.origin = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
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
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(plain,)))
            self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            connection = self._context.wrap_socket(plain, server_side=True)
            self._open.add(connection)
            self.protocols.append(connection.selected_alpn_protocol())
            if self.protocols[-1] == "h2":
                self._serve_h2(connection)
            else:
                while connection.recv(65536):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1")
        except OSError:
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _serve_h2(self, connection: socket.socket) -> None:
        session = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        session.initiate_connection()
        bodies: dict[int, bytes] = {}
        methods: dict[int, str] = {}
        connection.sendall(session.data_to_send())
        while data := connection.recv(65536):
            for event in session.receive_data(data):
                if isinstance(event, RequestReceived):
                    fields = dict(event.headers)
                    methods[event.stream_id] = fields[":method"]
                    bodies[event.stream_id] = f"{fields[':method']} {fields[':path']} ".encode()
                elif isinstance(event, DataReceived):
                    bodies[event.stream_id] += event.data
                    session.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    content = bodies.pop(event.stream_id)
                    head = [(":status", "200"), ("content-length", str(len(content)))]
                    is_head = methods.pop(event.stream_id) == "HEAD"
                    session.send_headers(event.stream_id, head, end_stream=is_head)
                    if not is_head:
                        session.send_data(event.stream_id, content, end_stream=True)
                elif isinstance(event, ConnectionTerminated):
                    return
            connection.sendall(session.data_to_send())


@contextmanager
def serving_h2(context: ssl.SSLContext):
    server = H2Server(context)
    try:
        yield server
    finally:
        server.close()
