"""What a span says of hostile requests is bounded, and by the conventions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http.request import Request
from penstock.observe.spans.attributes import attributes_of, method_of, redacted


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("shop.example", "shop.example", 80),
        ("shop.example:8000", "shop.example", 8000),
        ("[::1]", "::1", 80),
        ("[::1]:8000", "::1", 8000),
        ("192.0.2.1:", "192.0.2.1:", 80),
        ("a:99999999999", "a:99999999999", 80),
        ("x" * 5_000, "x" * 1_024, 80),
    ],
)
def test_the_address_is_that_of_the_host(host, address, port):
    found = attributes_of(Request.build(headers=[("host", host)]))

    assert (found["server.address"], found["server.port"]) == (address, port)


def test_without_a_host_there_is_no_address():
    assert "server.address" not in attributes_of(Request.build(headers=[]))


def test_a_method_of_somebody_is_no_name_of_a_span():
    found = attributes_of(Request.build("X" * 5_000))

    assert found["http.request.method"] == "_OTHER"
    assert len(found["http.request.method_original"]) == 1_024
    assert method_of(Request.build("X" * 5_000)) == "HTTP"
    assert method_of(Request.build("QUERY")) == "QUERY"


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#?"), max_size=3_000),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=3_000),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=3_000),
)
def test_whatever_comes_is_bounded_text(path, query, agent):
    agent = "".join(char for char in agent if char.isprintable())
    request = Request.build(target=f"/{path}?{query}", headers=[("host", "a"), ("user-agent", agent)])

    for name, value in attributes_of(request).items():
        assert isinstance(value, (str, int)), name
        assert len(str(value)) <= 4_096, name


def test_an_exception_tells_no_secret_and_not_everything():
    try:
        raise ValueError("password=hunter2hunter2 " + "x" * 100_000)
    except ValueError as error:
        told = redacted(error)

    assert "hunter2" not in str(told)
    assert len(told["exception.message"]) <= 1_024
    assert len(told["exception.stacktrace"]) <= 32_768
