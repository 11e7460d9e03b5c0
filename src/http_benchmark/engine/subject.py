"""One client library under one configuration, made ready: what all rounds of it have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from http_benchmark.clients.adapter import Call, Wiring
from http_benchmark.engine.recorder import USUALLY_GOOD, Recorder
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Adapter, AsyncClient, SyncClient
    from http_benchmark.configuration import BenchmarkConfiguration


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured. UsageError where the library cannot do what the configuration asks for."""

    configuration: BenchmarkConfiguration
    adapter: Adapter
    call: Call

    @property
    def concurrency(self) -> int:
        """How many workers there are."""
        return self.configuration.concurrency

    @property
    def is_closed_loop(self) -> bool:
        """Whether a request follows the reply to the one before."""
        return not self.configuration.is_open_loop

    def make_recorder(self) -> Recorder:
        """Return a new one that knows what success is."""
        wanted = self.configuration
        return Recorder(wanted.expect_status or USUALLY_GOOD, wanted.expect_body)

    def make_sync(self) -> SyncClient:
        """Return a new client; in the thread that is going to use it."""
        if self.adapter.make_sync is None:
            raise UsageError(_has_not(self.adapter, "sync"))
        return self.adapter.make_sync(self._wiring(1))

    def make_async(self) -> AsyncClient:
        """Return a new client; in the loop that is going to use it."""
        if self.adapter.make_async is None:
            raise UsageError(_has_not(self.adapter, "async"))
        return self.adapter.make_async(self._wiring(self.concurrency))

    def _wiring(self, connections: int) -> Wiring:
        wanted = self.configuration
        return Wiring(connections, wanted.timeout_s, wanted.verify_ssl, wanted.http2)


def make_subject(configuration: BenchmarkConfiguration, adapter: Adapter) -> Subject:
    """Return it, after a check that the library can do it."""
    if configuration.mode not in adapter.modes:
        raise UsageError(_has_not(adapter, configuration.mode))
    if configuration.http2 and not adapter.has_http2:
        raise UsageError(f"{adapter.name} speaks no HTTP/2; leave it out, or use another client")
    streams = configuration.method == "STREAM"
    call = Call(
        method="GET" if streams else configuration.method,
        url=configuration.url,
        headers=dict(configuration.headers),
        body=configuration.body,
        streams=streams,
        keeps_content=configuration.expect_body is not None,
    )
    return Subject(configuration, adapter, call)


def _has_not(adapter: Adapter, mode: str) -> str:
    return f"{adapter.name} has no mode {mode}; it has {' and '.join(adapter.modes) or 'none'}"
