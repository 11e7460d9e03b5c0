"""Swagger UI, ReDoc and Scalar of the `[docs]` extra, in Chromium, with no host but ours within reach."""

from __future__ import annotations

import json

import pytest

SUMMARIES = [
    "List pumps",
    "Add a pump",
    "Show one",
    "",
    "Store a photo",
    "Events, one by one",
    "A pump was sold",
]
LOGO = (
    "https://cdn.redoc.ly/redoc/logo-mini-full.svg"  # of ReDoc's badge; our policy lets no browser ask for it
)


@pytest.fixture(scope="module")
def site(run_docs):
    with run_docs("swagger") as url:
        yield url


@pytest.fixture
def swagger(site, page):
    page.goto(f"{site}/docs")
    page.wait_for("document.querySelectorAll('.opblock').length == 7")
    yield page
    assert page.console == []
    assert page.hosts == {"127.0.0.1"}


def test_swagger_ui_shows_every_operation(swagger):
    assert swagger.texts(".opblock-summary-description") == SUMMARIES
    assert swagger.evaluate("document.title") == "Pump <shop>"


def test_swagger_ui_tries_an_operation_out(swagger):
    swagger.click("#operations-pumps-list_pumps .opblock-summary-control")
    swagger.click(".try-out__btn")
    swagger.fill("tr[data-param-name=limit] input", "7")
    swagger.click(".execute")

    swagger.wait_for(
        "document.querySelector('.live-responses-table .response .response-col_status').innerText.startsWith('200')"
    )

    assert '"limit": 7' in swagger.text(".live-responses-table .highlight-code")


def test_swagger_ui_sends_a_token_with_what_needs_it(swagger):
    swagger.click(".auth-wrapper .authorize")
    swagger.fill("#auth-bearer-value", "abc")
    swagger.click(".auth-container .authorize")
    swagger.click(".auth-container .btn-done")
    swagger.click("#operations-pumps-add_pump .opblock-summary-control")
    swagger.click(".try-out__btn")
    swagger.click(".execute")

    swagger.wait_for(
        "document.querySelector('.live-responses-table .response .response-col_status').innerText.startsWith('201')"
    )

    assert '"sent": "Bearer abc"' in swagger.text(".live-responses-table .highlight-code")


def test_swagger_ui_follows_the_colours_of_the_browser(swagger):
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = swagger.evaluate(ground)

    swagger.resize(1280, 900, dark=True)

    swagger.wait_for(f"{ground} != {json.dumps(light)}")


@pytest.mark.parametrize("ui", ["redoc", "scalar"])
def test_redoc_and_scalar_show_the_operations_and_ask_nobody_else(run_docs, page, ui):
    with run_docs(ui) as url:
        page.goto(f"{url}/docs")
        for shown in ("Pump <shop>", "/pumps/{pump_id}", "Store a photo", "Events, one by one"):
            page.wait_for(f"document.body.textContent.includes({json.dumps(shown)})")

        assert [line for line in page.console if LOGO not in line] == []
        assert {one for one in page.requests if not one.startswith(url)} <= {LOGO}
        assert page.evaluate("document.title") == "Pump <shop>"
