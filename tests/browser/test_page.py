"""The driver itself: each thing it offers does what it says, on a page served by our own server."""

from __future__ import annotations

import socket

import pytest

from penstock import App, HTMLResponse
from tests.browser.chromium import Browser
from tests.browser.devtools import BrowserError
from tests.server.harness import serve

PAGE = """<!doctype html><title>Pumps</title><link rel="icon" href="data:,">
<form action="/next"><input name="q" value="old"><select name="kind"><option value="a">A<option value="b">B</select>
<input type="file" id="file"><button>Go</button></form>
<p id="late"></p><script>
document.querySelector("#file").onchange = async e => { late.textContent = await e.target.files[0].text() }
</script>"""


@pytest.fixture
def site():
    app = App()

    @app.get("/")
    def index() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get("/next")
    def after(q: str, kind: str) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>Next</title><link rel=icon href='data:,'><p>{q} {kind}")

    with serve(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_form_is_filled_and_sent(site, page):
    page.goto(site)
    page.fill("input[name=q]", "größe")
    page.fill("select", "b")
    page.click("button")

    page.wait_for("document.title == 'Next'")

    assert page.text("p") == "größe b"
    assert page.evaluate("Promise.resolve([1, {a: null}])") == [1, {"a": None}]


def test_enter_sends_a_form_and_an_empty_text_empties_a_field(site, page):
    page.goto(site)
    page.fill("input[name=q]", "")
    page.press("Enter")

    page.wait_for("document.title == 'Next'")

    assert page.text("p") == "a"


def test_a_file_is_chosen(site, page, tmp_path):
    (tmp_path / "note.txt").write_text("inside")
    page.goto(site)
    page.attach("#file", tmp_path / "note.txt")

    page.wait_for("late.textContent == 'inside'")


def test_the_console_tells_what_went_wrong(site, page):
    page.goto(site)
    assert page.console == []

    page.evaluate("console.error('one', 2)")
    page.evaluate("setTimeout(() => { throw new Error('three') })")
    page.evaluate("fetch('/absent').then(reply => reply.status)")

    page.wait_for("true")
    said = page.console
    assert said[0] == "error: one 2"
    assert any("three" in line for line in said)
    assert any("404" in line and "/absent" in line for line in said)


def test_requests_are_known_and_no_other_host_can_be_reached(site, page):
    page.goto(site)
    assert page.hosts == {"127.0.0.1"}

    reached = page.evaluate("fetch('http://example.org/', {mode: 'no-cors'}).then(() => true, () => false)")

    assert not reached
    assert page.requests[-1] == "http://example.org/"


def test_pages_share_no_cookies(site, browser, page):
    page.goto(site)
    page.evaluate("document.cookie = 'a=1'")
    with browser.open_page() as other:
        other.goto(site)

        assert other.evaluate("document.cookie") == ""
    assert page.evaluate("document.cookie") == "a=1"


def test_what_does_not_come_is_a_failure_that_says_so(site, page):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(BrowserError, match="ERR_CONNECTION_REFUSED"):
            page.goto(f"http://127.0.0.1:{unheard.getsockname()[1]}/")
    page.goto(site)
    with pytest.raises(BrowserError, match="never true"):
        page.wait_for("document.querySelector('#absent')", 0.1)
    with pytest.raises(BrowserError, match="nonsense is not defined"):
        page.evaluate("nonsense()")


def test_a_picture_has_the_size_of_the_view(site, page, tmp_path):
    page.goto(site)
    page.resize(390, 844, dark=True)
    page.screenshot(tmp_path / "page.png")

    octets = (tmp_path / "page.png").read_bytes()

    assert (int.from_bytes(octets[16:20]), int.from_bytes(octets[20:24])) == (390, 844)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_a_browser_that_died_is_started_again(need_tool, site):
    browser = Browser(need_tool("chromium"))
    try:
        browser.open_page()
        browser._process.kill()
        browser._process.wait()

        with browser.open_page() as page:
            page.goto(site)

            assert page.evaluate("document.title") == "Pumps"
    finally:
        browser.close()
