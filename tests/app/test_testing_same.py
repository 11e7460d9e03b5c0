"""The same requests to an App in process and over a socket get the same replies."""

from __future__ import annotations

import pytest

from penstock import TestClient
from tests.apps.kinds import app
from tests.server.harness import serve

TRACE = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

TABLE = [
    ("GET", "/", {}),
    ("HEAD", "/", {}),
    ("OPTIONS", "/", {}),
    ("POST", "/", {}),
    ("GET", "/nowhere", {}),
    ("BREW", "/", {}),
    ("GET", "/thread/7?q=a%20b", {}),
    ("HEAD", "/thread/7", {}),
    ("GET", "/thread/x", {}),
    ("GET", "/inline?a=1&b=%C3%A9", {"headers": [("cookie", "a=1; b=2"), ("user-agent", "me")]}),
    ("GET", "/process?n=12", {}),
    ("GET", "/process?n=twelve", {}),
    ("POST", "/items", {"content": b'{"name":"a"}', "headers": [("content-type", "application/json")]}),
    ("POST", "/items", {"content": b'{"name":1', "headers": [("content-type", "application/json")]}),
    ("POST", "/items", {"content": b'{"count":"x"}', "headers": [("content-type", "application/json")]}),
    ("POST", "/items", {"content": b"name=a", "headers": [("content-type", "text/plain")]}),
    ("POST", "/items", {}),
    ("POST", "/echo", {"content": b"\0\xff" * 1000}),
    ("POST", "/small", {"content": b"1234"}),
    ("POST", "/small", {"content": b"12345"}),
    ("POST", "/streamed", {"content": b"x" * 100_000}),
    ("DELETE", "/items/1", {}),
    *[("GET", f"/status/{number}", {}) for number in (200, 202, 204, 205, 299, 304, 404, 503, 600)],
    ("HEAD", "/status/200", {}),
    ("HEAD", "/status/204", {}),
    ("GET", "/stream", {}),
    ("HEAD", "/stream", {}),
    ("GET", "/lines", {}),
    ("HEAD", "/lines", {}),
    ("GET", "/events", {}),
    ("GET", "/file", {}),
    ("HEAD", "/file", {}),
    ("GET", "/file", {"headers": [("range", "bytes=3-9")]}),
    ("GET", "/file", {"headers": [("range", "bytes=900000-")]}),
    ("GET", "/static/kinds.py", {}),
    ("GET", "/static/kinds.py", {"headers": [("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]}),
    ("GET", "/static/none.py", {}),
    ("GET", "/long", {}),
    ("GET", "/long", {"headers": [("accept-encoding", "gzip")]}),
    ("HEAD", "/long", {"headers": [("accept-encoding", "gzip")]}),
    ("GET", "/cookies", {}),
    ("GET", "/teapot", {}),
    ("GET", "/boom", {}),
    ("GET", "/bad-field", {}),
    ("GET", "/own-framing", {}),
    ("GET", "/wrong-length", {}),
    ("GET", "/last", {}),
    ("GET", "/redirect/303", {}),
    ("GET", "/redirect/307", {}),
]


@pytest.fixture(scope="module")
def server():
    with serve(app, faults=True) as running:
        yield running


@pytest.fixture(scope="module")
def client():
    with TestClient(
        app, "http://test", headers=[TRACE], raise_server_exceptions=False, follow_redirects=False
    ) as client:
        yield client


@pytest.mark.parametrize(("method", "target", "options"), TABLE, ids=lambda value: str(value)[:40])
def test_a_reply_in_process_is_the_one_over_a_socket(server, client, method, target, options):
    content = options.get("content")
    fields = [f"{name}: {value}" for name, value in [TRACE, *options.get("headers", [])]]
    if method == "POST" and content is None:
        content = b""

    near = client.request(method, target, **options)
    with server.connect() as connection:
        far = connection.ask(target, method, *fields, body=content)
    client.cookies.clear()

    assert near.status == far.status
    assert near.content == far.content
    assert without_date(near.headers.items()) == without_date(far.fields)


def without_date(fields):
    assert [name for name, _ in fields].count("date") == 1
    return sorted((name, value) for name, value in fields if name != "date")
