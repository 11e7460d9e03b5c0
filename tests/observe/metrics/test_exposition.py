"""What Prometheus reads: its own parsers take both formats, whatever help and labels say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from penstock.observe.metrics.exposition import JSON, OPENMETRICS, TEXT, choose_format, http_families, render
from penstock.observe.metrics.gather import Family, Served, Snapshot
from penstock.observe.metrics.histogram import BUCKETS, Distribution, bucket_of

PARSERS = {TEXT: parse_text, OPENMETRICS: parse_openmetrics}


def distribution(*durations_ns):
    counts = [0] * BUCKETS
    for duration_ns in durations_ns:
        counts[bucket_of(duration_ns)] += 1
    return Distribution(counts, sum(durations_ns))


def samples(families, form):
    found = list(PARSERS[form](render(families, form)))
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in found
        for sample in family.samples
    }


@pytest.mark.parametrize("form", PARSERS)
def test_every_kind_is_read(form):
    families = [
        Family("orders", "counter", "Orders", "", ("kind",), series={("a",): 3, ("b",): 0.5}),
        Family("size_bytes", "gauge", "", "bytes", series={(): float("inf")}),
        Family("none", "gauge", "Nothing", "", ("kind",)),
        Family("wait_seconds", "histogram", "", "seconds", series={(): distribution(64_000, 10**9, 10**14)}),
    ]

    found = samples(families, form)

    assert found["orders_total", ("kind", "a")] == 3 and found["orders_total", ("kind", "b")] == 0.5
    assert found["size_bytes",] == float("inf")
    buckets = {key[1][1]: value for key, value in found.items() if key[0] == "wait_seconds_bucket"}
    assert list(buckets.values()) == [1] * 14 + [2] * 7 + [3]
    assert next(iter(buckets)) == "0.000064" and list(buckets)[-1] == "+Inf"
    assert found["wait_seconds_count",] == 3 and found["wait_seconds_sum",] == 100_001.000064


@pytest.mark.parametrize("form", PARSERS)
def test_what_was_served_is_read(form):
    served = [
        Served("/u/{id}", "GET", 200, distribution(10**6, 2 * 10**6), 7, 900),
        Served("", "other", 0, distribution(10**6), 0, 0),
    ]

    found = samples(http_families(Snapshot({}, served, [], 3, 0)), form)

    labels = [("method", "GET"), ("route", "/u/{id}"), ("status", "200")]
    assert found["http_requests_total", *labels] == 2
    assert found["http_request_bytes_total", *labels] == 7
    assert found["http_response_bytes_total", *labels] == 900
    assert found["http_request_duration_seconds_sum", *labels] == 0.003
    assert found["http_requests_total", ("method", "other"), ("route", ""), ("status", "other")] == 1


@pytest.mark.parametrize("form", PARSERS)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    value=st.floats(allow_nan=False) | st.integers(0, 2**64),
)
def test_any_text_and_number_comes_back(form, text, value):
    # The older parser takes the end of a line for what str.splitlines does, and strips help.
    family = Family("a", "gauge", text, "", ("one", "two"), series={(text, "x"): value})

    found = render([family], form).split("\n")

    line = next(line for line in found if line.startswith("a{"))
    only = f"{line}\n# EOF\n" if form == OPENMETRICS else line + "\n"
    [parsed] = PARSERS[form](only)
    assert parsed.samples[0].labels == {"one": text, "two": "x"}
    assert parsed.samples[0].value == value
    assert len(found) == (5 if form == OPENMETRICS else 4)


def test_help_is_told_in_one_line():
    family = Family("a", "gauge", 'one\ntwo "three" \\four', series={(): 1})

    for form, parse in PARSERS.items():
        [parsed] = parse(render([family], form))
        assert parsed.documentation == 'one\ntwo "three" \\four'


def test_openmetrics_ends_in_its_mark():
    assert render([], OPENMETRICS) == "# EOF\n"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/html", JSON),
        ("application/json, text/plain;q=0.5", JSON),
        ("text/plain", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("text/plain; version=9", JSON),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.3", TEXT),
        ("application/openmetrics-text;q=0, */*", JSON),
        # Prometheus 2.55 and 3.5, as they send it.
        (
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            OPENMETRICS,
        ),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,"
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            OPENMETRICS,
        ),
    ],
)
def test_accept_decides_and_json_is_for_people(accept, form):
    assert choose_format(accept) == form
