"""Importing a client library when its client is made, and telling its user what to do where that fails."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from http_benchmark.errors import MissingLibrary, UsageError


def load(module: str, install: str) -> Any:
    """Return the module. MissingLibrary where it is absent, UsageError where it is there and broken."""
    name = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise MissingLibrary(name, install) from None
        raise UsageError(f"{name} cannot be imported: {error}; {install}") from error
    except Exception as error:  # an extension that was built for other libraries raises what it likes
        raise UsageError(f"{name} cannot be imported: {error}; {install}") from error
