"""Keeps results and finds them again: the Python API of the database.

>>> import tempfile, pathlib
>>> folder = tempfile.TemporaryDirectory()
>>> ResultStorage(pathlib.Path(folder.name, "results.db")).get_all_results()
[]
>>> folder.cleanup()
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.settings import read_settings
from http_benchmark.storage import rows
from http_benchmark.storage.database import BUSY_TIMEOUT_S, reading, writing

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult


class Comparison(TypedDict):
    """One result beside others."""

    id: str
    name: str
    client_library: str
    requests_per_second: float
    avg_response_time: float
    p99_response_time: float
    error_rate: float
    cpu_usage_avg: float | None
    memory_usage_avg: float | None
    of_best: float
    """Its rate as a share of the best rate among them: 1.0 is the best."""


class ResultStorage:
    """A database of results. Cheap to make; opens the file for each call and closes it after, so that threads
    and processes may share one. StorageError says what is wrong with the file.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """`path`: by default what HTTP_BENCHMARK_SQLITE_DB_PATH says, or benchmark_results.db.
        `busy_timeout_s`: how long a call waits for other writers.
        """
        self.path = Path(read_settings().sqlite_db_path if path is None else path)
        self.busy_timeout_s = busy_timeout_s

    def save_result(self, result: BenchmarkResult) -> str:
        """Store a result, whole or not at all, and return its id."""
        with writing(self.path, busy_timeout_s=self.busy_timeout_s) as connection:
            if connection.execute("SELECT 1 FROM benchmark_results WHERE id = ?", (result.id,)).fetchone():
                raise StorageError(f"the result {result.id} is in it already")
            rows.put(connection, result)
        return result.id

    def get_result_by_id(self, id: str) -> BenchmarkResult | None:
        """Return the result of exactly this id, or None."""
        return next(iter(self._select("WHERE id = ?", id)), None)

    def get_results_by_name(self, name: str) -> list[BenchmarkResult]:
        """Return the results of a name, newest first."""
        return self.find_results(name=name)

    def get_all_results(self, limit: int | None = None) -> list[BenchmarkResult]:
        """Return all, or so many of the newest, newest first."""
        return self.find_results(limit=limit)

    def find_results(
        self,
        *,
        name: str | None = None,
        client: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        with_rounds: bool = True,
    ) -> list[BenchmarkResult]:
        """Return those that meet every condition, newest first. `since` without a zone is UTC.

        `with_rounds=False` leaves `rounds` empty: thousands of results are listed in no time.
        """
        if limit is not None and limit < 1:
            raise UsageError(f"limit is {limit}, but must be above 0")
        wanted: list[tuple[str, object]] = []
        if name is not None:
            wanted.append(("name = ?", name))
        if client is not None:
            wanted.append(("client_library = ?", client))
        if since is not None:
            moment = since if since.tzinfo else since.replace(tzinfo=UTC)
            wanted.append(("created_at >= ?", moment.astimezone(UTC).isoformat()))
        where = f"WHERE {' AND '.join(clause for clause, _ in wanted)}" if wanted else ""
        values = [value for _, value in wanted]
        ending = "ORDER BY created_at DESC, rowid DESC" + (" LIMIT ?" if limit is not None else "")
        if limit is not None:
            values.append(limit)
        return self._select(f"{where} {ending}", *values, with_rounds=with_rounds)

    def get_result_by_prefix(self, prefix: str) -> BenchmarkResult:
        """Return the one result whose id begins so, in capitals or not, or is exactly that; UsageError where
        there is none or more than one.
        """
        if prefix and (exact := self.get_result_by_id(prefix)) is not None:
            return exact
        found = self._select("WHERE lower(substr(id, 1, ?)) = ? LIMIT 2", len(prefix), prefix.lower())
        if not prefix or not found:
            raise UsageError(f"no result in {self.path} has an id that begins with {prefix!r}")
        if len(found) > 1:
            raise UsageError(f"several results in {self.path} have an id that begins with {prefix!r}")
        return found[0]

    def compare_results(self, ids: Sequence[str]) -> list[Comparison]:
        """Return these results beside each other, in the order of the ids; UsageError names an id that is
        absent. Whether a difference is more than noise, `statistics.comparison` says.
        """
        found: list[BenchmarkResult] = []
        for wanted in ids:
            selected = self._select("WHERE id = ?", wanted, with_rounds=False)
            if not selected:
                raise UsageError(f"no result in {self.path} has the id {wanted!r}")
            found += selected
        best = max((each.requests_per_second for each in found), default=0.0)
        return [_compared(each, best) for each in found]

    def _select(self, ending: str, *values: Any, with_rounds: bool = True) -> list[BenchmarkResult]:
        statement = f"SELECT * FROM benchmark_results {ending}"  # noqa: S608  # clauses of this module
        with reading(self.path, busy_timeout_s=self.busy_timeout_s) as connection:
            found = rows.rows(connection, statement, *values)
            return [rows.get(connection, row, with_rounds=with_rounds) for row in found]


def _compared(result: BenchmarkResult, best_per_s: float) -> Comparison:
    return {
        "id": result.id,
        "name": result.name,
        "client_library": result.client_library,
        "requests_per_second": result.requests_per_second,
        "avg_response_time": result.avg_response_time,
        "p99_response_time": result.p99_response_time,
        "error_rate": result.error_rate,
        "cpu_usage_avg": result.cpu_usage_avg,
        "memory_usage_avg": result.memory_usage_avg,
        "of_best": result.requests_per_second / best_per_s if best_per_s > 0 else 0.0,
    }
