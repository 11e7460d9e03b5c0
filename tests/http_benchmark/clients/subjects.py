"""Every adapter in every mode as one thing to call: `open_client(subject, wiring)` gives `send(call)`.

An async client runs in a loop of its own, in this thread, as the engine does it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from http_benchmark.clients.adapter import Call, Exchange, Wiring
from http_benchmark.clients.registry import adapters, find_adapter, is_installed
from http_benchmark.engine.faults import classify

SUBJECTS = [
    (name, mode) for name, adapter in adapters().items() if is_installed(adapter) for mode in adapter.modes
]


class Sender:
    def __init__(self, client, loop=None):
        self.client = client
        self.loop = loop

    def send(self, call: Call) -> Exchange:
        if self.loop is None:
            return self.client.exchange(call)
        return self.loop.run_until_complete(self.client.exchange(call))

    def get(self, url: str, **words) -> Exchange:
        return self.send(Call("GET", url, keeps_content=True, **words))

    def together(self, call: Call, tasks: int, each: int) -> list[Exchange]:
        async def one():
            return [await self.client.exchange(call) for _ in range(each)]

        async def all_of_them():
            return await asyncio.gather(*(one() for _ in range(tasks)))

        return [exchange for some in self.loop.run_until_complete(all_of_them()) for exchange in some]

    @property
    def opened(self) -> int:
        return self.client.connections_opened()


async def all_closed(loop, limit_s=30.0):
    """Wait until the loop watches no more connections: over TLS an end waits for that of the other side."""
    until_s = loop.time() + limit_s
    # One is the loop's own; nothing tells when the others are gone.
    while len(loop._selector.get_map()) > 1 and loop.time() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@contextmanager
def open_client(subject, connections=1, timeout_s=30.0, verify=True, http2=False):
    name, mode = subject
    adapter = find_adapter(name)
    wiring = Wiring(connections, timeout_s, verify, http2)
    if mode == "sync":
        client = adapter.make_sync(wiring)
        try:
            yield Sender(client)
        finally:
            client.close()
        return
    with asyncio.Runner() as runner:

        async def make():
            return adapter.make_async(wiring)

        sender = Sender(runner.run(make()), runner.get_loop())
        try:
            yield sender
        finally:
            runner.run(sender.client.close())
            runner.run(all_closed(sender.loop))


def class_of(name, error):
    """The class under which the error is counted."""
    return classify(error, find_adapter(name))
