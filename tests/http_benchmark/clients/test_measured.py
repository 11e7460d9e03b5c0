"""Every client that is installed, measured by the engine against servers of known behaviour.

How exact times are says `benchmarks/rightness_clients.py`, on a machine that does nothing else.
"""

from __future__ import annotations

import pytest

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.runner import BenchmarkRunner
from http_benchmark.targets.trouble import Behaviour, trouble
from tests.http_benchmark.clients.subjects import SUBJECTS

every = pytest.mark.parametrize("subject", SUBJECTS, ids=" ".join)
SENDS_AGAIN = {"pycurl"}  # where a kept connection was closed


def measure(url, subject, **options):
    name, mode = subject
    configuration = BenchmarkConfiguration(url=url, client=name, mode=mode, warm_up_s=0.0, **options)
    return BenchmarkRunner(configuration).run().rounds[0]


@pytest.fixture(scope="module")
def slow():
    with trouble(Behaviour(delay_s=0.005, slow_every=20)) as server:
        yield server


@pytest.fixture(scope="module")
def broken():
    with trouble(Behaviour(error_every=10, reset_every=10, short_every=10)) as server:
        yield server


@every
def test_each_worker_has_a_request_and_a_connection_of_its_own(slow, subject):
    before = slow.counts()
    found = measure(slow.url, subject, concurrency=8, requests=80)
    after = slow.counts()

    assert (found.requests, found.errors, after.requests - before.requests) == (80, {}, 80)
    assert found.connections_opened == after.connections - before.connections
    assert found.connections_opened == 8
    assert found.connections_reused == 72
    assert found.latency.min_ns >= 5_000_000
    assert found.first_octet.min_ns >= 5_000_000
    assert 2 < found.effective_concurrency <= 8.01


@every
def test_errors_are_counted_exactly_and_by_class(broken, subject):
    before = broken.counts()
    found = measure(broken.url, subject, concurrency=2, requests=100)
    after = broken.counts()

    expected = {
        "status 500": after.error - before.error,
        "reset": after.reset - before.reset,
        "short": after.short - before.short,
    }
    if subject[0] in SENDS_AGAIN:
        expected["reset"] = found.errors.get("reset", 0)
    assert {kind: count for kind, count in expected.items() if count} == found.errors
    assert found.requests + found.error_count == 100
    assert found.requests == after.ok - before.ok
