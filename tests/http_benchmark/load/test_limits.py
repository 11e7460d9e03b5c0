"""Whether the generator was the limit: what is said of rounds of known kind, and of real ones."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.load.limits import limits, measure_ceiling
from http_benchmark.load.null_server import REPLY, answer, null_server
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.processes import run_spread
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.measurement.round import Resources, Round
from http_benchmark.targets.behaviour import Behaviour
from http_benchmark.targets.trouble import trouble

CLOSED = LoadOptions(connections=64)
OPEN = LoadOptions(connections=64, rate_per_s=1_000.0)


def a_round(requests=1_000, **fields):
    latency = Histogram()
    latency.record(1_000_000, requests)
    return Round(
        0,
        1.0,
        1.0,
        latency,
        **{"effective_concurrency": 64.0, "generator": Resources(0.5)} | fields,
    )


@pytest.mark.parametrize(
    ("fields", "options", "arguments"),
    [
        pytest.param({}, CLOSED, {}, id="half a core"),
        pytest.param({"generator": None, "effective_concurrency": None}, CLOSED, {}, id="nothing known"),
        pytest.param({"generator": Resources(1.5)}, CLOSED, {"processes": 2}, id="two cores for two"),
        pytest.param({}, CLOSED, {"ceiling_per_s": 2_000.0}, id="far from the ceiling"),
        pytest.param({"effective_concurrency": 3.0}, OPEN, {}, id="an open loop has few at work"),
        pytest.param({"effective_concurrency": 3.0, "was_interrupted": True}, CLOSED, {}, id="stopped"),
        pytest.param({"requests": 990, "errors": {"reset": 10}}, OPEN, {}, id="rate with errors"),
    ],
)
def test_where_the_server_was_the_limit_nothing_is_said(fields, options, arguments):
    assert limits(a_round(**fields), options, **arguments) == []


@pytest.mark.parametrize(
    ("fields", "options", "arguments", "said"),
    [
        pytest.param(
            {"generator": Resources(0.99)},
            CLOSED,
            {},
            "99 % of its core.*raise --processes to 2",
            id="one core",
        ),
        pytest.param(
            {"generator": Resources(1.95)},
            CLOSED,
            {"processes": 2},
            "98 % of each of its 2 cores",
            id="two cores",
        ),
        pytest.param(
            {}, CLOSED, {"ceiling_per_s": 1_050.0}, "95 % of what .* does nothing .1050.", id="ceiling"
        ),
        pytest.param(
            {"effective_concurrency": 40.0}, CLOSED, {}, "40.0 of 64 connections.*was late", id="Little"
        ),
        pytest.param(
            {"effective_concurrency": 40.0, "errors": {"reset": 1}},
            CLOSED,
            {},
            "40.0 of 64 connections.*new connections",
            id="Little with errors",
        ),
        pytest.param(
            {"effective_concurrency": 64.0},
            LoadOptions(connections=16, pipeline=8),
            {},
            "64.0 of 128 requests in flight",
            id="Little with a pipeline",
        ),
        pytest.param(
            {"requests": 900}, OPEN, {}, "900 requests a second were sent, and 1000 were due", id="rate"
        ),
        pytest.param(
            {"requests": 900},
            LoadOptions(connections=64, rate_per_s=1_000.0, rate_to_per_s=3_000.0),
            {},
            "and 2000 were due",
            id="ramp",
        ),
    ],
)
def test_where_the_generator_was_the_limit_it_is_said(fields, options, arguments, said):
    (sentence,) = limits(a_round(**fields), options, **arguments)

    assert re.search(said, sentence)


def test_a_slow_server_is_far_from_the_ceiling():
    options = LoadOptions(connections=8, duration_s=0.4, warm_up_s=0.1)
    with trouble(Behaviour(delay_s=0.02)) as server:
        scenario = Scenario(
            requests=(
                Request(url=server.url, expect_status=frozenset({200})),
                Request(url=server.url, method="POST", body=b"x" * 3_000),
                Request(url=server.url, method="HEAD"),
            )
        )
        made = run_spread(scenario, options)

        ceiling_per_s = measure_ceiling(scenario, options, duration_s=0.4)

    assert ceiling_per_s > 3 * made.rate_per_s
    assert not any("does nothing" in each for each in limits(made, options, ceiling_per_s=ceiling_per_s))


def test_the_null_server_answers_whatever_comes_in_whatever_pieces():
    with null_server() as url, socket.create_connection(("127.0.0.1", urlsplit(url).port), 60) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read(sock, len(REPLY)) == REPLY
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        sock.sendall(b"cdeGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n")
        assert read(sock, 2 * len(REPLY)) == 2 * REPLY
        sock.sendall(b"\r\n")
        assert read(sock, len(REPLY)) == REPLY


def read(sock, count):
    octets = b""
    while len(octets) < count:
        octets += sock.recv(count - len(octets)) or b"!" * count
    return octets


@given(st.lists(st.sampled_from([b"", b"a", b"hello" * 9]), min_size=1, max_size=6), st.data())
def test_the_null_server_counts_requests_wherever_they_are_cut(contents, data):
    octets = b"".join(
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(each), each) for each in contents
    )
    cut = data.draw(st.integers(0, len(octets)))

    first, rest = answer(octets[:cut])
    second, nothing = answer(rest + octets[cut:])

    assert first + second == REPLY * len(contents)
    assert nothing == b""


def test_a_head_request_gets_no_content():
    assert answer(b"HEAD / HTTP/1.1\r\n\r\n") == (REPLY.removesuffix(b"ok"), b"")
