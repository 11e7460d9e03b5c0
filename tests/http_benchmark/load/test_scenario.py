"""Scenarios: what is sent, in which order, and what is refused."""

import pickle
from collections import Counter

import pytest

from http_benchmark.errors import UsageError
from http_benchmark.load.messages import Messages
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.load.templates import read_data

URL = "http://127.0.0.1:8000/"


def sent(scenario, count):
    shots = Messages(scenario, LoadOptions()).shots()
    return [next(shots)[0] for _ in range(count)]


def one(**request):
    data = request.pop("data", None)
    return sent(Scenario(requests=(Request(**{"url": URL} | request),), data=data), 1)[0]


@pytest.mark.parametrize(
    ("request_", "octets"),
    [
        ({}, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"),
        ({"url": "http://a?b=%25"}, b"GET /?b=%25 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ({"url": "https://[::1]:1/x#y"}, b"GET /x HTTP/1.1\r\nHost: [::1]:1\r\n\r\n"),
        ({"headers": {"host": "b", "A": "1"}}, b"GET / HTTP/1.1\r\nhost: b\r\nA: 1\r\n\r\n"),
        ({"method": "POST"}, b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 0\r\n\r\n"),
        (
            {"method": "PUT", "body": b"100 %b"},
            b"PUT / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 6\r\n\r\n100 %b",
        ),
        ({"method": "DELETE"}, b"DELETE / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"),
        ({"url": URL + "{id}"}, b"GET /{id} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"),
    ],
    ids=["plain", "query", "IPv6", "host", "empty", "body", "none", "no data"],
)
def test_a_request_is_rendered(request_, octets):
    assert one(**request_) == octets


def test_weights_are_exact_in_each_cycle_and_the_order_is_fixed():
    requests = tuple(
        Request(url=f"{URL}{name}", weight=weight) for name, weight in (("a", 6), ("b", 2), ("c", 4))
    )
    scenario = Scenario(requests=requests, seed=7)

    paths = [octets[5:6] for octets in sent(scenario, 60)]

    assert all(Counter(paths[at : at + 6]) == {b"a": 3, b"b": 1, b"c": 2} for at in range(0, 60, 6))
    assert paths == [octets[5:6] for octets in sent(pickle.loads(pickle.dumps(scenario)), 60)]
    assert scenario.order != sorted(scenario.order)


def test_rows_fill_paths_headers_and_bodies_in_order():
    data = read_data('id,name\n1,"a ""b"" c/d"\n2,é\n', "users.csv")
    requests = (
        Request(url=URL + "users/{name}?id={id}", headers={"X-Name": "{id}-{id}"}),
        Request(url=URL + "b", method="POST", body=b'{"n": "{name:json}", "u": "{name:url}", "t": {{id}}}'),
        Request(url=URL + "plain"),
    )
    scenario = Scenario(requests=requests, data=data)

    found = sent(scenario, 12)

    filled = [octets for octets in found if b"/plain" not in octets]
    rows = [1 if b"users/a" in octets or b'\\"' in octets else 2 for octets in filled]
    assert rows == [1, 2, 1, 2, 1, 2, 1, 2]
    bodies = {octets.partition(b"\r\n\r\n")[2] for octets in filled if octets.startswith(b"POST")}
    assert bodies <= {
        b'{"n": "a \\"b\\" c/d", "u": "a%20%22b%22%20c%2Fd", "t": {id}}',
        '{"n": "é", "u": "%C3%A9", "t": {id}}'.encode(),
    }
    lines = {octets.split(b"\r\n")[0] for octets in filled if octets.startswith(b"GET")}
    assert lines <= {
        b"GET /users/a%20%22b%22%20c%2Fd?id=1 HTTP/1.1",
        b"GET /users/%C3%A9?id=2 HTTP/1.1",
    }
    for octets in filled:
        head, _, body = octets.partition(b"\r\n\r\n")
        assert not body or b"\r\nContent-Length: %d" % len(body) in head


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"url": "ftp://a/"}, "no URL of a server"),
        ({"url": "http://a:x/"}, "no URL"),
        ({"url": "http://me:secret@a/"}, "not in the URL"),
        ({"url": "http://a/b c"}, "percent-encode"),
        ({"method": "G T"}, "no method"),
        ({"method": "CONNECT"}, "no method"),
        ({"body": b"x"}, "GET has no body"),
        ({"headers": {"a b": "c"}}, "no header"),
        ({"headers": {"a": "b\r\nc: d"}}, "no header"),
        ({"headers": {"a": 1}}, "must be a text"),
        ({"headers": {"Content-Length": "3"}}, "made from the request"),
        ({"weight": 0}, "weight is 0"),
        ({"weight": 1.5}, "weight is 1.5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_that_cannot_be_meant(request_, message):
    with pytest.raises(UsageError, match=message) as raised:
        one(**request_)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("a,b\n", "has no rows"),
        ("a,b\n1\n", "line 2: 1 values for 2 columns"),
        ("a,a\n1,2\n", "line 1: two columns"),
        ("a b\n1\n", "line 1: 'a b' is no name"),
        ('a\n"x\n', "line 2"),
    ],
    ids=["empty", "head only", "short row", "twice", "name", "quote"],
)
def test_data_that_is_wrong(text, message):
    with pytest.raises(UsageError, match=message):
        read_data(text, "d.csv")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("{nam}", "x", r"\{nam\} is no column of d.csv; did you mean \{name\}\?"),
        ("{zzz}", "x", "there are name"),
        ("{name:xml}", "x", "none of the encodings raw, url, json"),
    ],
    ids=["typo", "unknown", "encoding"],
)
def test_templates_that_are_wrong(path, value, message):
    with pytest.raises(UsageError, match=message):
        one(url=URL + path, data=read_data(f"name\n{value}\n", "d.csv"))


def test_a_value_that_would_end_a_header_line_is_refused():
    with pytest.raises(UsageError, match=r"row 2: .* has a control character"):
        one(headers={"X": "{v}"}, data=read_data('v\na\n"b\nc"\n', "d.csv"))


def test_one_run_loads_one_server():
    with pytest.raises(UsageError, match="of two servers"):
        Scenario(requests=(Request(url="http://a/"), Request(url="https://a/")))
    with pytest.raises(UsageError, match="without requests"):
        Scenario(requests=())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": 0}, "connections is 0"),
        ({"connections": 100_000}, "over the maximum"),
        ({"duration_s": -1.0}, "duration is -1"),
        ({"requests": 0}, "requests is 0"),
        ({"rate_to_per_s": 5.0}, "needs one to begin with"),
        ({"warm_up_s": float("nan")}, "warm-up is nan"),
        ({"expect_status": frozenset({700})}, "700 cannot be expected"),
    ],
    ids=["none", "many", "time", "requests", "ramp", "nan", "status"],
)
def test_options_that_cannot_be_meant(options, message):
    with pytest.raises(UsageError, match=message):
        LoadOptions(**options)
