"""The report in a real browser: what a reader sees of it, and what hostile results cannot do."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from http_benchmark.errors import MissingLibrary
from http_benchmark.report.html import make_page, write_report
from http_benchmark.statistics.comparison import compare_results
from tests.http_benchmark.report.samples import ENVIRONMENT, make_result, three_clients, without_figures

BREAKOUT = (
    '</script><script>window.owned = 1</script><img src="http://127.0.0.1:9/x" onerror="owned=1"><b>&amp;'
)
HOSTILE = {
    "server": True,
    "errors": {f"status {BREAKOUT}": 3, "timeout": 1},
    "warnings": [f"doubtful {BREAKOUT}: stop it"],
    "environment": ENVIRONMENT | {BREAKOUT: BREAKOUT},
}
HEADERS = {"Authorization": "Bearer m7Qz4tYw9LrK2pXv", BREAKOUT: BREAKOUT, "X-Api-Key": "k3yk3yk3y"}
KEYS = [
    "rate",
    "p99",
    "latency-distribution",
    "latency-over-time",
    "rate-over-time",
    "rate-and-latency",
    "rounds",
    "cpu",
    "memory",
    "errors-over-time",
]


def hostile_results():
    """As a file of somebody else may hold them."""
    one = make_result(BREAKOUT, **HOSTILE)
    other = make_result("aiohttp", "async", median_ms=1.4, rate=200, **HOSTILE)
    for each in (one, other):
        each.url = f"http://bob:hunter2@127.0.0.1:8000/{BREAKOUT}"
        each.config_snapshot |= {"url": each.url, "headers": HEADERS, BREAKOUT: [BREAKOUT]}
    return [one, other]


@pytest.fixture(scope="module")
def hostile(browser, tmp_path_factory):
    """The page of hostile results, opened once for all tests that only look."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    results = hostile_results()
    write_report(results, compare_results(results), path)
    with browser.open_page() as page:
        page.goto(path.as_uri())
        page.wait_for("document.documentElement.dataset.drawn")
        yield page, path


def test_a_report_asks_nobody_for_anything_and_has_no_errors(hostile):
    page, path = hostile

    assert page.console == []
    assert page.requests == [path.as_uri()]


def test_every_chart_is_drawn(hostile):
    page, _ = hostile

    drawn = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-chart]')].map(e => [e.dataset.chart, "
        "e.querySelectorAll('path.js-line, path.point, .points path').length]))"
    )

    assert list(drawn) == KEYS
    assert {key: count for key, count in drawn.items() if count < 2} == {}
    ticks = page.evaluate(
        "[...document.querySelectorAll('[data-chart=latency-distribution] .xtick text')].map(e => e.textContent)"
    )
    assert ticks[:4] == ["0 %", "50 %", "90 %", "99 %"]


def test_what_results_say_is_text_and_nothing_else(hostile):
    page, _ = hostile

    assert page.evaluate("window.owned") is None
    assert page.evaluate("document.querySelectorAll('main img, main b, main script').length") == 0
    seen = page.evaluate("document.body.textContent")
    assert seen.count(BREAKOUT) >= 5
    legend = page.evaluate("document.querySelector('[data-chart=rounds] .legendtext').textContent")
    assert legend.startswith("</script><script>")  # and not what these tags would make of it


def test_scripts_that_come_with_results_would_not_run_even_as_markup(hostile):
    page, _ = hostile

    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=owned=2>')")
    page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'owned = 3'; document.body.append(s) })()"
    )

    assert page.evaluate("window.owned") is None
    assert any("Content Security Policy" in said for said in page.console)
    page._console.clear()  # ours


def test_secrets_of_the_configuration_are_not_in_the_file(hostile):
    _, path = hostile
    text = path.read_text("utf-8")

    for secret in ("hunter2", "m7Qz4tYw9LrK2pXv", "k3yk3yk3y"):
        assert secret not in text
    assert "[redacted]" in text


def test_each_chart_has_a_heading_a_description_and_a_table(hostile):
    page, _ = hostile

    told = page.evaluate(
        "[...document.querySelectorAll('figure')].map(e => [e.querySelector('figcaption h2').textContent,"
        " e.querySelector('[role=img]').getAttribute('aria-label'), e.querySelectorAll('details tbody tr').length,"
        " e.querySelectorAll('details thead th').length])"
    )

    assert len(told) == len(KEYS)
    for title, description, rows, columns in told:
        assert description.startswith(f"{title}: ") and len(description) > 60
        assert 1 <= rows <= 80 and columns >= 2
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.texts("h2")[:4] == ["Verdict", "Warnings", "Results", "Errors"]
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_page_is_dark_for_who_prefers_it_and_light_on_paper(hostile):
    page, _ = hostile

    def colours():
        return page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('[data-chart=rate] .main-svg')).backgroundColor]"
        )

    light = colours()
    page.resize(1280, 900, dark=True)
    page.wait_for("document.querySelector('.main-svg').style.background.includes('22, 27, 34')")
    dark = colours()
    page.ask("Emulation.setEmulatedMedia", media="print")
    widths = page.evaluate(
        "dispatchEvent(new Event('beforeprint')) &&"  # and at once, as printing does
        " [...document.querySelectorAll('.main-svg')].map(e => Math.round(e.getBoundingClientRect().width))"
    )
    paper = colours()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.ask("Emulation.setEmulatedMedia", media="")
    page.resize(1280, 900)

    assert dark == ["rgb(13, 17, 23)", "rgb(22, 27, 34)"]
    assert set(widths) == {680}  # a chart as wide as a screen would be cut off
    assert light[1] == paper[1] == "rgb(255, 255, 255)" and paper[0] == "rgb(255, 255, 255)"


def test_nothing_is_wider_than_a_phone(hostile):
    page, _ = hostile

    page.resize(390, 844)
    page.wait_for("document.querySelector('.main-svg').getBoundingClientRect().width < 390")
    width = page.evaluate("document.scrollingElement.scrollWidth")
    page.resize(1280, 900)

    assert width <= 390


def test_one_result_without_seconds_and_resources_makes_a_page_too(page, tmp_path):
    result = make_result(rounds=1)
    for each in result.rounds:
        each.seconds, each.generator = [], None
    write_report([result], [], tmp_path / "one.html")

    page.goto((tmp_path / "one.html").as_uri())
    page.wait_for("document.documentElement.dataset.drawn == 1")  # the distribution

    assert page.console == []
    assert page.text("h1") == "httpx sync"
    assert page.texts("dt") == ["requests a second", "median", "p99", "p99.9", "errors"]


def test_options_of_the_command_are_kept_in_one_piece():
    text = make_page([make_result(warnings=["set a --rate, or <b>--rounds 10"])], [])

    assert "<p>set a <code>--rate</code>, or &lt;b&gt;--rounds 10</p>" in text


def test_a_page_is_made_where_nothing_succeeded():
    text = make_page([without_figures(make_result(errors={"refused": 7}))], [])

    assert "refused" in text and "100 %" in text


def test_a_report_is_whole_or_not_there(tmp_path):
    results = [make_result(rounds=1)]
    with pytest.raises(FileNotFoundError):
        write_report(results, [], tmp_path / "absent" / "report.html")
    path = tmp_path / "report.html"
    path.write_text("the last one")

    with pytest.raises(AttributeError):
        write_report(results, ["no verdict"], path)  # what breaks while the page is made

    assert path.read_text() == "the last one"
    write_report(results, [], path)
    assert path.stat().st_size > 1_000_000
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_is_no_file_is_written_to_and_not_replaced():
    with pytest.raises(OSError, match="No space left"):
        write_report([make_result(rounds=1)], [], "/dev/full")

    assert not Path("/dev/full").is_file()


def test_without_plotly_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)

    with pytest.raises(MissingLibrary, match="plotly is not installed: pip install plotly"):
        write_report(three_clients(rounds=1), [], tmp_path / "report.html")

    assert list(tmp_path.iterdir()) == []
