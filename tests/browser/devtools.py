"""Chromium's DevTools protocol on a pair of pipes: commands out, replies and events in, each ended by a NUL.

One thread uses it, and reads only while it waits for something: events that came in the meantime are handed to
whoever listens to their session. Pipes need no port and no handshake, and the browser ends when they are closed,
so that it does not outlive its tests.
"""

from __future__ import annotations

import json
import os
import select
from time import monotonic

WAIT_S = 60


class BrowserError(Exception):
    """The browser refused a command, gave no answer in time, or has gone."""


class DevTools:
    """The near ends of both pipes."""

    def __init__(self, reading, writing):
        self._reading = reading
        self._writing = writing
        self._received = bytearray()
        self._last_id = 0
        self._replies = {}
        self.listeners = {}
        """By session: called with the name of an event and its parameters."""

    def send(self, method, session="", **params):
        """Send a command and do not wait; the number its reply will have."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        octets = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while octets:
                octets = octets[os.write(self._writing, octets) :]
        except OSError as error:
            raise BrowserError(f"{method}: the browser has gone") from error
        return self._last_id

    def ask(self, method, session="", *, limit_s=WAIT_S, **params):
        """Send a command and wait for its result."""
        number = self.send(method, session, **params)
        self._replies[number] = None
        try:
            self.wait(lambda: self._replies[number], f"the reply to {method}", limit_s)
            reply = self._replies[number]
        finally:
            del self._replies[number]
        if "error" in reply:
            raise BrowserError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def wait(self, condition, what, limit_s=WAIT_S):
        """Receive until `condition()` is true."""
        deadline = monotonic() + limit_s
        while not condition():
            self._receive(deadline, what)

    def _receive(self, deadline, what):
        while (end := self._received.find(0)) < 0:
            ready, _, _ = select.select([self._reading], [], [], max(0, deadline - monotonic()))
            if not ready:
                raise BrowserError(f"{what} did not come in time")
            piece = os.read(self._reading, 1 << 20)
            if not piece:
                raise BrowserError(f"the browser ended before {what} came")
            self._received += piece
        message = json.loads(self._received[:end])
        del self._received[: end + 1]
        if "method" not in message:
            if message["id"] in self._replies:
                self._replies[message["id"]] = message
        elif listener := self.listeners.get(message.get("sessionId", "")):
            listener(message["method"], message["params"])

    def close(self):
        os.close(self._writing)
        os.close(self._reading)
