"""Which clients there are: one for each module named here, and those that others have registered.

Others register an Adapter by the entry point group `http_benchmark.clients`. What cannot be loaded is one
line on stderr, and not there; nothing of it stops the rest.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module, metadata
from platform import python_version
from typing import TYPE_CHECKING, Final

from http_benchmark.clients.adapter import Adapter
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

MODULES: Final = (
    "requests",
    "httpx",
    "httpx2",
    "aiohttp",
    "urllib3",
    "pycurl",
    "requestx",
    "niquests",
    "http_client",
    "penstock_raw",
)
"""Of this folder, each with an ADAPTER."""

GROUP: Final = "http_benchmark.clients"
"""Of entry points."""


@lru_cache(maxsize=1)
def adapters() -> dict[str, Adapter]:
    """Return all adapters by name, installed or not."""
    own = [import_module(f"http_benchmark.clients.{module}").ADAPTER for module in MODULES]
    found: dict[str, Adapter] = {adapter.name: adapter for adapter in own}
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        fault = _add(found, entry)
        if fault:
            print(
                f"http-benchmark: the client {entry.name!r} ({entry.value}) is left out: {fault}",
                file=sys.stderr,
            )
    return found


def _add(found: dict[str, Adapter], entry: EntryPoint) -> str:
    """Add what an entry point names; return what is wrong with it."""
    try:
        adapter = entry.load()
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    if not isinstance(adapter, Adapter):
        return f"it is {type(adapter).__name__}, not http_benchmark.clients.adapter.Adapter"
    if not adapter.modes:
        return "it has neither make_sync nor make_async"
    if adapter.name in found:
        return f"there is a client {adapter.name!r} already"
    found[adapter.name] = adapter
    return ""


def find_adapter(name: str) -> Adapter:
    """Return the adapter of that name. UsageError suggests another for one that nobody knows."""
    known = adapters()
    if name in known:
        return known[name]
    close = get_close_matches(name, known, 1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    raise UsageError(f"no client {name!r}; {meant} (http-benchmark clients)")


def is_installed(adapter: Adapter) -> bool:
    """Whether its library is there."""
    return not adapter.distribution or _version(adapter.distribution) is not None


def version_of(adapter: Adapter) -> str:
    """Return the version of its library, that of Python or of Penstock for what needs none; "" if it is not
    installed.
    """
    if adapter.distribution:
        return _version(adapter.distribution) or ""
    if adapter.name == "penstock":
        from penstock import __version__

        return __version__
    return python_version()


def doubt_about(adapter: Adapter) -> str:
    """Return why figures of it are of another library than its name says; "" where they are not."""
    if adapter.distribution not in {"requests", "urllib3"}:
        return ""
    future = _version("urllib3-future")
    if future is None:
        return ""
    try:
        if import_module("urllib3").__version__ != future:
            return ""
    except Exception:
        return ""
    return f"urllib3 is replaced by urllib3-future {future} here (niquests brings it): figures are of that"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
