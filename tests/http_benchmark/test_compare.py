from __future__ import annotations

import json

import pytest

from http_benchmark.cli import main
from http_benchmark.export.json_form import dump
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Round


def write(path, client, per_round, concurrency=10):
    """A result whose rounds have so many requests in a second each."""
    rounds = [
        Round(number, 1_700_000_000.0 + 3 * number, 1.0, latency=Histogram([10**7] * count))
        for number, count in enumerate(per_round)
    ]
    result = summarise(
        rounds,
        name=client,
        client_library=client,
        client_type="sync",
        http_method="GET",
        url="http://127.0.0.1/",
        concurrency=concurrency,
        config_snapshot={"concurrency": concurrency},
    )
    path.write_text(dump([result]))
    return str(path)


@pytest.fixture
def files(tmp_path):
    return (
        write(tmp_path / "a.json", "httpx", [100, 101, 99, 100, 102, 98, 100, 101]),
        write(tmp_path / "b.json", "aiohttp", [200, 201, 199, 202, 200, 198, 201, 200]),
    )


def test_results_stand_beside_each_other_with_a_verdict(files, capsys):
    code = main(["compare", *files])

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "httpx is 2.00x slower than aiohttp" in out


def test_verdicts_are_json_too(files, capsys):
    main(["compare", *files, "--json"])

    [verdict] = json.loads(capsys.readouterr().out)
    assert verdict["is_significant"]
    assert verdict["ratio"] == pytest.approx(0.5, rel=0.02)


def test_another_metric_is_compared(files, capsys):
    main(["compare", *files, "--metric", "p99"])

    assert "no significant difference" in capsys.readouterr().out


def test_conditions_that_differ_are_told(files, tmp_path, capsys):
    other = write(tmp_path / "c.json", "requests", [100, 101, 99, 100], concurrency=50)

    main(["compare", files[0], other])

    assert "concurrency differs: 10, 50" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--metric", "p42"], []], ids=["an unknown metric", "one result"])
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(words, files, capsys):
    code = main(["compare", files[0], *words])

    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
