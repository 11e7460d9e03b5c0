"""Lines of the access log: JSON, the formats of Apache, and which requests have one."""

from __future__ import annotations

import gc
import json
import os
import re
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.http.response import Response
from penstock.observe.logs.access import AccessLog, AccessSetup
from penstock.observe.logs.apache_format import compile_format, escape
from penstock.observe.logs.setup import Logging, configure
from tests.observe.noting import note

TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = ("traceparent", f"00-{TRACE_ID}-{PARENT}-01")


@pytest.fixture
def lines(logger, stderr):
    """`lines(setup, one, ...)`: what is written of requests, each the arguments of `note`."""

    def write(setup, *requests):
        configure(Logging(form="text"))
        log = AccessLog(setup)
        for options in requests:
            note(log, **options)
        log.stop()
        return stderr().splitlines()

    return write


def test_line_of_json_tells_all_of_a_request(lines):
    fields = [("host", "t"), TRACED, ("x-request-id", "order-7"), ("user-agent", 'a"b')]
    request = {
        "target": "/users/7?q=1",
        "method": "POST",
        "fields": fields,
        "route": "/users/{id}",
        "body": b"12345",
    }
    times = {"duration_s": 1.5, "tls_version": "TLSv1.3", "client": ("192.0.2.7", 1)}

    (line,) = lines(AccessSetup("json", release="1.2"), request | times | {"status": 201, "sent": 99})

    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert re.fullmatch("[0-9a-f]{16}", told.pop("span_id"))
    assert told.pop("bytes_in") == len("POST /users/7?q=1 HTTP/1.1\r\n\r\n") + len("12345") + sum(
        len(f"{name}: {value}\r\n") for name, value in fields
    )
    assert told == {
        "level": "INFO",
        "logger": "penstock.access",
        "message": "POST /users/7 201",
        "trace_id": TRACE_ID,
        "request_id": "order-7",
        "method": "POST",
        "path": "/users/7",
        "route": "/users/{id}",
        "http_version": "1.1",
        "status": 201,
        "duration_ms": 1500.0,
        "phases": {"handler": 1500.0},
        "bytes_out": 99,
        "client": "192.0.2.7",
        "user_agent": 'a"b',
        "tls": "TLSv1.3",
        "worker": os.getpid(),
        "release": "1.2",
    }


def test_what_is_not_known_of_a_request_is_left_out(lines):
    (line,) = lines(AccessSetup("json"), {"client": None})

    told = json.loads(line)
    assert told["client"] == "-"
    assert not {"route", "user_agent", "tls", "release", "sampled"} & told.keys()


def test_phases_are_those_that_happened(lines):
    at = 5_000_000_000
    times = {"began": at, "started": at + 10**6, "content_at": at + 3 * 10**6, "handler_at": at + 6 * 10**6}

    (line,) = lines(AccessSetup("json"), times | {"answered_at": at + 10 * 10**6})

    phases = json.loads(line)["phases"]
    assert list(phases) == ["head", "content", "queue", "handler", "write"]
    assert [phases[name] for name in ("head", "content", "queue", "handler")] == [1, 2, 3, 4]


def test_id_in_the_line_is_the_one_a_later_question_gets(logger, stderr):
    configure(Logging(form="text"))
    log = AccessLog(AccessSetup("json"))
    requests = [note(log, fields=[("host", "t")]) for _ in range(200)]
    requests.append(note(log, fields=[("host", "t"), TRACED]))
    log.stop()

    told = [json.loads(line) for line in stderr().splitlines()]
    assert [one["trace_id"] for one in told] == [request.trace_id for request in requests]
    assert [one["span_id"] for one in told] == [request.span_id for request in requests]
    assert len({one["trace_id"] for one in told}) == 201


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#"), max_size=30),
)
@pytest.mark.parametrize("form", ["json", "text", "combined", "%r|%U|%{User-Agent}i|%{Nothing}o"])
def test_whatever_a_client_sends_is_one_line(form, agent, path):
    log = AccessLog(AccessSetup(form))
    log.stop()
    note(log, f"/{path}", fields=[("host", "t"), ("user-agent", agent.strip() or "-")])

    line = log._render(list(log._queue), 0)

    assert len(line.splitlines()) == 1
    assert line.endswith("\n")
    if form == "json":
        assert json.loads(line)["user_agent"] == (agent.strip() or "-") or "[redacted]" in line
    if form == "combined":
        assert len(re.sub(r"\\.", "", line).split('"')) == 7


def test_long_values_are_cut(lines):
    fields = [("host", "t"), ("user-agent", "a" * 20_000)]

    (line,) = lines(AccessSetup("json"), {"target": "/" + "x" * 30_000, "fields": fields})

    assert len(line) < 30_000
    assert "characters cut]" in json.loads(line)["user_agent"]
    assert "characters cut]" in json.loads(line)["path"]


def test_secrets_in_a_path_are_hidden(lines):
    secret = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."

    for form in ("json", "text", "common"):
        (line,) = lines(AccessSetup(form), {"target": f"/reset/{secret}?token=hunter2"})
        assert secret not in line
        assert "hunter2" not in line


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("%h %a %l %u", "192.0.2.7 192.0.2.7 - -"),
        ("%m %U%q %H", "GET /users/7?a=b&token=[redacted] HTTP/1.1"),
        ("%r", "GET /users/7?a=b&token=[redacted] HTTP/1.1"),
        ("%s %>s %<s", "404 404 404"),
        ("%b %B %O", "5 5 99"),
        (
            "%I",
            str(
                len(
                    "GET /users/7?a=b&token=c HTTP/1.1\r\nhost: t\r\nreferer: http://a/\r\nauthorization: Basic eDp5\r\n\r\n"
                )
            ),
        ),
        ("%D %{us}T %{ms}T %T %{s}T", "1500000 1500000 1500 1 1"),
        ("%{Referer}i %{Host}i %{Absent}i", "http://a/ t -"),
        ("%{Authorization}i", "[redacted]"),
        ("%{X-Cache}o %{Set-Cookie}o %{Absent}o", "hit [redacted] -"),
        ("%{route}n", "/users/{id}"),
        ("%P", "the process id"),
        ("%v %V", "t t"),
        ("%%h 100%%", "%h 100%"),
        ("a\\tb", "a\tb"),
    ],
)
def test_directives_are_what_apache_means_by_them(form, shown):
    log = AccessLog(AccessSetup(form if "%" in form else form + "%%"))
    log.stop()
    note(
        log,
        "/users/7?a=b&token=c",
        fields=[("host", "t"), ("referer", "http://a/"), ("authorization", "Basic eDp5")],
        status=404,
        sent=99,
        duration_s=1.5,
        route="/users/{id}",
        client=("192.0.2.7", 1),
        response=Response(b"12345", 404, {"X-Cache": "hit", "Set-Cookie": "a=b"}),
    )

    shown = shown.replace("the process id", str(os.getpid()))
    assert (
        log._render(list(log._queue), 0).removesuffix("\n").removesuffix("%" if "%" not in form else "")
        == shown
    )


def test_time_is_when_the_request_came():
    log = AccessLog(AccessSetup("%t %{sec}t %{msec}t %{%Y-%m}t"))
    log.stop()
    note(log, started=10**9, duration_s=3)

    line = log._render(list(log._queue), 1_700_000_000 * 10**9)

    assert line == "[14/Nov/2023:22:13:21 +0000] 1700000001 1700000001000 2023-11\n"


def test_ids_are_those_of_json():
    log = AccessLog(AccessSetup("%{trace_id}n %{span_id}n %{request_id}n %L"))
    log.stop()
    request = note(log, fields=[("host", "t"), TRACED])

    line = log._render(list(log._queue), 0)

    assert line.split() == [TRACE_ID, request.span_id, TRACE_ID, TRACE_ID]


def test_streams_and_heads_have_the_size_that_is_known():
    render = compile_format("%b")
    log = AccessLog()
    log.stop()
    note(log, method="HEAD", response=Response(b"12345"))
    note(log, response=Response(b""))

    assert [render(record, 0) for record in log._queue] == ["-\n", "-\n"]


@pytest.mark.parametrize(
    "form", ["%Z", "%{a}h", "%{unknown}t", "%{hours}T", "%{x}n", "%400{Referer}i", "%{open", "%", "a %"]
)
def test_directive_that_is_unknown_is_refused(form):
    with pytest.raises(ValueError, match="no directive of this log"):
        compile_format(form)


def test_variables_are_those_at_the_start(monkeypatch):
    monkeypatch.setenv("SHOP_SITE", 'north "1"')
    render = compile_format("%{SHOP_SITE}e")
    monkeypatch.setenv("SHOP_SITE", "other")

    assert render((), 0) == 'north \\"1\\"\n'


def test_escapes_are_those_of_apache():
    assert escape('\\ " \n \r \t \x00 \x7f é') == '\\\\ \\" \\n \\r \\t \\x00 \\x7f \\xc3\\xa9'
    assert escape("") == "-"


def test_a_share_of_fast_successes_is_written_and_all_else(lines):
    fast = [{"target": "/fast"} for _ in range(400)]
    slow = [{"target": "/slow", "duration_s": 2.0} for _ in range(20)]
    wrong = [{"target": "/wrong", "status": 500} for _ in range(20)]

    told = [json.loads(line) for line in lines(AccessSetup("json", rate=0.25), *fast, *slow, *wrong)]

    counts = {path: sum(one["path"] == path for one in told) for path in ("/fast", "/slow", "/wrong")}
    assert (counts["/slow"], counts["/wrong"]) == (20, 20)
    assert 40 < counts["/fast"] < 180  # 100, and 8 standard deviations
    assert {one["sampled"] for one in told} == {0.25}


def test_share_is_chosen_by_the_trace_id(lines):
    low, high = f"{'4' * 18}{'0' * 14}", f"{'4' * 18}{'f' * 14}"
    requests = [
        {"fields": [("host", "t"), ("traceparent", f"00-{each}-{PARENT}-01")]} for each in (low, high)
    ]

    told = [json.loads(line)["trace_id"] for line in lines(AccessSetup("json", rate=0.5), *requests)]

    assert told == [high]


def test_paths_that_are_left_out_are_written_when_they_fail(lines):
    requests = [
        {"target": "/livez"},
        {"target": "/livez?a"},
        {"target": "/livez", "status": 503},
        {"target": "/"},
    ]

    told = lines(AccessSetup("json", exclude=frozenset({b"/livez"})), *requests)

    assert [json.loads(line)["message"] for line in told] == ["GET /livez 503", "GET / 200"]


def test_queue_keeps_no_request_and_no_content():
    log = AccessLog()
    log.stop()  # nobody takes anything out

    class Content(bytes):
        pass

    content = Content(b"x" * 1000)
    response = Response(b"")
    response.body = content
    request = note(log, response=response)
    watched = weakref.ref(response) if hasattr(response, "__weakref__") else None
    held = [each for record in log._queue for each in record]
    del request, response
    gc.collect()

    assert len(log._queue) == 1
    assert not any(each is content for each in held)
    assert watched is None or watched() is None


def test_long_heads_are_not_kept_in_a_crowd():
    log = AccessLog()
    log.stop()
    for _ in range(1100):
        note(log)

    note(log, fields=[("host", "t"), ("user-agent", "a" * 5000)])
    note(log)

    assert log.dropped == 1
    assert len(log._queue) == 1101
