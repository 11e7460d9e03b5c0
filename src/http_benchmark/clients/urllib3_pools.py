"""What requests and urllib3 share: pools that count connections, warnings, and classes of errors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from http_benchmark.clients import http_client
from http_benchmark.clients.library import load

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALL = "pip install urllib3"


class Counter:
    """How many connections one client has opened."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        self.opened = 0


def make_pool_classes(counter: Counter) -> dict[str, Callable[..., Any]]:
    """Return pools for `PoolManager.pool_classes_by_scheme` whose connections are counted.

    `num_connections` of a pool is not their number: a connection object connects again when it was closed.
    """
    pools = load("urllib3.connectionpool", INSTALL)
    return {
        "http": _counting(pools.HTTPConnectionPool, counter),
        "https": _counting(pools.HTTPSConnectionPool, counter),
    }


def _counting(pool: Any, counter: Counter) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # known only now
        def connect(self) -> None:
            super().connect()
            counter.opened += 1

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def silence_insecure_requests() -> None:
    """Who measures without verification has said so; a warning a request is no news."""
    category = load("urllib3.exceptions", INSTALL).InsecureRequestWarning
    if not any(kept[0] == "ignore" and kept[2] is category for kept in warnings.filters):
        warnings.simplefilter("ignore", category)


def classify(error: BaseException) -> str | None:
    """Return the class of an error of urllib3, also inside one of requests."""
    faults = load("urllib3.exceptions", INSTALL)
    if isinstance(error, faults.NewConnectionError):  # before TimeoutError, which it is too
        return "unreachable" if type(error).__name__ == "NameResolutionError" else None
    if isinstance(error, faults.TimeoutError):
        return "timeout"
    if isinstance(error, faults.SSLError):
        return "tls"
    if isinstance(error, faults.ProtocolError | faults.MaxRetryError):
        inner = next((part for part in error.args if isinstance(part, Exception)), None)
        inner = getattr(error, "reason", None) or inner
        if inner is None:
            return "protocol"
        return None if isinstance(inner, OSError) and inner.errno else classify(inner)
    if isinstance(error, faults.DecodeError | faults.HTTPError) and not isinstance(error, OSError):
        return http_client.classify(error) or (None if error.__cause__ else "protocol")
    return http_client.classify(error)
