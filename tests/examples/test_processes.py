"""examples/processes.py"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def site(run_example):
    with run_example("processes", "--processes", "2") as site:
        yield site


@pytest.mark.parametrize(("limit", "primes"), [(-1, 0), (0, 0), (1, 0), (2, 0), (3, 1), (10, 4), (1000, 168)])
def test_primes_are_counted(site, limit, primes):
    assert site.get(f"/primes/{limit}").json["primes"] == primes


def test_computation_runs_in_another_process(site):
    assert site.get("/primes/10").json["process"] != site.get("/process").json["process"]


def test_serving_goes_on_meanwhile(site):
    site.get("/primes/10")  # the pool has started

    with ThreadPoolExecutor(1) as pool:
        computation = pool.submit(site.get, "/primes/5000000")
        waits, begun = [], time.monotonic()
        while not computation.done():
            start = time.monotonic()
            site.get("/process")
            waits.append(time.monotonic() - start)
        took_s = time.monotonic() - begun

    assert computation.result().json["primes"] == 348_513
    assert len(waits) > 5
    assert sorted(waits)[len(waits) // 2] < took_s / 5


def test_wrong_limit_is_told(site):
    assert site.get("/primes/many").status == 422
