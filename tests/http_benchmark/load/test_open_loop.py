"""Requests that are sent when they are due: when that is, and what is counted when nobody is free."""

import threading
from itertools import islice, pairwise

import pytest

from http_benchmark.load import poller as pollers
from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.pacing import due_times, steady_times
from http_benchmark.load.scenario import Request, Scenario
from tests.http_benchmark.load.liar import HELLO, answering, closing, lying


def load(url, **options):
    options = {"connections": 4, "warm_up_s": 0.0, "timeout_s": 20.0} | options
    return run_load(Scenario(requests=(Request(url=url),)), LoadOptions(**options))


def test_times_at_a_constant_rate_never_drift():
    times = list(due_times(500, LoadOptions(rate_per_s=30_000.0, duration_s=10.0)))

    assert len(times) == 300_000
    assert times[0] == 500
    assert times[-1] == 500 + round(299_999 * 1e9 / 30_000)
    assert list(islice(steady_times(7, 2.0), 3)) == [7, 500_000_007, 1_000_000_007]


@pytest.mark.parametrize(("rate", "last"), [(100.0, 300.0), (300.0, 100.0)], ids=["up", "down"])
def test_times_of_a_ramp(rate, last):
    times = list(due_times(0, LoadOptions(rate_per_s=rate, rate_to_per_s=last, duration_s=10.0)))

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 2_000
    assert gaps[0] == pytest.approx(1e9 / rate, rel=0.02) and gaps[-1] == pytest.approx(1e9 / last, rel=0.02)
    half = sum(time < 5_000_000_000 for time in times)
    assert half == pytest.approx(5 * (3 * rate + last) / 4, abs=1)
    assert times[-1] < 10_000_000_000


def test_a_number_of_requests_at_a_rate():
    with lying(answering(HELLO)) as server:
        made = load(server.url, rate_per_s=2_000.0, requests=200)

    assert (made.requests, made.errors) == (200, {})
    assert made.latency.total == made.corrected.total == made.lateness.total == len(server.requests)
    assert made.duration_s >= 199 / 2_000
    assert made.dropped == made.in_flight_at_end == 0
    assert made.corrected.total_ns >= made.latency.total_ns


def test_a_round_of_a_duration_has_the_requests_that_were_due():
    with lying(answering(HELLO)) as server:
        made = load(server.url, rate_per_s=400.0, duration_s=0.25, warm_up_s=0.1)

    assert made.requests + made.dropped == 100
    assert made.duration_s == pytest.approx(0.25, abs=1e-6)
    assert len(server.requests) > 100


def test_what_nobody_is_free_for_is_dropped():
    done = threading.Event()

    def script(peer):
        while peer.request():
            if len(server.requests) == 3:
                threading.Timer(0.8, done.set).start()
            done.wait(20)
            peer.say(HELLO)

    with lying(script) as server:
        made = load(server.url, rate_per_s=100.0, duration_s=0.2, connections=3)

    assert (made.requests, made.dropped) == (3, 17)
    assert made.latency.min_ns > 100_000_000


def test_waiting_for_a_server_that_stands_still_is_part_of_the_corrected_times():
    pause = threading.Event()

    def script(peer):
        while peer.request():
            if len(server.requests) == 20:
                pause.wait(0.5)
            peer.say(HELLO)

    with lying(script) as server:
        made = load(server.url, rate_per_s=200.0, requests=100, connections=1)

    # The twentieth took half a second; those that were due meanwhile, up to the last, waited for it.
    assert made.requests == 100
    assert sum(value > 9e7 for value in _values(made.latency)) < 20
    assert sum(value > 9e7 for value in _values(made.corrected)) >= 81
    assert made.late >= 80


def test_a_connection_that_ends_is_opened_again():
    with lying(closing(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) as server:
        made = load(server.url, rate_per_s=1_000.0, requests=50, connections=2)

    assert (made.requests + made.error_count, set(made.errors)) == (50, set())
    assert len(server.requests) == 50


def test_requests_that_are_due_while_nobody_listens_are_refused():
    def script(peer):
        peer.request()
        server.refuse()

    with lying(script) as server:
        made = load(server.url, rate_per_s=100.0, requests=4, connections=1)

    assert (made.requests, made.errors) == (0, {"reset": 1, "refused": 3})


def test_octets_while_nothing_is_in_flight_fail_the_next_request():
    said = threading.Event()

    def script(peer):
        while peer.request():
            peer.say(HELLO)
            if len(server.requests) == 1:
                threading.Timer(0.05, lambda: (peer.say(b"HTTP/1.1 200 OK\r\n"), said.set())).start()

    with lying(script) as server:
        made = load(server.url, rate_per_s=1.0, requests=2, connections=1)

    assert said.is_set()
    assert (made.requests, made.errors) == (1, {"protocol": 1})


@pytest.mark.parametrize("rate", [None, 2_000.0], ids=["closed", "open"])
def test_systems_without_epoll(rate, monkeypatch):
    monkeypatch.delattr(pollers.select, "epoll", raising=False)
    with lying(answering(HELLO)) as server:
        made = load(server.url, rate_per_s=rate, requests=100)

    assert (made.requests, made.errors) == (100, {})


def _values(histogram):
    from http_benchmark.histogram.histogram import edges_of

    return [edges_of(index)[0] for index, count in histogram.counts.items() for _ in range(count)]
