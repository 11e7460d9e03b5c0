"""Each variable is read, checked, and changes what it is said to change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.errors import UsageError
from http_benchmark.settings import PREFIX, Settings, read_settings
from http_benchmark.storage.store import ResultStorage

URL = "http://127.0.0.1:8000/"
DEFAULTS = {
    "DEFAULT_CONCURRENCY": 10,
    "DEFAULT_DURATION_SECONDS": 30.0,
    "MAX_CONCURRENCY": 10_000,
    "SQLITE_DB_PATH": "benchmark_results.db",
    "RESOURCE_MONITORING_INTERVAL": 0.1,
}


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch):
    for name in DEFAULTS:
        monkeypatch.delenv(PREFIX + name, raising=False)


def test_the_defaults_are_the_documented_ones():
    found = read_settings()

    assert {name.upper(): value for name, value in found._asdict().items()} == DEFAULTS
    assert read_settings({}) == found == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DEFAULT_CONCURRENCY", "20", 20),
        ("DEFAULT_CONCURRENCY", " 20 ", 20),
        ("DEFAULT_DURATION_SECONDS", "5", 5.0),
        ("DEFAULT_DURATION_SECONDS", "0.25", 0.25),
        ("MAX_CONCURRENCY", "50", 50),
        ("SQLITE_DB_PATH", "some folder/r.db", "some folder/r.db"),
        ("RESOURCE_MONITORING_INTERVAL", "1e-2", 0.01),
    ],
)
def test_a_variable_is_read(monkeypatch, name, text, value):
    monkeypatch.setenv(PREFIX + name, text)

    found = getattr(read_settings(), name.lower())
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if isinstance(value, int)])
@pytest.mark.parametrize("text", ["0", "-1", "ten", "1.5", "", "nan", "1e3", "0x10"])
def test_a_number_of_things_is_a_whole_number_above_0(name, text):
    with pytest.raises(UsageError) as told:
        read_settings({PREFIX + name: text})

    assert str(told.value) == f"{PREFIX}{name} is {text!r}, but must be a whole number above 0"


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if isinstance(value, float)])
@pytest.mark.parametrize("text", ["0", "-0.5", "soon", "", "nan", "inf", "-inf", "5s"])
def test_a_time_is_a_number_of_seconds_above_0(name, text):
    with pytest.raises(UsageError) as told:
        read_settings({PREFIX + name: text})

    assert str(told.value) == f"{PREFIX}{name} is {text!r}, but must be a number of seconds above 0"


@pytest.mark.parametrize("text", ["", "  "])
def test_a_path_is_not_empty(text):
    with pytest.raises(UsageError, match=r"SQLITE_DB_PATH is empty; unset it for 'benchmark_results.db'"):
        read_settings({PREFIX + "SQLITE_DB_PATH": text})


def test_the_default_concurrency_is_not_over_the_maximum():
    with pytest.raises(UsageError, match=r"DEFAULT_CONCURRENCY is 10, more than .*MAX_CONCURRENCY, 5"):
        read_settings({PREFIX + "MAX_CONCURRENCY": "5"})


def test_they_are_read_when_they_are_asked_for(monkeypatch):
    assert BenchmarkConfiguration(url=URL).concurrency == 10
    monkeypatch.setenv("HTTP_BENCHMARK_DEFAULT_CONCURRENCY", "3")
    assert BenchmarkConfiguration(url=URL).concurrency == 3


def test_the_defaults_of_a_configuration_come_from_them(monkeypatch):
    monkeypatch.setenv("HTTP_BENCHMARK_DEFAULT_DURATION_SECONDS", "2.5")
    monkeypatch.setenv("HTTP_BENCHMARK_RESOURCE_MONITORING_INTERVAL", "0.5")

    found = BenchmarkConfiguration(url=URL)
    assert (found.duration_s, found.monitoring_interval_s) == (2.5, 0.5)
    given = BenchmarkConfiguration(url=URL, concurrency=7, duration_s=1.5, monitoring_interval_s=0.25)
    assert (given.concurrency, given.duration_s, given.monitoring_interval_s) == (7, 1.5, 0.25)


def test_the_maximum_holds_for_what_is_asked(monkeypatch):
    BenchmarkConfiguration(url=URL, concurrency=10_000)
    with pytest.raises(UsageError, match="concurrency 10001 is over the maximum of 10000"):
        BenchmarkConfiguration(url=URL, concurrency=10_001)
    monkeypatch.setenv("HTTP_BENCHMARK_MAX_CONCURRENCY", "10001")
    BenchmarkConfiguration(url=URL, concurrency=10_001)


def test_the_store_is_where_it_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_BENCHMARK_SQLITE_DB_PATH", str(tmp_path / "mine.db"))

    assert ResultStorage().path == tmp_path / "mine.db"
    assert ResultStorage(tmp_path / "other.db").path == tmp_path / "other.db"


def call(tmp_path, *words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "http_benchmark", *words],
        cwd=tmp_path,
        env=os.environ | variables | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_measurement_goes_by_them(tmp_path):
    """Each of them in one: concurrency, duration, interval and path."""
    done = call(
        tmp_path,
        *("--client", "http.client", "--json", "--no-report", "--quiet"),
        HTTP_BENCHMARK_DEFAULT_CONCURRENCY="3",
        HTTP_BENCHMARK_DEFAULT_DURATION_SECONDS="0.6",
        HTTP_BENCHMARK_RESOURCE_MONITORING_INTERVAL="0.02",
        HTTP_BENCHMARK_SQLITE_DB_PATH="mine.db",
    )

    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["concurrency_level"] == 3
    assert found["duration"] == pytest.approx(0.6, rel=0.5)
    assert len(found["rounds"][0]["generator"]["samples"]) > 0.6 / 0.1  # more than the default gives
    assert [each.id for each in ResultStorage(tmp_path / "mine.db").get_all_results()] == [found["id"]]
    assert [each.name for each in tmp_path.iterdir()] == ["mine.db"]


def test_the_command_refuses_more_than_the_maximum(tmp_path):
    done = call(tmp_path, "--concurrency", "12", HTTP_BENCHMARK_MAX_CONCURRENCY="11")

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "concurrency 12 is over the maximum of 11; HTTP_BENCHMARK_MAX_CONCURRENCY sets another" in done.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_a_wrong_one_in_one_line(tmp_path):
    done = call(tmp_path, "history", HTTP_BENCHMARK_DEFAULT_CONCURRENCY="many")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "http-benchmark: HTTP_BENCHMARK_DEFAULT_CONCURRENCY is 'many', but must be a whole number above 0\n"
    )
    assert list(tmp_path.iterdir()) == []
