"""A TLS server that speaks HTTP/2 to whoever asks for it by ALPN, and answers with what was asked."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded

from tests.http_benchmark.clients.recorder import Recorder


class H2Server(Recorder):
    """Accepts and closes as the recorder of plain requests does."""

    def __init__(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.protocols: list[str | None] = []
        super().__init__(context)

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
            self._open -= {plain, connection}
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
