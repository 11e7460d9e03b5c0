"""Problem details: the members of RFC 9457, and that text from outside cannot break an error's answer."""

import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import problem as module
from penstock.http.problem import problem


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_the_least_a_problem_says() -> None:
    response = problem(404)

    assert response.status == 404
    assert response.media_type == "application/problem+json"
    assert json.loads(response.body) == {"type": "about:blank", "title": "Not Found", "status": 404}


def test_every_member_in_the_order_of_the_rfc() -> None:
    response = problem(
        403,
        title="No credit",
        detail="30 is less than 50",
        type="https://example.org/credit",
        instance="/account/1",
        headers={"Retry-After": "5"},
        balance=30,
        accounts=["/a", "/b"],
        trace_id=None,
    )

    assert list(json.loads(response.body).items()) == [
        ("type", "https://example.org/credit"),
        ("title", "No credit"),
        ("status", 403),
        ("detail", "30 is less than 50"),
        ("instance", "/account/1"),
        ("balance", 30),
        ("accounts", ["/a", "/b"]),
    ]
    assert response.headers["retry-after"] == "5"


def test_an_empty_detail_is_kept() -> None:
    assert json.loads(problem(400, detail="").body)["detail"] == ""


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "\x00\x1f", '"}', "</script>", "é\u2028"])
def test_text_from_outside_is_shown_and_never_raises(text: str) -> None:
    body = json.loads(problem(400, detail=text, instance=text).body)

    assert body["detail"] == body["instance"]
    assert body["status"] == 400


@given(st.text(), st.integers(100, 599))
def test_any_detail_is_valid_json(text: str, status: int) -> None:
    assert json.loads(problem(status, detail=text).body)["status"] == status


def test_a_header_made_of_a_list_is_kept_in_order() -> None:
    response = problem(405, headers=[("Allow", "GET"), ("Allow", "HEAD")])

    assert response.headers.get_all("allow") == ["GET", "HEAD"]
