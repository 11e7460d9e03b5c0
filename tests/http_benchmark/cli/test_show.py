from __future__ import annotations

import json

import pytest

from http_benchmark.cli import main
from http_benchmark.export.json_form import dump, from_json
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result, make_result
from tests.http_benchmark.storage.test_schema import make_reference


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTTP_BENCHMARK_SQLITE_DB_PATH", raising=False)
    return ResultStorage(tmp_path / "benchmark_results.db")


def show(capsys, *words):
    code = main(["show", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_all_of_a_result_is_shown(store, capsys):
    result = make_full_result()
    store.save_result(result)

    code, out, err = show(capsys, result.id[:8])

    assert (code, err) == (0, "")
    assert out.startswith(f'of "all" = kinds; ünïcode {result.id} ')
    for part in (
        "aiohttp, async",
        "p99.99",
        "status 503",
        "Connection reset by peer",
        "warning: two rounds are few",
    ):
        assert part in out
    rounds = next(part for part in out.split("\n\n") if part.lstrip().startswith("round "))
    assert [line.split()[0].rstrip(",") for line in rounds.splitlines()[1:]] == ["0", "1", "2"]
    assert rounds.splitlines()[3].split() == ["2", "1.00", "0", "0", "-", "-", "-", "0"]
    assert "environment\n  cpu model: a CPU\n  cpu count: 2\n  libraries: aiohttp 3.9.1\n" in out
    assert "configuration\n  client: aiohttp\n" in out
    assert "git revision" not in out  # nobody knows it


def test_json_is_the_whole_of_it(store, capsys):
    result = make_full_result()
    store.save_result(result)

    code, out, err = show(capsys, result.id, "--json")

    assert (code, err) == (0, "")
    assert from_json(json.loads(out)) == result


def test_the_newest_is_shown_unless_another_is_named(store, capsys, tmp_path):
    first, last = make_result(name="first"), make_result(name="last one", rounds=1)
    for each in (first, last):
        store.save_result(each)
    (tmp_path / "kept.json").write_text(dump([first]))

    assert show(capsys)[1].startswith(f"last one {last.id}")
    for word in ("first", "last~1", "kept.json", first.id[:10]):
        assert show(capsys, word)[1].startswith(f"first {first.id}")


def test_a_result_of_an_earlier_tool_shows_what_it_has(store, capsys):
    make_reference(store.path)

    code, out, err = show(capsys, "last")

    assert (code, err) == (0, "")
    assert "p95 500 p99 750" in " ".join(out.split())
    assert "nan" not in out
    assert "timeout: 30" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no result in benchmark_results.db is called 'nobody'"),
        (["ffffffff"], "no result in benchmark_results.db has an id that begins with 'ffffffff'"),
        (["absent.json"], "absent.json cannot be read: No such file or directory"),
        (["--database", "other.db"], "other.db has none of the results"),
        (["a", "b"], "unrecognized arguments"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_is_not_there_is_told_in_one_line(store, capsys, words, said):
    store.save_result(make_result())

    code, out, err = show(capsys, *words)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
