from __future__ import annotations

import sqlite3
from math import isnan

import pytest

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.storage import schema
from http_benchmark.storage.database import check_writable
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result

KINDS = {
    "duration": "REAL",
    "requests_count": "INTEGER",
    "error_count": "INTEGER",
    "concurrency_level": "INTEGER",
}
FIGURES = (
    *KINDS,
    "requests_per_second",
    "avg_response_time",
    "p95_response_time",
    "p99_response_time",
    "error_rate",
)


def make_reference(path, *, more="", rows=2):
    """Make a database as the reference schema has it: no version, figures NOT NULL, created_at without zone."""
    connection = sqlite3.connect(path)
    columns = [
        f"{name} {'TEXT' if name not in FIGURES else KINDS.get(name, 'REAL')} NOT NULL"
        for name in schema.REFERENCE_COLUMNS
        if name not in {"id", "created_at"}
    ]
    connection.execute(
        f"CREATE TABLE benchmark_results (id TEXT PRIMARY KEY, {', '.join(columns)}, "
        f"created_at TEXT DEFAULT CURRENT_TIMESTAMP{more})"
    )
    for number in range(rows):
        connection.execute(
            "INSERT INTO benchmark_results (id, name, client_library, client_type, http_method, url, start_time, "
            "end_time, duration, requests_count, requests_per_second, avg_response_time, p95_response_time, "
            "p99_response_time, cpu_usage_avg, memory_usage_avg, error_count, error_rate, concurrency_level, "
            "config_snapshot, created_at) VALUES (?, 'old', 'requests', 'sync', 'GET', 'http://x/', "
            "'2024-01-01T10:00:00', '2024-01-01T10:00:30', 30.0, 1000, 33.3, 0.25, 0.5, 0.75, 12.5, 55.0, 0, 0.0, 10, "
            "'{\"timeout\": 30}', ?)",
            (f"id-{number}", f"2024-01-01 10:00:3{number}"),
        )
    connection.commit()
    connection.close()


def tables(path):
    connection = sqlite3.connect(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


def execute(path, *statements):
    connection = sqlite3.connect(path)
    for each in statements:
        connection.execute(each)
    connection.commit()
    connection.close()


def test_a_database_of_the_reference_schema_keeps_its_rows(tmp_path):
    path = tmp_path / "old.db"
    make_reference(path)
    store = ResultStorage(path)

    second, first = store.get_all_results()

    assert (first.id, second.id) == ("id-0", "id-1")
    assert (first.name, first.client_library, first.requests_count, first.memory_usage_avg) == (
        "old",
        "requests",
        1000,
        55.0,
    )
    assert (first.requests_per_second, first.p95_response_time, first.p99_response_time) == (33.3, 0.5, 0.75)
    assert first.config_snapshot == {"timeout": 30}
    assert first.created_at == "2024-01-01T10:00:30+00:00"
    assert isnan(first.p50_response_time)
    assert (first.rounds, first.environment, first.warnings) == ([], {}, [])
    new = make_full_result(cpu_usage_avg=None)
    store.save_result(new)
    assert [each.id for each in store.get_all_results()] == [new.id, "id-1", "id-0"]
    assert "benchmark_results_version_0" not in tables(path)


def test_columns_we_do_not_have_stay_in_a_table_of_their_own(tmp_path):
    path = tmp_path / "old.db"
    make_reference(path, more=", min_response_time REAL DEFAULT 0.125, network_io TEXT NOT NULL DEFAULT '{}'")

    assert [each.min_response_time for each in ResultStorage(path).get_all_results()] == [0.125, 0.125]

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT id, network_io FROM benchmark_results_version_0").fetchall() == [
        ("id-0", "{}"),
        ("id-1", "{}"),
    ]
    connection.close()


def test_a_migration_that_fails_leaves_all_as_it_was(tmp_path):
    path = tmp_path / "old.db"
    make_reference(path)
    execute(path, "CREATE TABLE rounds (mine)")  # in the way of ours
    before = path.read_bytes()

    with pytest.raises(StorageError, match="rounds already exists"):
        ResultStorage(path).get_all_results()

    execute(path, "PRAGMA journal_mode = DELETE", "PRAGMA wal_checkpoint")
    assert tables(path) == {"benchmark_results", "rounds"}
    assert len(path.read_bytes()) == len(before)


def test_an_empty_file_is_an_empty_database(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()

    check_writable(path)
    assert ResultStorage(path).get_all_results() == []
    ResultStorage(path).save_result(make_full_result())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            [f"PRAGMA application_id = {schema.APPLICATION_ID}", "PRAGMA user_version = 99"],
            "version 99 of the schema",
        ),
        (["PRAGMA user_version = 1", "CREATE TABLE a (b)"], "of another program"),
        (["PRAGMA application_id = 5"], "of another program"),
        (["CREATE TABLE users (name)"], "no table benchmark_results"),
        (["CREATE TABLE benchmark_results (id, name)"], "lacks client_library, client_type"),
    ],
    ids=["newer", "version of another", "id of another", "other tables", "other columns"],
)
def test_a_database_that_is_none_of_ours_is_refused_and_not_changed(tmp_path, made, said):
    path = tmp_path / "some.db"
    execute(path, *made)
    before = path.read_bytes()
    store = ResultStorage(path)

    with pytest.raises(StorageError, match=said) as reading:
        store.get_all_results()
    with pytest.raises(StorageError, match=said):
        store.save_result(make_full_result())
    with pytest.raises(UsageError, match=said):
        check_writable(path)

    assert str(path) in str(reading.value)
    assert "\n" not in str(reading.value)
    assert path.read_bytes() == before


def test_sql_reads_the_environment(tmp_path):
    store = ResultStorage(tmp_path / "results.db")
    store.save_result(make_full_result())
    statement = "SELECT json_extract(value, '$.aiohttp') FROM environment WHERE key = 'libraries'"

    connection = sqlite3.connect(store.path)
    assert connection.execute(statement).fetchall() == [("3.9.1",)]
    connection.close()
