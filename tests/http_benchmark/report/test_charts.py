"""That charts show the figures they are about, as page and as picture."""

from __future__ import annotations

import json
import random
import re
from xml.etree import ElementTree as ET

import pytest

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Round, Second
from http_benchmark.report.charts import make_charts
from http_benchmark.report.charts.chart import Axis
from http_benchmark.report.charts.distribution import points_of
from http_benchmark.report.charts.over_time import moments_of
from http_benchmark.report.plotly_form import to_plotly
from http_benchmark.report.scales import make_scale
from http_benchmark.report.svg import HEIGHT, WIDTH, draw_svg
from tests.http_benchmark.report.samples import make_result, three_clients, without_figures

SVG = "{http://www.w3.org/2000/svg}"


def charts_of(results):
    return {chart.key: chart for chart in make_charts(results)}


def test_the_distribution_is_that_of_an_exact_sort():
    chance = random.Random(6)
    values = sorted(int(chance.lognormvariate(14, 1)) for _ in range(100_000))

    x, y = points_of(Histogram(values))

    for right, at in ((2, 50_000), (10, 90_000), (100, 99_000), (1000, 99_900), (10_000, 99_990)):
        drawn = max(ms for place, ms in zip(x, y, strict=True) if place <= right)
        assert drawn == pytest.approx(values[at - 1] / 1e6, rel=0.02)
    assert (x[0], y[0]) == (1.0, values[0] / 1e6)
    assert (x[-1], y[-1]) == (100_000.0, values[-1] / 1e6)
    assert x == sorted(x) and y == sorted(y)


def test_tiny_times_of_a_correction_leave_room_for_the_others():
    result = make_result(rounds=1)
    result.rounds[0].corrected = Histogram([1, 1000, *[10**7] * 1000])

    measured, corrected = charts_of([result])["latency-distribution"].series

    assert min(corrected.y) == min(measured.y) == pytest.approx(result.min_response_time * 1e3)
    assert max(corrected.y) == 10.0


def test_rounds_follow_each_other_with_a_gap_between():
    chart = charts_of([make_result(rounds=3)])["latency-over-time"]

    p99 = chart.series[0]

    assert p99.y.count(None) == 2
    assert [x for x, y in zip(p99.x, p99.y, strict=True) if y is not None] == [float(at) for at in range(15)]


def test_a_long_measurement_is_thinned_without_losing_a_request():
    result = make_result(rounds=1, seconds=1, median_ms=50.0)
    seconds = [Second(at, Histogram([10**6 * (at + 1)] * 3), errors=1) for at in range(5000)]
    result.rounds = [Round(0, 0.0, 5000.0, seconds=seconds)]

    moments = moments_of(result)

    assert 500 <= len(moments) <= 600
    assert sum(moment.latency.total for moment in moments) == 15_000
    assert sum(moment.errors for moment in moments) == 5000
    assert {round(moment.rate_per_s, 6) for moment in moments} == {3.0}


def test_a_second_cut_short_counts_for_what_it_was():
    result = make_result(rounds=1)
    seconds = [Second(at, Histogram([10**6] * count)) for at, count in ((0, 100), (1, 50), (2, 4))]
    result.rounds = [Round(0, 0.0, 1.5, seconds=seconds)]

    rates = [moment.rate_per_s for moment in moments_of(result)]

    assert rates == [100.0, 100.0, None]  # the last finished in the drain


def test_bars_have_the_interval_of_their_rounds():
    chart = charts_of(three_clients(rounds=6))["rate"]

    for bar, dots in zip(chart.series[::2], chart.series[1::2], strict=True):
        assert min(dots.y) <= bar.low[0] <= bar.y[0] <= bar.high[0] <= max(dots.y) * 1.05
        assert len(dots.y) == 6
    assert [row[0] for row in chart.rows] == ["requests", "httpx", "aiohttp"]


def test_what_is_no_number_is_left_out():
    result = make_result(rounds=2)
    result.rounds[0].duration_s = float("inf")
    result.rounds[1].generator.samples[3].cpu_percent = float("nan")

    for chart in make_charts([result, make_result("aiohttp")]):
        json.dumps(to_plotly(chart), allow_nan=False)
        assert "nan" not in draw_svg(chart)


def test_there_is_no_chart_without_figures():
    assert "latency-distribution" not in charts_of([without_figures(make_result())])
    assert "errors-over-time" not in charts_of([make_result()])
    assert "rounds" not in charts_of([make_result(rounds=1)])


@pytest.mark.parametrize(
    ("scale", "values", "ticks"),
    [
        ("linear", [0, 100], ["0", "20", "40", "60", "80", "100"]),
        ("linear", [3400, 3600], ["3,400", "3,450", "3,500", "3,550", "3,600"]),
        ("linear", [0.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ("log", [0.7, 30], ["1", "2", "5", "10", "20"]),
        ("log", [5.3, 6.1], ["5", "5.5", "6", "6.5"]),
        ("log", [1, 10**7], ["1", "10", "100", "1,000", "10,000", "100,000", "1,000,000", "10,000,000"]),
        ("log", [5, 5], ["5", "6", "7", "8", "9"]),
    ],
    ids=["percent", "narrow", "nothing", "decades", "a narrow log", "many decades", "one value"],
)
def test_ticks_stand_at_round_values(scale, values, ticks):
    made = make_scale(Axis("", scale, from_zero=True) if min(values) < 5 else Axis("", scale), values, 0, 100)

    assert [text for _, text in made.ticks()] == ticks
    assert all(-0.1 <= made.at(value) <= 100.1 for value in values)


def test_a_picture_is_a_whole_svg_with_all_of_its_series():
    for chart in make_charts(three_clients(server=True, errors={"timeout": 2})):
        picture = draw_svg(chart)
        root = ET.fromstring(picture)

        assert root.find(f"{SVG}title").text == chart.title
        lines = [path for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "2"]
        circles = list(root.iter(f"{SVG}circle"))
        assert len(lines) + len(circles) >= len(chart.series)
        places = [(float(each.get("cx")), float(each.get("cy"))) for each in circles]
        steps = [re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", line.get("d")) for line in lines]
        places += [(float(x), float(y)) for line in steps for x, y in line]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_names_in_a_picture_are_text():
    result = make_result("</text><script>alert(1)</script>")

    for chart in make_charts([result]):
        root = ET.fromstring(draw_svg(chart))
        assert list(root.iter(f"{SVG}script")) == []


def test_a_distribution_in_a_picture_stands_where_its_values_are():
    chart = charts_of([make_result()])["latency-distribution"]
    root = ET.fromstring(draw_svg(chart))

    (line,) = [path for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "2"]
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line.get("d"))]

    assert len(places) == len(chart.series[0].x)
    assert places == sorted(places, key=lambda place: (place[0], -place[1]))  # to the right, and up
