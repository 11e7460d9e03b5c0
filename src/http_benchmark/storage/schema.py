"""The tables, and how a database of an earlier version becomes one of this.

`benchmark_results` begins with the columns of the reference schema, in its order; ours follow. A time is in
seconds, memory in MB (10**6 octets), a share in percent; figures nobody knows are NULL. `PRAGMA user_version`
is the version of the schema, `PRAGMA application_id` says that it is ours. Version 0 is a file without
tables, or one with the reference table alone, as others make it.

To change the schema: raise VERSION and add the step from the version before to `STEPS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from http_benchmark.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

VERSION: Final = 1
APPLICATION_ID: Final = 0x48425253  # "HBRS"

REFERENCE_COLUMNS: Final = (
    "id",
    "name",
    "client_library",
    "client_type",
    "http_method",
    "url",
    "start_time",
    "end_time",
    "duration",
    "requests_count",
    "requests_per_second",
    "avg_response_time",
    "p95_response_time",
    "p99_response_time",
    "cpu_usage_avg",
    "memory_usage_avg",
    "error_count",
    "error_rate",
    "concurrency_level",
    "config_snapshot",
    "created_at",
)

RESULTS: Final = """
CREATE TABLE benchmark_results (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    client_library TEXT NOT NULL,
    client_type TEXT NOT NULL,
    http_method TEXT NOT NULL,
    url TEXT NOT NULL,
    start_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    duration REAL,
    requests_count INTEGER,
    requests_per_second REAL,
    avg_response_time REAL,
    p95_response_time REAL,
    p99_response_time REAL,
    cpu_usage_avg REAL,
    memory_usage_avg REAL,
    error_count INTEGER,
    error_rate REAL,
    concurrency_level INTEGER,
    config_snapshot TEXT NOT NULL,
    created_at TEXT NOT NULL,
    min_response_time REAL,
    max_response_time REAL,
    stdev_response_time REAL,
    p50_response_time REAL,
    p90_response_time REAL,
    p999_response_time REAL,
    p9999_response_time REAL,
    warnings TEXT NOT NULL DEFAULT '[]'
)
"""

_PARTS: Final = (
    "CREATE INDEX results_by_name ON benchmark_results (name, created_at)",
    "CREATE INDEX results_by_time ON benchmark_results (created_at)",
    # `position` is the place in the result; `number` what the round says of itself
    """
CREATE TABLE rounds (
    result_id TEXT NOT NULL REFERENCES benchmark_results (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at REAL NOT NULL,
    duration_s REAL NOT NULL,
    requests INTEGER NOT NULL,
    errors TEXT NOT NULL,
    examples TEXT NOT NULL,
    late INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    in_flight_at_end INTEGER NOT NULL,
    connections_opened INTEGER,
    connections_reused INTEGER,
    octets_received INTEGER NOT NULL,
    octets_sent INTEGER NOT NULL,
    effective_concurrency REAL,
    was_interrupted INTEGER NOT NULL,
    PRIMARY KEY (result_id, position)
) WITHOUT ROWID
""",
    # `v2` has the counts as HdrHistogram's V2 text, beside it what that rounds; `total_ns` and `squares` are
    # decimal text, because they may pass what an INTEGER holds
    """
CREATE TABLE histograms (
    result_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    total INTEGER NOT NULL,
    min_ns INTEGER NOT NULL,
    max_ns INTEGER NOT NULL,
    total_ns TEXT NOT NULL,
    squares TEXT NOT NULL,
    v2 TEXT NOT NULL,
    PRIMARY KEY (result_id, position, kind),
    FOREIGN KEY (result_id, position) REFERENCES rounds (result_id, position) ON DELETE CASCADE
)
""",
    """
CREATE TABLE seconds (
    result_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    place INTEGER NOT NULL,
    offset_s INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    total INTEGER NOT NULL,
    min_ns INTEGER NOT NULL,
    max_ns INTEGER NOT NULL,
    total_ns TEXT NOT NULL,
    squares TEXT NOT NULL,
    v2 TEXT NOT NULL,
    PRIMARY KEY (result_id, position, place),
    FOREIGN KEY (result_id, position) REFERENCES rounds (result_id, position) ON DELETE CASCADE
)
""",
    # `whose` is generator or server
    """
CREATE TABLE resources (
    result_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    whose TEXT NOT NULL,
    cpu_s REAL NOT NULL,
    user_s REAL NOT NULL,
    system_s REAL NOT NULL,
    rss_mb_mean REAL NOT NULL,
    rss_mb_max REAL NOT NULL,
    PRIMARY KEY (result_id, position, whose),
    FOREIGN KEY (result_id, position) REFERENCES rounds (result_id, position) ON DELETE CASCADE
) WITHOUT ROWID
""",
    """
CREATE TABLE resource_samples (
    result_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    whose TEXT NOT NULL,
    place INTEGER NOT NULL,
    offset_s REAL NOT NULL,
    cpu_percent REAL NOT NULL,
    rss_mb REAL NOT NULL,
    threads INTEGER NOT NULL,
    context_switches INTEGER NOT NULL,
    read_mb REAL NOT NULL,
    written_mb REAL NOT NULL,
    PRIMARY KEY (result_id, position, whose, place),
    FOREIGN KEY (result_id, position, whose)
        REFERENCES resources (result_id, position, whose) ON DELETE CASCADE
) WITHOUT ROWID
""",
    # `value` is JSON: `json_extract(value, '$')` gives its text or number
    """
CREATE TABLE environment (
    result_id TEXT NOT NULL REFERENCES benchmark_results (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (result_id, place)
) WITHOUT ROWID
""",
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of its schema; StorageError where it is none of ours or a newer one."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if (version and application != APPLICATION_ID) or (application and application != APPLICATION_ID):
        raise StorageError("it is the database of another program")
    if version > VERSION:
        raise StorageError(
            f"it has version {version} of the schema, and this http-benchmark knows {VERSION}: upgrade it"
        )
    if version == 0:
        _check_reference(connection)
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Make it a database of this version, in a transaction of the caller. Rows stay."""
    for version in range(version_of(connection), VERSION):
        STEPS[version](connection)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _check_reference(connection: sqlite3.Connection) -> None:
    """A database without a version is empty or has the reference table."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return
    if "benchmark_results" not in tables:
        raise StorageError("it is the database of another program: it has no table benchmark_results")
    missing = [name for name in REFERENCE_COLUMNS if name not in columns_of(connection, "benchmark_results")]
    if missing:
        raise StorageError(f"its table benchmark_results lacks {', '.join(missing)}")


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of a table's columns, in their order."""
    return [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _begin(connection: sqlite3.Connection) -> None:
    """From nothing, or from the reference table, whose columns may be stricter than ours (NOT NULL where
    nothing was watched) and more (these stay in a table of their own).
    """
    found = columns_of(connection, "benchmark_results")
    if found:
        connection.execute("ALTER TABLE benchmark_results RENAME TO benchmark_results_version_0")
    connection.execute(RESULTS)
    for statement in _PARTS:
        connection.execute(statement)
    if not found:
        return
    known = columns_of(connection, "benchmark_results")
    names = ", ".join(name for name in known if name in found)
    # CURRENT_TIMESTAMP is UTC without saying so
    values = names.replace(
        "created_at",
        "CASE WHEN created_at IS NULL THEN start_time "
        "WHEN created_at LIKE '____-__-__ __:__:__' THEN replace(created_at, ' ', 'T') || '+00:00' "
        "ELSE created_at END",
    )
    connection.execute(
        f"INSERT INTO benchmark_results ({names}) SELECT {values} FROM benchmark_results_version_0"  # noqa: S608  # names of our own columns
    )
    if set(found) <= set(known):
        connection.execute("DROP TABLE benchmark_results_version_0")


STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_begin,)
"""The step from each version to the next."""
