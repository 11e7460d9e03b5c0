from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from http_benchmark.cli import main
from http_benchmark.export.json_form import dump
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_result

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTTP_BENCHMARK_SQLITE_DB_PATH", raising=False)
    return ResultStorage(tmp_path / "benchmark_results.db")


def keep(store, *, days=0, **changes):
    result = make_result(**changes)
    result.created_at = (NOW - timedelta(days=days)).isoformat()
    store.save_result(result)
    return result


def gate(capsys, *words):
    code = main(["gate", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_no_regression_passes(store, capsys):
    before, after = keep(store, days=1, seed=1), keep(store, seed=2)

    code, out, err = gate(capsys, "--max-regression", "5%", "--metric", "p99")

    assert (code, err) == (0, "")
    head, line = out.splitlines()
    assert head == f"checkout: {after.id[:8]} against {before.id[:8]}"
    assert line.startswith("  pass           p99 response time: ")
    assert line.endswith("%; limit 5 %)")


def test_a_regression_shuts(store, capsys):
    keep(store, days=1)
    keep(store, median_ms=12.0)

    code, out, err = gate(capsys, "--max-regression", "5%", "--metric", "p99", "--metric", "rate")

    assert (code, err) == (1, "")
    assert out.splitlines()[1].startswith("  REGRESSION     p99 response time: ")
    assert "20 % worse" in out.splitlines()[1]
    assert out.splitlines()[2].startswith("  REGRESSION     requests a second: ")
    assert gate(capsys, "--max-regression", "30", "--metric", "p99")[0] == 0


def test_p99_is_the_metric_unless_another_is_asked_for(store, capsys):
    keep(store, days=1)
    keep(store)

    assert "p99 response time" in gate(capsys, "--max-regression", "5%")[1]


def test_resources_have_their_units(store, capsys):
    keep(store, days=1)
    keep(store)

    _, out, _ = gate(
        capsys, "--max-regression", "50%", "--metric", "cpu", "--metric", "memory", "--metric", "rate"
    )

    cpu, memory, rate = (line.partition(": ")[2].partition(",  ")[0] for line in out.splitlines()[1:])
    assert " % -> " in cpu
    assert memory.startswith("42.5 MB -> 42.5 MB, 0 % worse")
    assert re.match(r"[0-9,]+ -> [0-9,]+, ", rate)


def test_rounds_that_took_turns_are_judged_in_pairs(store, capsys):
    """Both take up to four times as long, more in each round; the later 10 % longer in each."""
    results = [make_result(rounds=8, spread=0.0), make_result(rounds=8, spread=0.0, name="change")]
    for result, factor in zip(results, (1.0, 1.1), strict=True):
        for number, each in enumerate(result.rounds):
            each.duration_s *= factor * (1 + number / 2) * (1 + 0.001 * (number % 3))
        store.save_result(result)

    code, out, _ = gate(capsys, "--max-regression", "5%", "--metric", "rate", "--baseline", "checkout")

    assert code == 1
    assert "9.1 % worse" in out


def test_failures_shut_whatever_the_metric(store, capsys):
    """What fails is quick: p99 is better, and the gate shuts."""
    keep(store, days=1)
    keep(store, median_ms=5.0, errors=100)

    code, out, _ = gate(capsys, "--max-regression", "5%", "--metric", "p99")

    assert code == 1
    assert out.splitlines()[1].startswith("  pass  ")
    assert out.splitlines()[2].startswith("  REGRESSION     errors: 0 % -> 33.3 %, 33 points worse (95 %: ")
    assert gate(capsys, "--max-regression", "5%", "--metric", "error-rate")[0] == 1
    assert gate(capsys, "--max-regression", "40%", "--metric", "error-rate")[0] == 0


def test_nothing_that_succeeds_shuts(store, capsys):
    keep(store, days=1)
    keep(store, requests=0, errors=10)

    code, out, err = gate(capsys, "--max-regression", "5%")

    assert code == 1
    assert "REGRESSION     p99 response time: 12.0 ms -> 0 s, nothing succeeded in 5 of 5 rounds" in out
    assert "nothing succeeded in 5 of 5 rounds" in err


def test_the_baseline_is_the_newest_before_it_of_its_kind(store, capsys):
    keep(store, days=9, median_ms=99.0)
    wanted = keep(store, days=5)
    keep(store, days=4, client="requests")
    keep(store, days=3, name="another")
    current = keep(store, days=2)
    keep(store, days=1)

    out = gate(capsys, "--max-regression", "5%", "--current", current.id)[1]

    assert out.splitlines()[0] == f"checkout: {current.id[:8]} against {wanted.id[:8]}"


@pytest.mark.parametrize("word", ["id", "name", "file", "last~2"])
def test_a_baseline_is_named_as_every_result_is(store, capsys, tmp_path, word):
    wanted = keep(store, days=5, name="main")
    keep(store, days=4)
    current = keep(store)
    (tmp_path / "main.json").write_text(dump([wanted]))
    words = {"id": wanted.id[:9], "name": "main", "file": "main.json", "last~2": "last~2"}

    code, out, _ = gate(capsys, "--max-regression", "5%", "--baseline", words[word])

    assert (code, out.splitlines()[0]) == (0, f"checkout: {current.id[:8]} against {wanted.id[:8]}")


def test_files_of_several_results_are_compared_one_by_one(store, capsys, tmp_path):
    """As `--compare requests httpx --json` writes them."""
    (tmp_path / "main.json").write_text(
        dump([make_result(client=name, name=name) for name in ("requests", "httpx")])
    )
    slower = [
        make_result(client=name, name=name, median_ms=ms, seed=7)
        for name, ms in (("httpx", 10.0), ("requests", 13.0))
    ]
    (tmp_path / "new.json").write_text(dump(slower))

    code, out, _ = gate(capsys, "--max-regression", "5%", "--baseline", "main.json", "--current", "new.json")

    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == ["httpx:", "pass", "requests:", "REGRESSION"]


def test_what_makes_the_answer_doubtful_is_told(store, capsys):
    before = make_result(environment={"python": "3.11.7"})
    before.config_snapshot |= {"url": "http://127.0.0.1:8000/get", "duration_s": 5.0}
    store.save_result(before)
    current = make_result(environment={"python": "3.13.0"}, concurrency=10)
    current.config_snapshot |= {"url": "http://127.0.0.1:8001/get", "duration_s": 9.0}
    current.config_snapshot["headers"] = {"Accept": "text/html"}
    store.save_result(current)

    code, out, err = gate(capsys, "--max-regression", "5%")

    assert code == 0
    assert err.splitlines() == [
        "http-benchmark: not the same machine or software: python was 3.11.7 and is 3.13.0",
        "http-benchmark: not the same load: headers was {'Accept': '*/*'} and is {'Accept': 'text/html'}",
    ]
    assert "python" not in out

    current.config_snapshot["url"] = "http://127.0.0.1:8001/post"
    current.id = "another"
    store.save_result(current)
    assert (
        "not the same load: url was /get and is /post"
        in gate(capsys, "--max-regression", "5%", "--baseline", before.id)[2]
    )


def test_noise_passes_and_is_told_and_shuts_when_it_is_to(store, capsys):
    keep(store, days=1, spread=0.3, seed=4)
    keep(store, spread=0.3, seed=6)
    words = ["--max-regression", "5%", "--metric", "rate"]

    code, out, err = gate(capsys, *words)
    strict, told, _ = gate(capsys, *words, "--strict")

    assert (code, strict) == (0, 1)
    assert out.splitlines()[1].startswith("  pass ")
    assert told.splitlines()[1].startswith("  NOT RULED OUT  requests a second")
    assert "noise could hide a regression of up to" in err


def test_json_tells_all_of_it(store, capsys):
    before, after = keep(store, days=1), keep(store, median_ms=12.0)

    code, out, _ = gate(capsys, "--max-regression", "5%", "--json")

    found = json.loads(out)
    assert (code, found["passed"], found["max_regression"]) == (1, False, 0.05)
    (subject,) = found["subjects"]
    assert (subject["baseline"], subject["current"]) == (before.id, after.id)
    (only,) = subject["checks"]
    assert (only["metric"], only["outcome"]) == ("p99_response_time", "regression")
    assert only["worse"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: --max-regression"),
        (
            ["--max-regression", "some"],
            "--max-regression is 'some', but must be a number of percent, such as 5%",
        ),
        (["--max-regression", "-5%"], "expected one argument"),
        (["--max-regression=-5%"], "--max-regression is '-5%', but must be"),
        (["--max-regression", "nan"], "--max-regression is 'nan'"),
        (["--max-regression", "5%", "--metric", "p98"], "there is no metric 'p98'"),
        (
            ["--max-regression", "5%", "--metric", "server-cpu"],
            "the baseline has no CPU of the server in some rounds",
        ),
        (["--max-regression", "5%", "--current", "short"], "the current result"),
        (["--max-regression", "5%", "--current", "only"], "has nothing of 'only' before"),
        (["--max-regression", "5%", "--baseline", "last"], "the baseline is the current result itself"),
        (
            ["--max-regression", "5%", "--baseline", "nobody"],
            "no result in benchmark_results.db is called 'nobody'",
        ),
        (["--max-regression", "5%", "--database", "other.db"], "other.db has none of the results"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_nobody_can_tell_is_2_and_one_line(store, capsys, words, said):
    keep(store, days=9, name="short")
    keep(store, days=8, name="short", rounds=1)
    keep(store, days=7, name="only")
    keep(store, days=2)
    keep(store, days=1)

    code, out, err = gate(capsys, *words)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
