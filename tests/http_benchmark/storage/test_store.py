from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Resources, Round, Sample, Second
from http_benchmark.storage import rows, schema
from http_benchmark.storage.database import writing
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result, make_result

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path):
    return ResultStorage(tmp_path / "results.db")


def query(store, statement):
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_a_result_comes_back_as_it_went_in(store):
    result = make_full_result()

    assert store.save_result(result) == result.id
    assert store.get_result_by_id(result.id) == result


def test_the_made_result_leaves_no_field_at_its_default():
    """Else the test above would not see a field that is not stored."""
    result = make_full_result()
    whole, plain = result.rounds[0], Round(number=9, started_at=0.0, duration_s=0.0)

    assert [
        each.name for each in fields(Round) if getattr(whole, each.name) == getattr(plain, each.name)
    ] == []
    used, none = whole.generator, Resources(cpu_s=0.0)
    assert [each.name for each in fields(used) if getattr(used, each.name) == getattr(none, each.name)] == []
    assert 0 not in [getattr(used.samples[0], each.name) for each in fields(Sample)]
    assert [each.name for each in fields(result) if getattr(result, each.name) in (None, [], {}, "")] == []


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("benchmark_results", rows.RESULT_FIELDS),
        ("rounds", rows.ROUND_FIELDS),
        ("seconds", [each.name for each in fields(Second) if each.name != "latency"]),
        ("resources", [each.name for each in fields(Resources) if each.name != "samples"]),
        ("resource_samples", [each.name for each in fields(Sample)]),
        ("histograms", [name for name in Histogram.__slots__ if name != "counts"]),
    ],
)
def test_every_field_has_its_column(table, names):
    connection = sqlite3.connect(":memory:")
    schema.migrate(connection)

    assert set(names) <= set(schema.columns_of(connection, table))
    connection.close()


@given(st.lists(st.integers(0, 2**63 - 1), max_size=50))
def test_any_histogram_is_packed_without_loss(values):
    histogram = Histogram(values)

    assert rows.unpack(rows.pack(histogram)) == histogram


def test_the_table_begins_with_the_columns_of_the_reference(store):
    store.save_result(make_result())

    names = [row[1] for row in query(store, "PRAGMA table_info(benchmark_results)")]
    assert tuple(names[: len(schema.REFERENCE_COLUMNS)]) == schema.REFERENCE_COLUMNS
    assert " ".join(schema.REFERENCE_COLUMNS) == (
        "id name client_library client_type http_method url start_time end_time duration requests_count "
        "requests_per_second avg_response_time p95_response_time p99_response_time cpu_usage_avg memory_usage_avg "
        "error_count error_rate concurrency_level config_snapshot created_at"
    )


def test_units_of_the_columns(store):
    """Ten workers, 10 ms each request: 1000/s, 0.01 s. 42.5 MB are 42,500,000 octets. 50 of 1050 are 4.76 %."""
    result = make_result(errors=10, spread=0.0, rounds=5)
    result.rounds[0].generator = Resources(0.05, [Sample(0.0, 50.0, rss_mb=42_500_000 / 10**6)])
    store.save_result(result)

    (found,) = query(
        store,
        "SELECT requests_per_second, avg_response_time, p99_response_time, memory_usage_avg, cpu_usage_avg, error_rate, "
        "typeof(id), start_time, config_snapshot FROM benchmark_results",
    )
    assert found[0] == pytest.approx(1000, rel=0.02)
    assert found[1] == pytest.approx(0.010, rel=0.02)
    assert found[2] == pytest.approx(0.012, rel=0.02)
    assert found[3] == 42.5
    assert found[4] == pytest.approx(100 * 0.05 / result.rounds[0].duration_s, rel=0.02)
    assert found[5] == pytest.approx(100 * 50 / 1050)
    assert found[6] == "text"
    assert datetime.fromisoformat(found[7]) == datetime.fromtimestamp(1_790_000_000.25, UTC)
    assert json.loads(found[8])["headers"] == {"Accept": "*/*"}


def test_the_documented_sql_runs(store):
    for client, median_ms in (("httpx", 10.0), ("httpx", 12.0), ("aiohttp", 5.0)):
        store.save_result(make_result(client=client, median_ms=median_ms, spread=0.0))

    found = query(
        store,
        "SELECT client_library, AVG(requests_per_second), AVG(avg_response_time) FROM benchmark_results "
        "GROUP BY client_library ORDER BY client_library",
    )
    assert [row[0] for row in found] == ["aiohttp", "httpx"]
    assert found[0][1:] == pytest.approx((2000, 0.005), rel=0.02)
    assert found[1][1:] == pytest.approx(((1000 + 1000 / 1.2) / 2, 0.011), rel=0.02)


def test_what_nobody_knows_is_null_and_nan(store):
    store.save_result(make_full_result(p9999_response_time=nan, cpu_usage_avg=None))

    (found,) = store.get_all_results()
    assert query(store, "SELECT p9999_response_time, cpu_usage_avg FROM benchmark_results") == [(None, None)]
    assert isnan(found.p9999_response_time)
    assert found.cpu_usage_avg is None


def test_results_are_found_newest_first_by_name_client_and_time(store):
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    made = [
        make_full_result(
            id=f"{number:08}-0000",
            name=f"name {number % 2}",
            client_library=f"client {number % 3}",
            created_at=(begin + timedelta(days=number)).isoformat(),
        )
        for number in range(6)
    ]
    for result in (made[3], made[0], made[5], made[1], made[4], made[2]):
        store.save_result(result)

    def numbers(**conditions):
        return [int(each.id[:8]) for each in store.find_results(**conditions)]

    assert store.get_all_results() == made[::-1]
    assert store.get_all_results(2) == [made[5], made[4]]
    assert store.get_results_by_name("name 1") == [made[5], made[3], made[1]]
    assert store.get_results_by_name("name") == []
    assert numbers(client="client 0") == [3, 0]
    assert numbers(since=begin + timedelta(days=4)) == [5, 4]
    assert numbers(since=datetime(2026, 5, 6)) == [5]  # noqa: DTZ001  # without a zone it is UTC
    assert numbers(name="name 0", client="client 2", since=begin) == [2]
    assert numbers(name="name 0", limit=1) == [4]
    assert all(not each.rounds and each.environment for each in store.find_results(with_rounds=False))


def test_a_result_is_found_by_the_beginning_of_its_id(store):
    for each in ("abc1", "abd2", "x%_3", "FE1", "FE10"):
        store.save_result(make_full_result(id=each))

    assert store.get_result_by_prefix("abc").id == "abc1"
    assert store.get_result_by_prefix("ABC1").id == "abc1"
    assert store.get_result_by_prefix("FE1").id == "FE1"
    assert store.get_result_by_prefix("fe10").id == "FE10"
    for prefix, said in (("ab", "several"), ("q", "no result"), ("", "no result"), ("%", "no result")):
        with pytest.raises(UsageError, match=said):
            store.get_result_by_prefix(prefix)


def test_results_are_compared_in_the_order_asked(store):
    fast, slow = (
        make_result(median_ms=10.0, spread=0.0),
        make_result(client="requests", median_ms=20.0, spread=0.0),
    )
    for each in (fast, slow):
        store.save_result(each)

    compared = store.compare_results([slow.id, fast.id])

    assert [row["client_library"] for row in compared] == ["requests", "httpx"]
    assert [row["of_best"] for row in compared] == [pytest.approx(0.5, rel=0.02), 1.0]
    assert compared[1]["requests_per_second"] == fast.requests_per_second
    with pytest.raises(UsageError, match=r"no result in .* has the id 'nobody'"):
        store.compare_results([fast.id, "nobody"])


def test_a_store_without_a_file_is_empty_and_makes_none(store):
    assert store.get_all_results() == []
    assert store.get_result_by_id("x") is None
    assert list(store.path.parent.iterdir()) == []


def test_the_path_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_BENCHMARK_SQLITE_DB_PATH", str(tmp_path / "mine.db"))
    ResultStorage().save_result(make_result())

    assert ResultStorage(tmp_path / "mine.db").get_all_results(1)
    monkeypatch.delenv("HTTP_BENCHMARK_SQLITE_DB_PATH")
    assert ResultStorage().path == Path("benchmark_results.db")


@pytest.mark.parametrize("name", ["a?b=c&d.db", "a#b%20c.db", "ünï 'quoted\".db", ":memory:", "-flag.db"])
def test_a_file_may_have_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    result = make_full_result()
    ResultStorage(name).save_result(result)

    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert ResultStorage(name).get_all_results() == [result]


def test_the_same_result_is_not_stored_twice(store):
    result = make_full_result()
    store.save_result(result)

    with pytest.raises(StorageError, match=f"{result.id} is in it already"):
        store.save_result(result)
    assert store.get_all_results() == [result]


def test_the_log_beside_the_file_is_gone_after_each_call(store):
    store.save_result(make_result())
    store.get_all_results()

    assert [each.name for each in store.path.parent.iterdir()] == ["results.db"]
    assert query(store, "PRAGMA journal_mode") == [("wal",)]


def test_readers_read_while_one_writes(store):
    result = make_full_result()
    store.save_result(result)

    with writing(store.path) as connection:
        rows.put(connection, make_full_result())

        assert ResultStorage(store.path, busy_timeout_s=0.0).get_all_results() == [result]

    assert len(store.get_all_results()) == 2


def test_parts_go_with_their_result(store):
    result = make_full_result()
    store.save_result(result)
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("DELETE FROM benchmark_results")
    connection.commit()

    names = ("rounds", "histograms", "seconds", "resources", "resource_samples", "environment")
    left = [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names]
    connection.close()
    assert left == [(0,)] * len(names)


WRITER = """
import sys
from http_benchmark.storage.database import writing
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    ResultStorage(sys.argv[1]).save_result(make_full_result(name=sys.argv[2], id=f"{sys.argv[2]}-{number}"))
"""


def start(program, *words, **options):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_several_processes_write_at_once_into_a_file_that_none_has_made(store):
    writers = [start(WRITER, store.path, f"writer {number}", 8) for number in range(4)]
    for each in writers:
        assert each.stdout.readline() == "ready\n"
    for each in writers:
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in writers:
        assert each.communicate(timeout=60) == ("", "")
        assert each.returncode == 0

    found = store.get_all_results()
    assert sorted(each.id for each in found) == [
        f"writer {who}-{number}" for who in range(4) for number in range(8)
    ]
    assert all(each.rounds == make_full_result().rounds for each in found)


KILLED = """
import os, signal, sqlite3, sys
from http_benchmark.storage.database import writing
from http_benchmark.storage.store import ResultStorage
from http_benchmark.storage import database, rows
from tests.http_benchmark.made_results import make_full_result

left = int(sys.argv[2])
insert = rows._insert

def kill_at(connection, table, row):
    global left
    connection.execute("PRAGMA cache_size = 1")  # so that pages go to the disk before the end of the transaction
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    insert(connection, table, row)

rows._insert = kill_at
print("ready", flush=True)
sys.stdin.readline()
ResultStorage(sys.argv[1]).save_result(make_full_result())
"""


@pytest.mark.parametrize("inserted", [0, 1, 9, 20])
def test_a_process_that_is_killed_in_the_middle_leaves_nothing_half_stored(store, inserted):
    before = make_full_result()
    store.save_result(before)
    writer = start(KILLED, store.path, inserted)
    writer.communicate("go\n", timeout=60)

    assert writer.returncode == -9
    assert store.get_all_results() == [before]
    assert store.save_result(make_full_result())
    assert query(store, "SELECT count(*), count(DISTINCT result_id) FROM rounds") == [(6, 2)]
    assert query(store, "PRAGMA integrity_check") == [("ok",)]
    assert query(store, "PRAGMA foreign_key_check") == []
