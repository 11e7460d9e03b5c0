"""Our own page about an API, in Chromium."""

from __future__ import annotations

import copy
import json

import pytest

from penstock import App, SecurityHeaders
from tests.app.docs.conftest import make_app
from tests.app.docs.document import DOCUMENT
from tests.server.harness import serve

READY = "window.penstock.ready"
SUMMARIES = [
    "List pumps",
    "Add a pump",
    "Show one",
    "",
    "Store a photo",
    "Events, one by one",
    "A pump was sold",
]


@pytest.fixture(scope="module")
def site(run_docs):
    with run_docs() as url:
        yield url


@pytest.fixture
def docs(site, page):
    page.goto(f"{site}/docs")
    page.wait_for(READY)
    yield page
    assert page.console == []
    assert page.hosts == {"127.0.0.1"}


def open_operation(page, name):
    page.click(f"[data-operation={name}] > summary")
    page.wait_for(f"document.querySelector('[data-operation={name}] .inside')")
    return f"[data-operation={name}]"


def send(page, operation):
    """Send the form of an operation; the status and the content of the reply."""
    page.evaluate(f"document.querySelector('{operation} .reply').replaceChildren()")
    page.click(f"{operation} .send")
    status = page.wait_for(
        f"document.querySelector('{operation} .reply .status').textContent.match(/^(?!…)[^]*/)"
    )
    page.wait_for(f"!document.querySelector('{operation} .stop')")
    shown = page.evaluate(f"document.querySelector('{operation} .reply .content')?.innerText")
    return status[0], shown


def test_every_operation_and_schema_is_there(docs):
    assert docs.text("h1") == "Pump <shop> 2.1"
    assert docs.texts("details.operation .method") == ["GET", "POST", "GET", "DELETE", "POST", "GET", "POST"]
    assert docs.texts("details.operation .path") == [
        "/pumps",
        "/pumps",
        *["/pumps/{pump_id}"] * 2,
        "/photos",
        "/events",
        "sold",
    ]
    assert docs.texts("section.group h2") == ["pumps", "Other", "Webhooks"]
    assert docs.texts("details.model > summary") == ["Pump", "Problem"]
    assert docs.texts("header strong") == ["pumps"]
    assert docs.evaluate("document.querySelector('header .text a').href") == "https://example.org/rfc"


def test_parameters_are_sent_and_the_reply_is_shown(docs):
    operation = open_operation(docs, "list_pumps")
    docs.fill("[id='list_pumps-query-limit']", "7")
    docs.fill("[id='list_pumps-query-kind']", "hand\ndiesel & co")
    docs.fill("[id='list_pumps-query-full']", "true")
    docs.fill("[id='list_pumps-header-X-Trace']", "abc")

    status, shown = send(docs, operation)

    assert status.startswith("200 OK")
    assert json.loads(shown) == {
        "limit": 7,
        "query": "limit=7&kind=hand&kind=diesel%20%26%20co&full=true",
        "trace": "abc",
    }
    assert "/pumps?limit=7" in docs.text(f"{operation} .curl")


def test_what_the_application_refuses_is_shown_with_its_problem(docs):
    operation = open_operation(docs, "list_pumps")
    docs.fill("[id='list_pumps-query-limit']", "many")

    status, shown = send(docs, operation)

    assert status.startswith("422")
    assert json.loads(shown)["status"] == 422
    assert "422" in docs.console[0]
    docs._console.clear()


def test_what_is_required_must_be_there_before_anything_is_sent(docs):
    operation = open_operation(docs, "show_pump")
    docs.fill("[id='show_pump-path-pump_id']", "")
    before = len(docs.requests)

    status, _ = send(docs, operation)

    assert status == "pump_id is required"
    assert len(docs.requests) == before


def test_a_body_begins_as_an_example_that_fits(docs):
    operation = open_operation(docs, "add_pump")

    sample = json.loads(docs.evaluate(f"document.querySelector('{operation} textarea').value"))

    assert sample == {"name": "text", "price": 1, "kind": "hand", "made": "2030-01-31", "parts": []}
    assert "Needs bearer or key." in docs.text(operation)


@pytest.mark.parametrize(
    ("scheme", "entered", "sent"),
    [
        ("bearer", {"token": "abc"}, "Bearer abc"),
        ("key", {"token": "k1"}, "k1"),
    ],
)
def test_what_was_entered_is_sent_with_what_needs_it(docs, scheme, entered, sent):
    docs.click("button.authorise")
    for name, value in entered.items():
        docs.fill(f"form[data-scheme={scheme}] input[name={name}]", value)
    docs.press("Enter")
    docs.wait_for(
        f"document.querySelector('form[data-scheme={scheme}] .note').textContent.startsWith('Held')"
    )
    docs.click("dialog .close")

    operation = open_operation(docs, "add_pump")
    status, shown = send(docs, operation)

    assert status.startswith("201")
    assert json.loads(shown)["sent"] == sent
    assert "***" in docs.text(f"{operation} .curl")
    assert sent not in docs.text(f"{operation} .curl")
    assert (
        docs.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
        == "{}{}"
    )


def test_a_token_is_fetched_with_name_and_password(run_docs, page):
    document = copy.deepcopy(DOCUMENT)
    document["security"] = [{"login": ["read"]}]
    del document["paths"]["/pumps"]["post"]["security"]
    with run_docs(document=document) as url:
        page.goto(f"{url}/docs")
        page.wait_for(READY)
        page.click("button.authorise")
        page.fill("form[data-scheme=login] input[name=user]", "ann")
        for password, told in (("wrong", "wrong password"), ("right", "Held until this page is left.")):
            page.fill("form[data-scheme=login] input[name=password]", password)
            page.press("Enter")
            page.wait_for(f"document.querySelector('form[data-scheme=login] .note').textContent == {told!r}")
        page.click("dialog .close")

        _, shown = send(page, open_operation(page, "add_pump"))

        assert json.loads(shown)["sent"] == "Bearer t0ken"


def test_basic_credentials_may_hold_any_character(run_docs, page):
    document = copy.deepcopy(DOCUMENT)
    document["paths"]["/pumps"]["post"]["security"] = [{"basic": []}]
    with run_docs(document=document) as url:
        page.goto(f"{url}/docs")
        page.wait_for(READY)
        page.click("button.authorise")
        page.fill("form[data-scheme=basic] input[name=user]", "änn")
        page.fill("form[data-scheme=basic] input[name=password]", "p:€")
        page.press("Enter")
        page.wait_for("document.querySelector('form[data-scheme=basic] .note').textContent")
        page.click("dialog .close")

        _, shown = send(page, open_operation(page, "add_pump"))

        assert json.loads(shown)["sent"] == "Basic w6RubjpwOuKCrA=="


def test_a_file_is_uploaded(docs, tmp_path):
    (tmp_path / "photo.bin").write_bytes(b"inside" * 1000)
    operation = open_operation(docs, "add_photo")
    docs.attach(f"{operation} input[type=file]", tmp_path / "photo.bin")

    status, shown = send(docs, operation)

    told = json.loads(shown)
    assert status.startswith("200")
    assert told["type"].startswith("multipart/form-data; boundary=")
    assert told["holds"]
    assert told["octets"] > 6000


def test_a_stream_is_shown_while_it_comes_and_can_be_stopped(docs):
    operation = open_operation(docs, "events")
    docs.click(f"{operation} .send")
    docs.wait_for(f"document.querySelector('{operation} .reply pre[tabindex]').textContent.includes('first')")

    docs.click(f"{operation} .stop")

    docs.wait_for(f"document.querySelector('{operation} .reply .status').textContent.endsWith('stopped')")


def test_members_of_a_schema_open_level_by_level_even_when_it_holds_itself(docs):
    docs.click("details.model > summary")
    docs.wait_for("document.querySelector('details.model .members')")
    for depth in (1, 2, 3):
        inner = "details.model .members" + " li details" * (depth - 1) + " li > details"
        docs.click(f"{inner} > summary")
        docs.wait_for(f"document.querySelector('{inner} > .members')")

    assert docs.texts("details.model > .schema > .members > li > .name") == [
        "id",
        "name",
        "price",
        "kind",
        "made",
    ]
    assert "length ≥ 1" in docs.text("details.model .members")


def test_operations_are_found_by_words(docs):
    docs.fill(".filter", "POST photo")

    docs.wait_for(
        "[...document.querySelectorAll('details.operation')].filter(one => one.checkVisibility()).length == 1"
    )
    assert docs.texts("section.group:not([hidden]) details.operation:not([hidden]) .path") == ["/photos"]


def test_an_address_names_an_operation(run_docs, page):
    with run_docs() as url:
        page.goto(f"{url}/docs#show_pump")
        page.wait_for(READY)

        assert page.wait_for("document.querySelector('details[open]').dataset.operation") == "show_pump"


def test_nothing_a_document_says_becomes_markup(run_docs, page):
    evil = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script>'
    document = json.loads(
        json.dumps(DOCUMENT)
        .replace("Sells", json.dumps(evil)[1:-1])
        .replace("List pumps", json.dumps(evil)[1:-1])
    )
    document["info"]["title"] = evil
    document["components"]["schemas"][evil] = {"type": "object", "description": f"[x](javascript:{evil})"}
    with run_docs(document=document) as url:
        page.goto(f"{url}/docs")
        page.wait_for(READY)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.wait_for("document.querySelectorAll('details.model .schema').length == 3")

        assert page.evaluate("document.images.length + document.querySelectorAll('main script').length") == 0
        assert page.evaluate("document.querySelectorAll('a[href^=javascript]').length") == 0
        assert page.evaluate("window.hit") is None
        assert evil in page.text("h1")
        assert page.console == []


@pytest.mark.parametrize("docs_path", ["/docs", "/internal/api/docs", "/"])
def test_a_prefix_before_everything_changes_nothing(page, docs_path):
    outer = App()
    outer.mount("/shop", make_app(docs=docs_path).__call__)  # as ASGI
    with serve(outer) as server:
        url = f"http://127.0.0.1:{server.port}"
        page.goto(f"{url}/shop{docs_path}")
        page.wait_for(READY)

        status, shown = send(page, open_operation(page, "show_pump"))

        assert status.startswith("200"), shown
        assert {request.removeprefix(url)[:6] for request in page.requests} == {"/shop/"}
        assert page.console == []


def test_a_document_that_cannot_be_had_is_said(run_docs, page):
    with run_docs() as url:
        page.goto(f"{url}/docs")
        page.wait_for(READY)
        page.evaluate("document.querySelector('main').dataset.document = 'absent.json'")
        page.evaluate("import(new URL('docs/own/page.js?again', location.href).href)")

        page.wait_for(
            "document.querySelector('.failure').textContent.includes('absent.json cannot be shown: it answered 404')"
        )


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(docs, dark):
    docs.resize(390, 844, dark=dark)
    docs.evaluate("document.querySelectorAll('details.operation').forEach(one => one.open = true)")
    docs.wait_for("document.querySelectorAll('details.operation .inside').length == 7")
    docs.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    docs.wait_for("document.querySelectorAll('details.response .schema').length >= 5")

    assert docs.evaluate("document.documentElement.scrollWidth") == 390
    ground, text = docs.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    assert (ground < text) == dark or (len(ground) < len(text)) == dark


def test_fields_of_hooks_stand_beside_the_policy_of_the_page(run_docs, page):
    hook = SecurityHeaders(csp="default-src 'none'", embedder="require-corp", resource="same-origin")
    with run_docs(hooks=[hook]) as url:
        page.goto(f"{url}/docs")
        page.wait_for(READY)

        status, _ = send(page, open_operation(page, "list_pumps"))

        assert status.startswith("200")
        assert page.console == []


def test_servers_of_the_document_may_be_chosen_and_asked(run_docs, page):
    document = copy.deepcopy(DOCUMENT)
    with run_docs() as other:
        document["servers"] = [{"url": "/"}, {"url": other, "description": "Other"}]
        with run_docs(document=document) as url:
            page.goto(f"{url}/docs")
            page.wait_for(READY)
            page.fill("header select", other)

            status, _ = send(page, open_operation(page, "list_pumps"))

            assert status.startswith("No reply")  # the policy of the page allows it, the other does not
            assert "CORS" in "".join(page.console)
            assert "Content Security Policy" not in "".join(page.console)
