"""What requests, urllib3 and niquests share: pools that count connections, warnings, classes of errors."""

from __future__ import annotations

import warnings
from inspect import iscoroutinefunction
from typing import Any

from http_benchmark.clients import http_client
from http_benchmark.clients.library import load

INSTALL = "pip install urllib3"


class Counter:
    """How many connections one client has opened."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        self.opened = 0


def count_connections(manager: Any, counter: Counter) -> None:
    """Have a PoolManager, sync or async, count what its pools connect.

    `num_connections` of a pool is not their number: a connection object connects again when it was closed.
    """
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _counting(pool, counter) for scheme, pool in pools.items()}


def _counting(pool: Any, counter: Counter) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # known only now
        def connect(self) -> None:
            super().connect()
            counter.opened += 1

    class AsyncConnection(pool.ConnectionCls):  # type: ignore[misc]  # as above
        async def connect(self) -> None:
            await super().connect()
            counter.opened += 1

    kind = AsyncConnection if iscoroutinefunction(pool.ConnectionCls.connect) else Connection
    return type(pool.__name__, (pool,), {"ConnectionCls": kind})


def silence_insecure_requests(faults: Any) -> None:
    """Who measures without verification has said so; a warning a request is no news."""
    category = faults.InsecureRequestWarning
    if not any(kept[0] == "ignore" and kept[2] is category for kept in warnings.filters):
        warnings.simplefilter("ignore", category)


def classify(error: BaseException, faults: Any = None) -> str | None:
    """Return the class of an error of urllib3, or of the library whose exceptions are given; None for one
    that wraps an error of the system.
    """
    faults = faults or load("urllib3.exceptions", INSTALL)
    if isinstance(error, faults.NewConnectionError):  # before TimeoutError, which it is too
        return "unreachable" if type(error).__name__ == "NameResolutionError" else None
    if isinstance(error, faults.TimeoutError):
        return "timeout"
    if isinstance(error, faults.SSLError):
        return "tls"
    told = "short" if isinstance(error, faults.IncompleteRead) else http_client.classify(error)
    if told or not isinstance(error, faults.HTTPError):
        return told
    inner = getattr(error, "reason", None)
    wrapped = [inner, *error.args, error.__cause__]
    inner = next((each for each in wrapped if isinstance(each, Exception)), None)
    if inner is None:
        return "short" if "incomplete chunked" in str(error) else "protocol"  # the fork has but the words
    return None if isinstance(inner, OSError) and inner.errno else classify(inner, faults)


def classify_wrapped(error: BaseException, outer: Any, faults: Any) -> str | None:
    """Return the class of an error of requests or niquests, whose exceptions are `outer`."""
    if isinstance(error, outer.Timeout):
        return "timeout"
    if isinstance(error, outer.SSLError):
        return "tls"
    if not isinstance(error, outer.RequestException):
        return classify(error, faults)
    inner = next((each for each in error.args if isinstance(each, BaseException)), None)
    return "protocol" if inner is None else classify(inner, faults)
