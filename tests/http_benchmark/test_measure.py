"""The flat form, as its users call it: a process, the embedded target, files."""

from __future__ import annotations

import csv
import io
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from http_benchmark.cli import main
from http_benchmark.targets.embedded import PATHS, embedded
from tests.http_benchmark.cli_runs import run

SHORT = ("--duration", "0.3", "--warmup", "0", "--concurrency", "2", "--quiet")


def rows(folder, text="SELECT * FROM benchmark_results"):
    with closing(sqlite3.connect(folder / "work" / "benchmark_results.db")) as database:
        return database.execute(text).fetchall()


def files(folder):
    return sorted(path.name for path in (folder / "work").iterdir())


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """The first command of somebody new, with nothing set up."""
    folder = tmp_path_factory.mktemp("newcomer")
    return folder, run(folder, "--compare", "requests", "httpx", "aiohttp", "--duration", "2", code=0)


def test_the_first_command_needs_no_server_and_ends_with_table_verdict_and_report(newcomer):
    folder, ran = newcomer

    for name in ("requests", "httpx", "aiohttp"):
        assert name in ran.out
    assert "slower than" in ran.out or "faster than" in ran.out or "no significant difference" in ran.out
    [report] = [line.removeprefix("report: ") for line in ran.out.splitlines() if line.startswith("report: ")]
    assert report.startswith(str(folder / "state"))
    assert "plotly" in Path(report).read_text("utf-8").lower()


def test_only_the_database_is_left_in_the_working_folder(newcomer):
    folder, ran = newcomer

    assert files(folder) == ["benchmark_results.db"]
    assert "saved:  benchmark_results.db" in ran.out


def test_the_documented_query_gives_rate_and_latency_by_client(newcomer):
    folder, _ = newcomer

    found = rows(
        folder,
        "SELECT client_library, AVG(requests_per_second), AVG(avg_response_time) "
        "FROM benchmark_results GROUP BY client_library ORDER BY client_library",
    )

    assert [row[0] for row in found] == ["aiohttp", "httpx", "requests"]
    assert all(rate > 0 and 0 < mean_s < 1 for _, rate, mean_s in found)


def test_sync_and_async_clients_run_each_in_its_natural_mode(newcomer):
    folder, _ = newcomer

    found = dict(rows(folder, "SELECT client_library, client_type FROM benchmark_results"))

    assert found == {"requests": "sync", "httpx": "sync", "aiohttp": "async"}


def test_progress_goes_to_stderr_in_plain_lines(newcomer):
    _, ran = newcomer

    assert "aiohttp" in ran.err
    assert "\x1b" not in ran.err + ran.out


@pytest.fixture(scope="module")
def target():
    with embedded() as started:
        yield started


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call the command in this process, in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*words):
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_json_on_stdout_is_nothing_but_json(call, target, tmp_path):
    code, out, _ = call("--url", f"{target.url}get", *SHORT, "--json", "--no-report", "--no-save")

    [result] = json.loads(out)
    assert code == 0
    assert result["client_library"] == "http.client"
    assert result["requests_count"] > 0
    assert list(tmp_path.iterdir()) == []


def test_csv_on_stdout_is_nothing_but_csv(call, target):
    _, out, _ = call("--url", f"{target.url}get", *SHORT, "--csv", "--no-report", "--no-save")

    [row] = csv.DictReader(io.StringIO(out))
    assert float(row["requests_per_second"]) > 0


@pytest.mark.parametrize("name", ["out.json", "out.csv", "out.html", "out.db"])
def test_output_writes_what_its_ending_says(name, call, target, tmp_path):
    saves = [] if name == "out.db" else ["--no-save"]

    code, _, err = call("--url", f"{target.url}get", *SHORT, "--output", name, "--no-report", *saves)

    assert code == 0, err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    content = (tmp_path / name).read_bytes()
    assert {
        "out.json": content.startswith(b"["),
        "out.csv": content.startswith(b"id,"),
        "out.html": content.lower().startswith(b"<!doctype html>"),
        "out.db": content.startswith(b"SQLite format 3"),
    }[name]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "STREAM"])
def test_every_method_is_measured(method, call, target):
    path = PATHS.get(method, "get")
    words = ["--url", target.url + path, "--method", method, "--requests", "5", "--warmup", "0"]
    if method in {"POST", "PUT", "PATCH"}:
        words += ["--body", '{"item": "valve"}', "--headers", '{"Content-Type": "application/json"}']

    code, out, err = call(*words, "--concurrency", "1", "--json", "--no-report", "--no-save", "--quiet")

    assert code == 0, err
    [result] = json.loads(out)
    assert (result["requests_count"], result["error_count"], result["http_method"]) == (5, 0, method)


def test_each_method_has_a_path_of_the_embedded_target(tmp_path):
    words = ["--method", "DELETE", "--requests", "5", "--warmup", "0", "--no-report", "--no-save", "--json"]

    ran = run(tmp_path, *words, code=0)

    assert json.loads(ran.out)[0]["requests_count"] == 5


def test_modes_choose_how_a_client_runs(call, target):
    words = ["--url", f"{target.url}get", *SHORT, "--client", "httpx", "--no-report", "--no-save"]

    _, out, _ = call(*words, "--modes", "sync,async", "--json")

    assert {result["client_type"] for result in json.loads(out)} == {"sync", "async"}


def test_an_open_loop_tells_what_was_late(call, target):
    words = ["--url", f"{target.url}get", *SHORT, "--rate", "50", "--no-report", "--no-save"]

    code, out, _ = call(*words)

    assert code == 0
    assert "50" in out
    assert "corrected" in out


def test_status_and_content_that_are_not_expected_are_errors(call, target):
    words = [*SHORT, "--no-report", "--no-save", "--json"]

    code, _, err = call("--url", f"{target.url}status/404", *words)
    wanted, out, _ = call("--url", f"{target.url}status/404", "--expect-status", "404", *words)
    body, _, said = call("--url", f"{target.url}robots.txt", "--expect-body", "nothing of it", *words)

    assert (code, wanted, body) == (1, 0, 1)
    assert "404" in err
    assert json.loads(out)[0]["error_count"] == 0
    assert "content" in said


def test_settings_are_the_defaults(tmp_path):
    ran = run(
        tmp_path,
        "--json",
        "--no-report",
        "--quiet",
        code=0,
        HTTP_BENCHMARK_DEFAULT_CONCURRENCY="3",
        HTTP_BENCHMARK_DEFAULT_DURATION_SECONDS="0.4",
        HTTP_BENCHMARK_SQLITE_DB_PATH="other.db",
    )

    [result] = json.loads(ran.out)
    assert result["concurrency_level"] == 3
    assert result["duration"] == pytest.approx(0.4, abs=0.2)
    assert files(tmp_path) == ["other.db"]


def refused_url():
    """Of a port nobody listens on, because it is bound and does not."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/"


WRONG = {
    "an unknown client": (["--client", "htpx"], "httpx"),
    "headers that are no JSON": (["--headers", "{"], "--headers"),
    "headers that are no object": (["--headers", "[1]"], "--headers"),
    "headers that would split": (["--headers", '{"A": "b\\r\\nC: d"}'], "--headers"),
    "no concurrency": (["--concurrency", "0"], "--concurrency"),
    "too much concurrency": (["--concurrency", "10001"], "HTTP_BENCHMARK_MAX_CONCURRENCY"),
    "a negative duration": (["--duration", "-1"], "--duration"),
    "a duration of nothing": (["--duration", "0"], "--duration"),
    "no requests": (["--requests", "0"], "--requests"),
    "a rate of nothing": (["--rate", "0"], "--rate"),
    "no rounds": (["--rounds", "0"], "--rounds"),
    "a client without the mode": (["--client", "requests", "--async"], "requests has no async mode"),
    "an unknown mode": (["--modes", "threads"], "--modes"),
    "a client without HTTP/2": (["--client", "requests", "--http2"], "HTTP/2"),
    "an unknown method": (["--method", "FETCH"], "--method"),
    "a URL of another scheme": (["--url", "ftp://127.0.0.1/"], "no URL"),
    "a body of GET": (["--body", "x"], "no body"),
    "a body file that is absent": (["--method", "POST", "--body-file", "absent"], "--body-file"),
    "a status that is none": (["--expect-status", "20"], "--expect-status"),
    "an output of an unknown kind": (["--output", "out.xlsx"], "--output"),
    "an output into no folder": (["--json", "absent/out.json"], "absent"),
    "a database that is a folder": (["--output", "/tmp/x.db/../..", "--no-report"], "--output"),
    "settings that are wrong": ([], "HTTP_BENCHMARK_DEFAULT_CONCURRENCY"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_one_line_on_stderr_and_exit_code_2(case, call, tmp_path, monkeypatch):
    words, said = WRONG[case]
    if case.startswith("settings"):
        monkeypatch.setenv("HTTP_BENCHMARK_DEFAULT_CONCURRENCY", "many")

    code, out, err = call("--requests", "1", *words)

    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_call_of_a_process_has_no_traceback(tmp_path):
    ran = run(tmp_path, "--client", "htpx", code=2)

    assert (ran.out, ran.err.count("\n")) == ("", 1)
    assert "did you mean" in ran.err


def test_an_unreachable_host_is_one_line_and_exit_code_1_and_nothing_is_stored(call, tmp_path):
    code, out, err = call("--url", refused_url(), "--duration", "5", "--quiet")

    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert "refused" in err
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_nobody_trusts_is_refused_and_may_be_taken(call):
    with embedded(tls=True) as target:
        words = ["--url", f"{target.url}get", *SHORT, "--no-report", "--no-save"]
        code, _, err = call(*words)
        taken, out, _ = call(*words, "--no-verify-ssl", "--json")

    assert (code, err.count("\n")) == (1, 1), err
    assert "tls" in err.lower()
    assert taken == 0
    assert json.loads(out)[0]["requests_count"] > 0
