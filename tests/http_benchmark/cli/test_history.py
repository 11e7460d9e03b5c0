from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from http_benchmark.cli import main
from http_benchmark.cli.history import read_moment, sparkline
from http_benchmark.errors import UsageError
from http_benchmark.export.json_form import dump, from_json
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result, make_result
from tests.http_benchmark.storage.test_schema import make_reference

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTTP_BENCHMARK_SQLITE_DB_PATH", raising=False)
    return ResultStorage(tmp_path / "benchmark_results.db")


def keep(store, **changes):
    """Keep a result; `days` ago it was made."""
    days = changes.pop("days", 0)
    result = make_result(**changes)
    result.created_at = (NOW - timedelta(days=days)).isoformat()
    store.save_result(result)
    return result


def call(capsys, *words):
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_results_are_listed_the_newest_last(store, capsys):
    old = keep(store, name="checkout", client="httpx", days=2)
    new = keep(store, name="search", client="aiohttp", median_ms=20.0, spread=0.0, errors=2)

    code, out, err = call(capsys, "history")

    head, first, second = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split() == [
        "id",
        "when",
        "(UTC)",
        "name",
        "client",
        "requests/s",
        "mean",
        "ms",
        "p50",
        "ms",
        "p99",
        "ms",
        "errors",
        "%",
    ]
    assert first.split()[:6] == [
        old.id[:8],
        "2026-11-18",
        "12:30",
        "checkout",
        "httpx",
        f"{old.requests_per_second:,.0f}",
    ]
    assert second.split()[:5] == [new.id[:8], "2026-11-20", "12:30", "search", "aiohttp"]
    assert float(second.split()[6]) == pytest.approx(20, rel=0.02)
    assert second.split()[-1] == "0.99"


def test_a_trend_is_told_of_what_was_measured_more_than_once(store, capsys):
    for number in range(6):
        keep(store, seed=number, spread=0.0, days=10 - number)
    keep(store, median_ms=12.5, spread=0.0, environment={"cpu_model": "another CPU", "python": "3.12.1"})
    keep(store, name="once")

    _, out, _ = call(capsys, "history")

    paragraph = out.split("\n\n")[1].splitlines()
    assert paragraph[0].startswith("checkout, httpx sync: ")
    assert paragraph[0].split()[3][-1] == "▁"
    assert paragraph[0].endswith(
        "-20 % against the median of 6 earlier runs: worse than they would lead to expect"
    )
    assert paragraph[1:] == ["  cpu model was a CPU and is another CPU"]
    assert "once, httpx" not in out

    _, out, _ = call(capsys, "history", "--metric", "p99")
    assert "+25 % against the median of 6 earlier runs: worse" in out


def test_results_are_chosen(store, capsys):
    kept = [
        keep(store, name=f"name {number % 2}", client=("httpx", "requests")[number % 2], days=5 - number)
        for number in range(5)
    ]

    def listed(*words):
        return [
            line.split()[0] for line in call(capsys, "history", *words)[1].split("\n\n")[0].splitlines()[1:]
        ]

    ids = [each.id[:8] for each in kept]
    assert listed() == ids
    assert listed("--name", "name 1") == listed("--client", "requests") == [ids[1], ids[3]]
    assert listed("--since", "2026-11-17") == ids[2:]
    assert listed("--limit", "2") == ids[3:]
    assert listed("--name", "name 0", "--limit", "1") == ids[4:]
    assert call(capsys, "history", "--name", "nobody") == (0, "", "no results\n")


def test_only_the_newest_are_listed_unless_more_are_asked_for(store, capsys):
    for number in range(23):
        keep(store, rounds=1, requests=1, seed=number)

    assert len(call(capsys, "history")[1].split("\n\n")[0].splitlines()) == 21
    assert len(call(capsys, "history", "--limit", "22")[1].split("\n\n")[0].splitlines()) == 23
    assert len(call(capsys, "history", "--csv")[1].splitlines()) == 24


def test_json_has_all_of_them(store, capsys):
    result = make_full_result()
    store.save_result(result)

    code, out, err = call(capsys, "history", "--json")

    assert (code, err) == (0, "")
    assert [from_json(each) for each in json.loads(out)] == [result]


def test_csv_has_a_line_for_each(store, capsys):
    result = make_full_result()
    store.save_result(result)

    out = call(capsys, "history", "--csv")[1]

    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert (row["id"], row["name"]) == (result.id, result.name)


def test_results_of_an_earlier_tool_are_listed_with_what_they_have(store, capsys):
    make_reference(store.path)

    _, out, _ = call(capsys, "history")

    assert out.splitlines()[1].split() == [
        "id-0",
        "2024-01-01",
        "10:00",
        "old",
        "requests",
        "33.3",
        "250",
        "-",
        "750",
        "0",
    ]


def test_names_are_harmless(store, capsys):
    keep(store, name="a\x1b[31m\nred token=hunter2")

    out = call(capsys, "history")[1]

    assert "\x1b" not in out
    assert "hunter2" not in out
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "0"], "limit is 0, but must be above 0"),
        (["--limit", "-1", "--json"], "limit is -1, but must be above 0"),
        (["--limit", "x"], "invalid int value"),
        (["--since", "soon"], "--since 'soon' is no time, such as 2026-11-01, 2026-11-01T12:00 or 7d"),
        (["--metric", "p98"], "there is no metric 'p98'"),
        (["--metric", "server-cpu"], "CPU of the server is kept of each round, and not of a result"),
        (["--json", "--csv"], "not allowed with"),
        (["--database", "other.db"], "other.db does not exist: nothing was kept there"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_call_is_told_in_one_line(store, capsys, words, said):
    keep(store)

    code, out, err = call(capsys, "history", *words)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_results_of_files_are_put_into_the_database_once(store, capsys, tmp_path):
    results = [make_full_result(), make_result()]
    (tmp_path / "one.json").write_text(dump(results[:1]))
    (tmp_path / "both.json").write_text(dump(results))

    code, out, err = call(capsys, "history", "--add", "one.json", "--add", "both.json")

    assert (code, err) == (0, "one.json: 1 added\nboth.json: 1 added, 1 were there already\n")
    assert len(out.splitlines()) == 3
    assert {each.id: each for each in store.get_all_results()} == {each.id: each for each in results}


def test_a_file_that_holds_no_results_adds_nothing(store, capsys, tmp_path):
    (tmp_path / "none.json").write_text("{}")

    code, out, err = call(capsys, "history", "--add", "none.json")

    assert (code, out) == (2, "")
    assert (
        err == "http-benchmark: none.json: this JSON is no result: it has no format 'http-benchmark result'\n"
    )
    assert not store.path.exists()


def test_nothing_kept_so_far_is_told_and_makes_no_file(store, capsys):
    code, out, err = call(capsys, "history")

    assert (code, out) == (2, "")
    assert err == (
        "http-benchmark: benchmark_results.db does not exist: nothing was kept there; --database names another\n"
    )
    assert list(store.path.parent.iterdir()) == []


def test_a_file_that_is_no_database_is_told(store, capsys):
    store.path.write_text("no database, but a text that is long enough to look at" * 20)

    code, out, err = call(capsys, "history")

    assert (code, out) == (1, "")
    assert "the database benchmark_results.db: it is no SQLite database" in err


@pytest.mark.parametrize(("width", "has_mean"), [(120, True), (80, False)])
def test_lines_fit_a_terminal(store, width, has_mean):
    keep(
        store,
        name="http.client GET http://127.0.0.1:8000/some/long/path?with=a&query=too",
        client="http.client",
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

    done = subprocess.run(
        [sys.executable, "-m", "http_benchmark", "history"],
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        stdout=theirs,
        timeout=60,
        check=False,
    )

    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        head, row = screen.read(10_000).decode().split("\r\n")[:2]
    assert done.returncode == 0
    assert max(len(head), len(row)) <= width
    assert ("mean ms" in head) == has_mean
    assert "http.cl" in row
    assert "…" in row


def test_a_terminal_without_utf8_gets_no_bars(store):
    for number in range(3):
        keep(store, name="ünï", seed=number)

    done = subprocess.run(
        [sys.executable, "-m", "http_benchmark", "history"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?n?, httpx sync:" in done.stdout


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T12:00+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("90min", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
    ],
)
def test_moments(text, moment):
    assert read_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "0d", "-1d", "7 d", "7x", "999999w", "2026-13-01", "yesterday"])
def test_what_is_no_moment(text):
    with pytest.raises(UsageError):
        read_moment(text, NOW)


def test_bars_go_from_the_least_to_the_greatest():
    assert sparkline([1, 2, 3, 8]) == "▁▂▃█"
    assert sparkline([5, 5]) == "▄▄"
    assert sparkline([]) == ""
    assert sparkline([float("nan"), 1, 2]) == " ▁█"
