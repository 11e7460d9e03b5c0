from __future__ import annotations

import base64

import pytest


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(("route", "status"), [("basic-auth", 401), ("hidden-basic-auth", 404)])
def test_only_this_user_with_this_password(target, route, status):
    path = f"/{route}/ada/s3cret%C3%A9"

    assert target.ask(path, authorization=basic("ada", "s3creté")).json == {
        "authenticated": True,
        "user": "ada",
    }
    for given in ("", "Basic", "Basic !", "Bearer x", basic("ada", "wrong"), basic("eve", "s3creté")):
        reply = target.ask(path, authorization=given)
        assert reply.status == status
        assert (reply.headers["WWW-Authenticate"] == 'Basic realm="Fake Realm"') == (status == 401)


def test_any_bearer_will_do(target):
    assert target.ask("/bearer", authorization="Bearer abc").json == {"authenticated": True, "token": "abc"}
    for given in ("", "Bearer ", "Basic abc"):
        reply = target.ask("/bearer", authorization=given)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
