"""Small servers of known behaviour, as programs that `serving` starts."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path

from http_benchmark.servers.definitions import Workload
from http_benchmark.servers.subject import free_port, serving

HELLO = Workload(name="hello", path="/", content="Hello, World!")
BEGIN = """
import os, signal, socket, sys, threading, time
port = int(sys.argv[1])
def reply(sock, octets=b"HTTP/1.1 200 OK\\r\\nContent-Length: 13\\r\\n\\r\\nHello, World!"):
    with sock:
        while sock.recv(65536): sock.sendall(octets)
def serve(listener, **more):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=reply, args=(sock,), kwargs=more, daemon=True).start()
def listen():
    return socket.create_server(("127.0.0.1", port))
"""
PROGRAMS = {
    "plain": "serve(listen())",
    "late": "time.sleep(0.7); serve(listen())",
    "never": "time.sleep(600)",
    "exits": "sys.exit('no such module: shop')",
    "stubborn": "signal.signal(signal.SIGTERM, signal.SIG_IGN); serve(listen())",
    "wrong": "serve(listen(), octets=b'HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nOops')",
    "error": "serve(listen(), octets=b'HTTP/1.1 500 No\\r\\nContent-Length: 4\\r\\n\\r\\nOops')",
    "closes": "serve(listen(), octets=b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 13\\r\\n\\r\\nHello, World!')",
    "drops": """
listener = listen()
while True:
    sock, _ = listener.accept()
    sock.recv(65536); sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 13\\r\\n\\r\\nHello, World!"); sock.close()
""",
    "forks": """
listener = listen()
for _ in range(2):
    if not os.fork(): serve(listener)
if not os.fork():
    os.setsid()
    time.sleep(600)
serve(listener)
""",
    "leaves": """
listener = listen()
if not os.fork(): serve(listener)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
serve(listener)
""",
}


def command_of(name, port):
    return [sys.executable, "-c", BEGIN + PROGRAMS[name], str(port)]


@contextmanager
def running(name, folder, **more):
    port = free_port()
    with serving(command_of(name, port), port=port, folder=folder, stop_timeout_s=0.3, **more) as subject:
        yield subject


def is_alive(pid):
    """Whether a process runs; one that has ended and nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def affinity(pid):
    return os.sched_getaffinity(pid)
