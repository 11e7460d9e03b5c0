"""Measures HTTP clients and servers, and says how sure it is.

>>> from http_benchmark import BenchmarkConfiguration
>>> BenchmarkConfiguration(url="http://127.0.0.1:8000/", client="httpx", concurrency=20).label
'httpx GET http://127.0.0.1:8000/'

This module is the list of public names and nothing else; each is imported when it is first used. May use
penstock; penstock never uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http_benchmark.configuration import BenchmarkConfiguration
    from http_benchmark.engine.runner import BenchmarkRunner, measure_in_turns
    from http_benchmark.errors import (
        BenchmarkError,
        MissingLibrary,
        NothingMeasured,
        StorageError,
        UsageError,
    )
    from http_benchmark.histogram.histogram import Histogram
    from http_benchmark.measurement.progress import Progress
    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.statistics.comparison import compare_results
    from http_benchmark.storage.store import ResultStorage

_PLACES = {
    "BenchmarkConfiguration": "http_benchmark.configuration",
    "BenchmarkError": "http_benchmark.errors",
    "BenchmarkResult": "http_benchmark.measurement.result",
    "BenchmarkRunner": "http_benchmark.engine.runner",
    "Histogram": "http_benchmark.histogram.histogram",
    "MissingLibrary": "http_benchmark.errors",
    "NothingMeasured": "http_benchmark.errors",
    "Progress": "http_benchmark.measurement.progress",
    "ResultStorage": "http_benchmark.storage.store",
    "StorageError": "http_benchmark.errors",
    "UsageError": "http_benchmark.errors",
    "compare_results": "http_benchmark.statistics.comparison",
    "measure_in_turns": "http_benchmark.engine.runner",
}

__all__ = [
    "BenchmarkConfiguration",
    "BenchmarkError",
    "BenchmarkResult",
    "BenchmarkRunner",
    "Histogram",
    "MissingLibrary",
    "NothingMeasured",
    "Progress",
    "ResultStorage",
    "StorageError",
    "UsageError",
    "compare_results",
    "measure_in_turns",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'http_benchmark' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
