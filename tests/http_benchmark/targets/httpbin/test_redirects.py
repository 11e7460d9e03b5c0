from __future__ import annotations

import urllib.request

import pytest


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/redirect/3", "/relative-redirect/2"),
        ("/redirect/1", "/get"),
        ("/redirect/2?absolute=true", "{url}/absolute-redirect/1"),
        ("/relative-redirect/2", "/relative-redirect/1"),
        ("/absolute-redirect/2", "{url}/absolute-redirect/1"),
        ("/absolute-redirect/1", "{url}/get"),
        ("/redirect-to?url=http://x/y%20z", "http://x/y%20z"),
    ],
)
def test_a_redirect_leads_one_step_on(target, path, location):
    reply = target.ask(path)

    assert (reply.status, reply.headers["Location"]) == (302, location.format(url=target.url))


def test_the_way_ends_at_get(target):
    with urllib.request.urlopen(f"{target.url}/redirect/4", timeout=30) as reply:
        assert reply.url == f"{target.url}/get"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_status_of_a_redirect_may_be_chosen(target, method):
    assert target.ask("/redirect-to?url=/get&status_code=307", method).status == 307


@pytest.mark.parametrize(
    "path",
    [
        "/redirect/0",
        "/redirect/101",
        "/redirect-to",
        "/redirect-to?url=",
        "/redirect-to?url=/a%0d%0ab",
        "/redirect-to?url=/get&status_code=200",
    ],
)
def test_redirects_that_lead_nowhere_are_refused(target, path):
    assert target.ask(path).status == 400
