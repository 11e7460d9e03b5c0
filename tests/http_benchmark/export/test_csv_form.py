from __future__ import annotations

import csv
import io
from math import nan

import pytest

from http_benchmark.export.csv_form import COLUMNS, write_csv
from http_benchmark.storage.schema import REFERENCE_COLUMNS
from tests.http_benchmark.made_results import make_full_result


def written(*results):
    stream = io.StringIO(newline="")
    write_csv(results, stream)
    return stream.getvalue()


def test_one_line_for_each_result_under_the_names_of_the_table():
    results = [make_full_result(), make_full_result()]

    text = written(*results)

    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.startswith(",".join(REFERENCE_COLUMNS) + ",")
    assert text.endswith("\r\n")
    assert text.count("\r\n") == 3
    assert [each["id"] for each in found] == [each.id for each in results]
    assert found[0]["name"] == 'of "all" = kinds; ünïcode'
    assert float(found[0]["p99_response_time"]) == results[0].p99_response_time
    assert found[0]["config_snapshot"].startswith('{"client": "aiohttp"')


def test_nothing_but_a_header_of_nothing():
    assert written() == ",".join(COLUMNS) + "\r\n"


def test_what_nobody_knows_is_empty():
    (found,) = csv.DictReader(
        io.StringIO(written(make_full_result(cpu_usage_avg=None, p50_response_time=nan)))
    )

    assert (found["cpu_usage_avg"], found["p50_response_time"]) == ("", "")


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1"], ids=repr
)
def test_text_is_no_formula(text):
    (found,) = csv.DictReader(io.StringIO(written(make_full_result(name=text)), newline=""))

    assert found["name"] == "'" + text


@pytest.mark.parametrize("text", ["a,b", 'say "x"', "two\r\nlines", "ünï😀", "1-1", "'quoted"])
def test_text_comes_back(text):
    (found,) = csv.DictReader(io.StringIO(written(make_full_result(name=text)), newline=""))

    assert found["name"] == text
