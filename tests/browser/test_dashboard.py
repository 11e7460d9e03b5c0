"""The dashboard as an operator sees it: real workers, real load, and hostile text in every place it can come from."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from contextlib import contextmanager

import pytest

from tests.e2e.serving import receive
from tests.e2e.workers import Load, children, workers

APPLICATION = """
import asyncio, os
from penstock import App

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "served"

@app.get("/users/{user_id}")
def user(user_id: str) -> str:
    return user_id

@app.get("/slow/{seconds:float}")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"

@app.get("/wait")
async def wait() -> str:
    while not os.path.exists("open"):
        await asyncio.sleep(0.02)
    return "opened"

@app.get("/fail/{what:path}")
def fail(what: str) -> str:
    raise type("Tidal<b>Wave", (Exception,), {})(what)
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SCRIPT = "%3Cimg%20src=x%20onerror=window.hacked=1%3E';alert(1)//&amp;&lt;b&gt;"
ROWS = "[...document.querySelectorAll('#%s tbody tr')].map(row => row.innerText)"


@contextmanager
def serving(folder, *flags):
    with workers(folder, "--admin", "127.0.0.1:0", *flags, text=APPLICATION, may_fail=True) as server:
        yield server, re.search(r"admin\s+(\S+)", server.log)[1] + "/dashboard"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with two workers, and the URL of its dashboard."""
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def own_site(tmp_path):
    """One for a test alone: it counts requests, or kills."""
    with serving(tmp_path) as running:
        yield running


def rows(page, name):
    return page.evaluate(ROWS % name)


def shown_number(page, selector):
    return float(page.text(selector).replace(",", ""))


def wait_ready(page, url):
    page.goto(url)
    page.wait_for("document.querySelector('#status-text').textContent == 'serving'")


def clean(page):
    assert page.console == []
    assert page.hosts == {"127.0.0.1"}
    assert page.evaluate("window.hacked === undefined")


def test_the_page_shows_what_clients_counted(own_site, page):
    server, url = own_site
    wait_ready(page, url)
    with Load(server, ["/", "/users/7", "/slow/0.02"], clients=6) as load:
        page.wait_for("parseFloat(document.querySelector('#rate').textContent) > 0")
        page.wait_for("document.querySelectorAll('#workers tbody tr').length == 2")
    assert not load.failures

    total = f"document.querySelector('#rate-sub').textContent.replace(',', '').startsWith('{load.count} ')"
    if load.count >= 10_000:
        total = "parseFloat(document.querySelector('#rate-sub').textContent) >= 10"
    page.wait_for(total)
    shown = {pid for row in rows(page, "workers") for pid in children(server) if str(pid) in row}
    assert len(shown) == 2
    clean(page)


def test_a_request_in_flight_is_shown_while_it_is_there(own_site, page, tmp_path):
    server, url = own_site
    wait_ready(page, url)
    with server.ask("/wait?secret=hunter2", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01"):
        page.wait_for(f"{ROWS % 'requests'}.some(row => row.includes('GET /wait?'))")
        page.wait_for("document.querySelector('#flight').textContent == '1'")
        assert "hunter2" not in page.evaluate("document.documentElement.outerHTML")
        (tmp_path / "open").touch()
        page.wait_for("document.querySelector('#flight').textContent == '0'")
        page.wait_for("document.querySelector('#requests .empty').checkVisibility()")
    clean(page)


def test_a_worker_that_is_killed_is_seen_and_so_is_the_next(own_site, page):
    _, url = own_site
    wait_ready(page, url)
    page.wait_for("document.querySelectorAll('#workers tbody tr').length == 2")
    admin = json.loads(urllib.request.urlopen(url.replace("/dashboard", "/live")).read())
    victim = admin["workers"][0]["pid"]

    os.kill(victim, signal.SIGKILL)

    page.wait_for(f"{ROWS % 'events'}.some(row => row.includes('worker died') && row.includes('{victim}'))")
    page.wait_for(f"{ROWS % 'events'}.some(row => row.includes('worker started'))")
    page.wait_for("document.querySelector('#about').textContent.includes('1 restart')")
    page.wait_for(
        f"(rows => rows.length == 2 && !rows.some(row => row.includes('{victim}')))({ROWS % 'workers'})"
    )
    clean(page)


def test_an_error_is_found_by_its_trace_id_and_hostile_text_stays_text(site, page):
    server, url = site
    wait_ready(page, url)
    for path in (f"/fail/{SCRIPT}", f"/{SCRIPT}"):
        receive(server.ask(path, f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01", "Connection: close"))

    page.wait_for(f"{ROWS % 'errors'}.some(row => row.includes('{TRACE}'))")

    (row,) = [row for row in rows(page, "errors") if TRACE in row]
    assert "500" in row
    assert "GET /fail/%3Cimg" in row
    assert "Tidal<b>Wave" in row
    assert page.evaluate("document.querySelectorAll('main img, main b, main script').length") == 0
    clean(page)


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_phone_needs_no_scrolling_sideways_and_colours_are_the_persons(site, page, is_dark):
    server, url = site
    page.resize(360, 740, dark=is_dark)
    receive(server.ask(f"/fail/{'x' * 300}", "Connection: close"))
    wait_ready(page, url)
    page.wait_for("document.querySelectorAll('#errors tbody tr').length >= 1")

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == is_dark
    clean(page)


def test_the_theme_is_chosen_and_remembered(site, page):
    _, url = site
    wait_ready(page, url)
    page.click("#theme")
    page.click("#theme")
    assert page.text("#theme") == "Theme: dark"
    wait_ready(page, url)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") is None
    clean(page)


def test_a_server_that_is_gone_is_said_loudly(tmp_path, page):
    with serving(tmp_path) as (_, url):
        wait_ready(page, url)

    page.wait_for("document.querySelector('#alerts').textContent.includes('Connection lost')")
    assert page.text("#status-text") == "connection lost"
    assert page.evaluate("document.title").startswith("CONNECTION LOST")


def test_an_endpoint_that_comes_back_is_found_again_and_the_past_is_kept(own_site, page):
    server, url = own_site
    wait_ready(page, url)
    stamp = page.text("#rate-read span")
    admin = next(pid for pid in children(server) if str(pid) not in page.text("#workers"))

    os.kill(admin, signal.SIGKILL)
    page.wait_for("document.querySelector('#alerts').textContent.includes('Connection lost')")
    page.wait_for("document.querySelector('#status-text').textContent == 'serving'")

    page.wait_for(f"document.querySelector('#rate-read span').textContent > '{stamp}'")
    page.click("#pause")
    assert page.text("#pause") == "Paused"
    assert page.evaluate("document.querySelector('#pause').getAttribute('aria-pressed')") == "true"


def test_the_keyboard_reaches_the_charts_and_sorts_the_tables(site, page):
    server, url = site
    with Load(server, ["/", "/users/7"], clients=2):
        wait_ready(page, url)
        for name in ("GET /users/{user_id}", "GET /"):  # the server has rows of other tests, too
            page.wait_for(f"({ROWS % 'routes'}).some(row => row.startsWith({name!r} + '\\t'))")
    page.evaluate("document.querySelector('#rate-chart').focus()")
    newest = page.text("#rate-read span")
    page.press("ArrowLeft", 37)
    page.press("ArrowLeft", 37)
    page.wait_for(f"document.querySelector('#rate-read span').textContent < '{newest}'")
    page.press("Escape")
    page.wait_for(f"document.querySelector('#rate-read span').textContent >= '{newest}'")

    page.click("#routes th button")
    assert page.evaluate("document.querySelector('#routes th').getAttribute('aria-sort')") == "descending"
    names = [row.split("\t")[0] for row in rows(page, "routes")]
    assert names == sorted(names, reverse=True)
    assert {"GET /users/{user_id}", "GET /"} <= set(names)
    clean(page)


def test_several_watch_at_once(site, browser, page):
    _, url = site
    wait_ready(page, url)
    with browser.open_page() as other:
        wait_ready(other, url)
        seen = other.text("#rate-read span")
        page.wait_for(f"document.querySelector('#rate-read span').textContent > '{seen}'")
    clean(page)


def test_the_page_is_small_and_whole():
    from penstock.server.admin.dashboard.page import tell_dashboard

    response = tell_dashboard(None, None)
    text = response.body.decode()

    assert len(response.body) < 60_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"\son\w+=|innerHTML|insertAdjacent|outerHTML|document\.write|\beval\b|style=", text)
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_the_stack_of_a_request_that_takes_long_is_a_click_away(tmp_path, page):
    with serving(tmp_path, "--slow-request", "0.1") as (server, url):
        wait_ready(page, url)
        with server.ask("/wait", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01"):
            page.wait_for("document.querySelector('#requests .open').checkVisibility()")
            assert not page.evaluate("document.querySelector('#requests pre').checkVisibility()")
            page.click("#requests .open")
            assert "asyncio.sleep" in page.text("#requests pre")
            assert page.evaluate("document.querySelector('#requests .open').ariaExpanded") == "true"
            assert TRACE in page.text("#requests tbody tr")
            (tmp_path / "open").touch()
            page.wait_for("document.querySelector('#requests .empty').checkVisibility()")
        clean(page)
