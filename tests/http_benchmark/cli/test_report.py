"""`http-benchmark report`: what it finds, what it writes, what it says when it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from http_benchmark.cli import main
from http_benchmark.export.json_form import dump
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.report.samples import make_result, three_clients


@pytest.fixture(scope="module")
def kept():
    """Three clients that were measured in turns, after one that was measured alone, the day before."""
    before = make_result("httpx", rounds=1, seconds=1, name="before")
    earlier = {"start_time": "2026-11-17T11:00:00+00:00", "end_time": "2026-11-17T11:00:30+00:00"}
    before = replace(before, created_at="2026-11-17T11:00:31+00:00", **earlier)
    return [before, *three_clients(rounds=2, seconds=1)]


@pytest.fixture
def database(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ResultStorage(tmp_path / "kept.db")
    for result in kept:
        store.save_result(result)
    return str(store.path)


def run(*words):
    return main(["report", *map(str, words)])


def test_without_a_word_it_is_about_the_last_measurement(database, tmp_path, capsys):
    code = run("--database", database, "-o", tmp_path / "report.html")

    assert (code, capsys.readouterr().out) == (0, f"{tmp_path / 'report.html'}\n")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<h1>requests · httpx · aiohttp measured</h1>" in text
    assert "<h2>Verdict</h2>" in text


def test_results_are_named_by_id_name_and_file(database, kept, tmp_path):
    (tmp_path / "more.json").write_text(dump([make_result("urllib3", rounds=1, seconds=1)]), "utf-8")

    code = run(kept[1].id[:8], "before", "more.json", kept[1].id, "--database", database, "-o", "r.html")

    assert code == 0
    assert "<h1>requests · httpx · urllib3 measured</h1>" in (tmp_path / "r.html").read_text("utf-8")


def test_pictures_need_no_page(database, kept, tmp_path, capsys):
    code = run(kept[3].id[:8], "--database", database, "--svg", "pictures")

    assert code == 0
    written = [tmp_path / line for line in capsys.readouterr().out.splitlines()]
    assert tmp_path / "pictures" / "latency-distribution.svg" in written
    assert all(path.read_text("utf-8").startswith("<svg") for path in written)


def test_nothing_is_written_that_was_not_asked_for(database, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())

    code = run("--database", database)

    assert code == 2
    assert capsys.readouterr().err == (
        "http-benchmark: say what to write: -o report.html, --svg FOLDER or --png FOLDER\n"
    )
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nobody", "-o", "r.html"], 2, "no result in kept.db is called 'nobody'"),
        (["absent.json", "-o", "r.html"], 2, "absent.json cannot be read"),
        (["-o", "absent/r.html"], 1, "absent/r.html cannot be written: No such file or directory"),
        (["--svg", "kept.db"], 1, "kept.db cannot be written: File exists"),
        (["--metric", "p98", "-o", "r.html"], 2, "there is no metric 'p98'"),
    ],
    ids=["unknown", "no file", "no folder", "a file", "metric"],
)
def test_what_is_wrong_is_told_in_one_line(words, code, said, database, capsys, tmp_path):
    assert run(*words, "--database", "kept.db") == code

    printed = capsys.readouterr()
    assert printed.err.startswith(f"http-benchmark: {said}") and printed.err.count("\n") == 1
    assert printed.out == "" and not (tmp_path / "r.html").exists()


def test_an_empty_database_is_told(tmp_path, capsys):
    assert run("--database", tmp_path / "none.db", "-o", tmp_path / "r.html") == 2

    assert "measure something, or name a JSON file" in capsys.readouterr().err
