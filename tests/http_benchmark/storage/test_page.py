"""The SQL of docs/benchmark-results.md runs, and its table of columns is the one there is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from http_benchmark.storage import schema
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_result

TEXT = (Path(__file__).parents[3] / "docs/benchmark-results.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def database(tmp_path):
    store = ResultStorage(tmp_path / "results.db")
    for client in ("httpx", "requests"):
        store.save_result(make_result(client=client, rounds=3))
    with closing(sqlite3.connect(store.path)) as connection:
        yield connection


def test_there_is_sql_on_the_page():
    assert len(STATEMENTS) == 3


@pytest.mark.parametrize(("number", "rows"), [(0, 2), (1, 3), (2, 2)])
def test_the_sql_of_the_page_runs(database, number, rows):
    assert len(database.execute(STATEMENTS[number]).fetchall()) == rows


def test_the_page_names_every_column_and_table(database):
    for column in schema.columns_of(database, "benchmark_results"):
        assert f"`{column}`" in TEXT
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        assert f"`{table}`" in TEXT
