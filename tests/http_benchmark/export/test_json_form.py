from __future__ import annotations

import copy
import json
from math import nan

import jsonschema
import pytest

from http_benchmark.errors import UsageError
from http_benchmark.export.json_form import dump, from_json, read_results, schema, to_json
from http_benchmark.measurement.result import PERCENTILES
from tests.http_benchmark.made_results import make_full_result, make_result


def check(document):
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_a_result_comes_back_as_it_went_out():
    result = make_full_result()

    assert from_json(json.loads(json.dumps(to_json(result)))) == result


def test_the_schema_is_one_and_holds_for_what_is_written():
    jsonschema.Draft202012Validator.check_schema(schema())

    check(to_json(make_full_result()))
    check(json.loads(dump([make_full_result(), make_result()])))
    check([])


def test_every_member_is_described_by_the_schema_and_none_more():
    document = to_json(make_full_result())

    assert sorted(schema()["$defs"]["result"]["properties"]) == sorted(document)
    assert sorted(schema()["$defs"]["round"]["properties"]) == sorted(document["rounds"][0])
    document["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_readers_find_percentiles_and_rates_of_each_round():
    result = make_full_result()
    found = to_json(result)["rounds"][0]

    assert found["requests"] == 500
    assert found["rate_per_s"] == 200.0
    latency = result.rounds[0].latency
    assert list(found["latency"]["percentiles_ns"].values()) == latency.percentiles(PERCENTILES)
    assert found["first_octet"]["buckets"][:5] == [[0, 1], [1, 1], [2, 1], [255, 1], [256, 1]]
    assert to_json(result)["errors"] == {"status 503": 6, "reset": 2}


def test_what_nobody_knows_is_null():
    document = to_json(make_full_result(p50_response_time=nan))
    check(document)

    text = json.dumps(document, allow_nan=False)
    again = from_json(json.loads(text))
    assert again.p50_response_time != again.p50_response_time  # NaN


def spoilt(change):
    document = json.loads(json.dumps(to_json(make_full_result())))
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.pop("format"), "no result"),
        (lambda it: it.update(version=2), "version 2"),
        (lambda it: it.pop("url"), r"result\.url is missing"),
        (lambda it: it.update(duration="long"), r'result\.duration is "long", but must be float'),
        (lambda it: it.update(error_count=True), r"result\.error_count is true, but must be int"),
        (lambda it: it.update(config_snapshot=[]), r"config_snapshot is \[\], but must be dict"),
        (lambda it: it.update(rounds={}), r"result\.rounds is no array"),
        (lambda it: it.update(rounds=[5]), r"result\.rounds\[0\] is no object"),
        (lambda it: it["rounds"][1].pop("number"), r"result\.rounds\[1\]\.number is missing"),
        (lambda it: it["rounds"][1].update(latency=None), r"rounds\[1\]\.latency is no histogram"),
        (lambda it: it["rounds"][0].update(corrected=7), r"rounds\[0\]\.corrected is no histogram"),
        (lambda it: it["rounds"][0]["latency"].update(squares="x"), "latency is no histogram"),
        (
            lambda it: it["rounds"][0]["latency"]["buckets"].pop(),
            r"latency: its buckets hold \d+ values, not 500",
        ),
        (lambda it: it["rounds"][0].update(number=10**400), "number is larger than anything"),
        (lambda it: it["rounds"][0].update(seconds=3), "seconds is no array"),
        (lambda it: it["rounds"][0].update(generator=3), "generator is no object"),
        (lambda it: it["rounds"][0]["generator"].update(samples=3), "samples is no array"),
        (lambda it: it["rounds"][0]["generator"].update(samples=[{}]), r"samples\.offset_s is missing"),
    ],
)
def test_a_document_that_is_no_result_is_refused_by_name(change, said):
    with pytest.raises(UsageError, match=said):
        from_json(spoilt(change))


def test_members_with_defaults_may_be_absent():
    """A document of an earlier release lacks what later ones add."""
    document = spoilt(
        lambda it: [it["rounds"][0].pop(name) for name in ("late", "server", "seconds", "corrected")]
    )

    first = from_json(document).rounds[0]
    assert (first.late, first.server, first.seconds, first.corrected) == (0, None, [], None)


def test_a_file_holds_one_result_or_several(tmp_path):
    results = [make_full_result(), make_result()]
    one, several = tmp_path / "one.json", tmp_path / "several.json"
    one.write_text(json.dumps(to_json(results[0])))
    several.write_text(dump(results), encoding="utf-8")

    assert read_results(one) == results[:1]
    assert read_results(several) == results


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"5", "this JSON is no result"),
        (b"[{}]", "this JSON is no result"),
    ],
    ids=["absent", "cut", "octets", "number", "empty object"],
)
def test_a_file_that_holds_none_is_named(tmp_path, content, said):
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match=said) as told:
        read_results(path)
    assert str(path) in str(told.value)


def test_to_json_shares_no_round_with_the_result():
    result = make_full_result()
    before = copy.deepcopy(result.rounds)

    to_json(result)["rounds"].clear()

    assert result.rounds == before
