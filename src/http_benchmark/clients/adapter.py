"""What an HTTP client library looks like to the engine: a way to make a client, and one call.

A sync client belongs to one thread and has one connection (a pool of one). An async client belongs to one
loop and is shared by all tasks, with a pool of as many connections. One extent for all: the clock starts
before the library is called, first octet is when it hands over the response's head, and it stops when the
last octet of content was read. `exchange` does all of that and raises what the library raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Mode = Literal["sync", "async"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is sent again and again. Made once; adapters may keep what they derive of it."""

    method: str
    """In capitals. STREAM is no method here: it is GET with `streams`."""
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    streams: bool = False
    """Read the content in pieces as they come, and keep none."""
    keeps_content: bool = False
    """Hand the content over in `Exchange.content`, because it will be looked at."""


class Exchange(NamedTuple):
    """One request that was answered. Times are of `time.perf_counter_ns`."""

    status: int
    octets: int
    """Of content, as the library handed them over (after content codings are taken off)."""
    started_ns: int
    first_octet_ns: int
    """When the head was there; 0 where a library does not tell."""
    finished_ns: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a client is made; the same for every library."""

    connections: int
    """Size of the pool: 1 for a sync client, the concurrency for an async one."""
    timeout_s: float
    """For each of connecting, sending and waiting for the next octet; for the whole where a library knows
    only that.
    """
    verify: bool = True
    http2: bool = False


class SyncClient(Protocol):
    """Of one thread."""

    def exchange(self, call: Call) -> Exchange:
        """Send, read all of the reply."""

    def connections_opened(self) -> int:
        """How many connections it has opened so far; -1 where nobody can tell."""

    def close(self) -> None:
        """Close its connections."""


class AsyncClient(Protocol):
    """Of one event loop."""

    async def exchange(self, call: Call) -> Exchange:
        """Send, read all of the reply."""

    def connections_opened(self) -> int:
        """How many connections it has opened so far; -1 where nobody can tell."""

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A library. Each module of this folder has one as `ADAPTER`; own ones come by the entry point group
    `http_benchmark.clients`.
    """

    name: str
    """As in `--client`."""
    distribution: str
    """As pip knows it, for its version; "" for what is in the standard library or here."""
    install: str
    """The command that installs it, such as "pip install httpx"."""
    notes: str
    """How pool, timeout and redirects are made equal, and what is not equal."""
    make_sync: Callable[[Wiring], SyncClient] | None = None
    """In the thread it is used in. MissingLibrary where the library is absent."""
    make_async: Callable[[Wiring], AsyncClient] | None = None
    """In the loop it is used in. MissingLibrary where the library is absent."""
    has_http2: bool = False
    classify: Callable[[BaseException], str | None] | None = None
    """The class of an error that only this library raises; None to leave it to the engine
    (`engine/faults.py`).
    """

    @property
    def modes(self) -> tuple[Mode, ...]:
        """In which it can run."""
        found: list[Any] = [("sync", self.make_sync), ("async", self.make_async)]
        return tuple(mode for mode, make in found if make is not None)
