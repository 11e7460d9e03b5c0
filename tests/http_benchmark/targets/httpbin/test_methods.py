from __future__ import annotations

import json
import uuid

import pytest

FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    b"--edge\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    b'--edge\r\nContent-Disposition: form-data; name="f"; filename="t.bin"\r\nContent-Type: x/y\r\n\r\n'
    b"\xff\r\n\r\n\r\n--edge--\r\n"
)


def test_get_tells_what_the_request_was(target):
    reply = target.ask("/get?a=1&a=2&b=x%20y&c", x_own="yes")

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json == {
        "args": {"a": ["1", "2"], "b": "x y", "c": ""},
        "headers": {"Accept-Encoding": "identity", "Host": target.host, "X-Own": "yes"},
        "origin": "127.0.0.1",
        "url": f"{target.url}/get?a=1&a=2&b=x%20y&c",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_methods_with_content_tell_it(target, method):
    told = target.ask(f"/{method.lower()}", method, b"hello").json

    assert set(told) == {"args", "data", "files", "form", "headers", "json", "origin", "url"}
    assert (told["data"], told["json"], told["form"], told["files"]) == ("hello", None, {}, {})


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b"", "", {"data": "", "json": None}),
        (b'{"x":[1,null]}', "application/json", {"data": '{"x":[1,null]}', "json": {"x": [1, None]}}),
        (b'{"x":', "application/json", {"data": '{"x":', "json": None}),
        (b"[1]", "text/plain", {"data": "[1]", "json": [1]}),
        (b"NaN", "", {"data": "NaN", "json": None}),
        (b"\xff\xfe", "", {"data": "data:application/octet-stream;base64,//4=", "json": None}),
        (b"a=1&b=2&a=3", FORM, {"data": "", "form": {"a": ["1", "3"], "b": "2"}}),
        (
            MULTIPART,
            "multipart/form-data; boundary=edge",
            {
                "data": "",
                "form": {"a": "1"},
                "files": {"f": "data:application/octet-stream;base64,/w0KDQo="},
            },
        ),
    ],
    ids=["none", "json", "broken json", "json as text", "no number", "octets", "form", "multipart"],
)
def test_content_is_told_by_its_kind(target, content, kind, told):
    found = target.ask("/post", "POST", content, content_type=kind).json

    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize(
    ("content", "kind"),
    [(MULTIPART[:-4], "multipart/form-data; boundary=edge"), (MULTIPART, "multipart/form-data")],
    ids=["cut", "no boundary"],
)
def test_multipart_that_is_none_is_refused(target, content, kind):
    assert target.ask("/post", "POST", content, content_type=kind).status == 400


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/anything", "/anything/a/b?c=1"])
def test_anything_answers_every_method(target, method, path):
    told = target.ask(path, method).json

    assert (told["method"], told["url"]) == (method, target.url + path)


def test_megabytes_come_back(target):
    content = json.dumps({"filling": "x" * 1_500_000}).encode()

    assert len(target.ask("/post", "POST", content).json["json"]["filling"]) == 1_500_000
    form = target.ask("/post", "POST", b"a=" + b"x" * 3_000_000, content_type=FORM).json["form"]
    assert len(form["a"]) == 3_000_000


def test_content_that_is_no_form_whatever_its_type_says_is_data(target):
    told = target.ask("/post", "POST", b"\xff=%zz", content_type=FORM).json

    assert told["form"] == {}
    assert told["data"].startswith("data:application/octet-stream;base64,")


@pytest.mark.parametrize(
    "path", ["/get", "/bytes/100", "/stream/3", "/json", "/gzip", "/range/20", "/status/200"]
)
def test_head_has_the_fields_and_nothing_else(target, path):
    reply = target.ask(path, "HEAD")

    assert (reply.status, reply.content) == (200, b"")


def test_options_and_other_methods_tell_which_there_are(target):
    options, other = target.ask("/post", "OPTIONS"), target.ask("/post")

    assert (options.status, other.status) == (204, 405)
    assert options.headers["Allow"] == other.headers["Allow"] == "OPTIONS, POST"


def test_parts_of_a_request_are_told_alone(target):
    assert target.ask("/headers", x_a="1").json["headers"]["X-A"] == "1"
    assert target.ask("/ip").json == {"origin": "127.0.0.1"}
    assert target.ask("/user-agent", user_agent="me").json == {"user-agent": "me"}
    assert target.ask("/user-agent").json == {"user-agent": None}
    assert uuid.UUID(target.ask("/uuid").json["uuid"]).version == 4
