from __future__ import annotations

import pytest

from http_benchmark.cli.chosen import choose, choose_one
from http_benchmark.errors import UsageError
from http_benchmark.export.json_form import dump
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Round
from http_benchmark.storage.store import ResultStorage


def result(name):
    return summarise(
        [Round(0, 1_700_000_000.0, 1.0, latency=Histogram([1_000_000] * 10))],
        name=name,
        client_library="httpx",
        client_type="sync",
        http_method="GET",
        url="http://127.0.0.1/",
        concurrency=1,
        config_snapshot={},
    )


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "results.db"
    results = [result(name) for name in ("first", "second", "second")]
    for index, each in enumerate(results):
        each.created_at = f"2026-01-0{index + 1}T00:00:00+00:00"
        ResultStorage(path).save_result(each)
    return path, results


@pytest.mark.parametrize(
    ("word", "index"), [("last", 2), ("last~1", 1), ("last~2", 0), ("first", 0), ("second", 2)]
)
def test_a_word_names_a_result(word, index, kept):
    path, results = kept

    assert choose_one(word, path).id == results[index].id


def test_the_beginning_of_an_id_names_it(kept):
    path, results = kept

    assert [each.id for each in choose([each.id[:13] for each in results], path)] == [
        each.id for each in results
    ]


def test_a_file_names_all_it_holds(kept, tmp_path):
    path, results = kept
    (tmp_path / "some.json").write_text(dump(results[:2]))

    assert [each.id for each in choose([str(tmp_path / "some.json")], path)] == [
        each.id for each in results[:2]
    ]


@pytest.mark.parametrize("word", ["third", "last~3", "ffff-0", "absent.json", ""])
def test_a_word_that_names_nothing_is_told(word, kept):
    with pytest.raises(UsageError):
        choose([word], kept[0])


def test_one_that_names_several_is_told(kept, tmp_path):
    path, results = kept
    (tmp_path / "some.json").write_text(dump(results))

    with pytest.raises(UsageError, match="3 results"):
        choose_one(str(tmp_path / "some.json"), path)
