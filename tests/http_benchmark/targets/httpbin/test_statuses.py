from __future__ import annotations

import pytest


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("code", [200, 201, 204, 205, 299, 304, 400, 404, 500, 503, 599])
def test_the_status_is_the_one_asked_for(target, method, code):
    reply = target.ask(f"/status/{code}", method)

    assert (reply.status, reply.content) == (code, b"")


@pytest.mark.parametrize(
    ("code", "field", "value"),
    [
        (302, "Location", "/redirect/1"),
        (401, "WWW-Authenticate", 'Basic realm="Fake Realm"'),
        (407, "Proxy-Authenticate", 'Basic realm="Fake Realm"'),
        (406, "Content-Type", "application/json"),
    ],
)
def test_some_have_fields_of_their_own(target, code, field, value):
    reply = target.ask(f"/status/{code}")

    assert (reply.status, reply.headers[field]) == (code, value)


def test_one_of_several_is_chosen_by_weight(target):
    assert {target.ask("/status/200:0,503:1").status for _ in range(10)} == {503}
    assert {target.ask("/status/200,503").status for _ in range(60)} == {200, 503}


@pytest.mark.parametrize(
    "codes", ["x", "99", "101", "600", "2000", "²00", "200:x", "200:-1,201", "200:0,201:0", ","]
)
def test_what_is_no_status_is_refused(target, codes):
    from urllib.parse import quote

    assert target.ask(f"/status/{quote(codes)}").status == 400
