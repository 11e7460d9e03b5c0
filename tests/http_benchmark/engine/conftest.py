"""Adapters of the standard library alone, so that what is tested is the engine."""

from __future__ import annotations

import asyncio
import http.client
from time import perf_counter_ns
from urllib.parse import urlsplit

import pytest

from http_benchmark.clients.adapter import Adapter, Exchange


class ThreadClient:
    def __init__(self, wiring):
        self._timeout_s = wiring.timeout_s
        self._connection = None
        self._opened = 0

    def exchange(self, call):
        parts = urlsplit(call.url)
        if self._connection is None:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._timeout_s)
        started_ns = perf_counter_ns()
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self._opened += 1
            self._connection.request(call.method, parts.path, call.body or None, dict(call.headers))
            reply = self._connection.getresponse()
            first_octet_ns = perf_counter_ns()
            content = reply.read()
        except BaseException:
            self._connection.close()
            raise
        finished_ns = perf_counter_ns()
        return Exchange(reply.status, len(content), started_ns, first_octet_ns, finished_ns, content)

    def connections_opened(self):
        return self._opened

    def close(self):
        if self._connection is not None:
            self._connection.close()


class TaskClient:
    """Knows replies with Content-Length, and nothing else."""

    def __init__(self, wiring):
        self._timeout_s = wiring.timeout_s
        self._idle = []
        self._opened = 0

    async def exchange(self, call):
        started_ns = perf_counter_ns()
        async with asyncio.timeout(self._timeout_s):
            parts = urlsplit(call.url)
            if self._idle:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                self._opened += 1
            try:
                request = f"{call.method} {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(call.body)}\r\n\r\n"
                writer.write(request.encode() + call.body)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    raise ConnectionResetError from None
                first_octet_ns = perf_counter_ns()
                fields = http.client.parse_headers(__import__("io").BytesIO(head.partition(b"\r\n")[2]))
                content = await reader.readexactly(int(fields["Content-Length"]))
            except BaseException:
                writer.transport.abort()
                raise
        if fields["Connection"] == "close":
            writer.transport.abort()
        else:
            self._idle.append((reader, writer))
        return Exchange(int(head[9:12]), len(content), started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self):
        return self._opened

    async def close(self):
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()


PLAIN = Adapter("plain", "", "", "of the tests", make_sync=ThreadClient, make_async=TaskClient)


@pytest.fixture
def adapter():
    return PLAIN
