"""What the environment says: HTTP_BENCHMARK_<NAME>, each read when it is asked for, checked, and
explained.
"""

from __future__ import annotations

import os
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "HTTP_BENCHMARK_"


class Settings(NamedTuple):
    """The defaults that hold where a command says nothing."""

    default_concurrency: int = 10
    default_duration_seconds: float = 30.0
    max_concurrency: int = 10_000
    sqlite_db_path: str = "benchmark_results.db"
    resource_monitoring_interval: float = 0.1
    """Seconds."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force; UsageError names the variable that is wrong."""
    given = os.environ if environment is None else environment
    found: dict[str, int | float | str] = {}
    for name, default in Settings()._asdict().items():
        text = given.get(PREFIX + name.upper())
        if text is not None:
            found[name] = _read(PREFIX + name.upper(), text, default)
    settings = Settings(**found)  # type: ignore[arg-type]  # `_read` returns the type of the default
    if settings.default_concurrency > settings.max_concurrency:
        raise UsageError(
            f"{PREFIX}DEFAULT_CONCURRENCY is {settings.default_concurrency}, more than "
            f"{PREFIX}MAX_CONCURRENCY, {settings.max_concurrency}"
        )
    return settings


def _read(name: str, text: str, default: float | str) -> int | float | str:
    if isinstance(default, str):
        if not text.strip():
            raise UsageError(f"{name} is empty; unset it for {default!r}")
        return text
    kind = "a whole number above 0" if isinstance(default, int) else "a number of seconds above 0"
    try:
        value = type(default)(text)
    except ValueError:
        raise UsageError(f"{name} is {text!r}, but must be {kind}") from None
    if not (isfinite(value) and value > 0):
        raise UsageError(f"{name} is {text!r}, but must be {kind}")
    return value
