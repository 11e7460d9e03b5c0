"""A server that breaks, cuts, repeats and invents replies at random: every request still ends in exactly one count."""

import random

import pytest

from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.scenario import Request, Scenario
from tests.http_benchmark.load.liar import HELLO, lying

REPLIES = [
    HELLO,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" + HELLO,
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    b"HTTP/1.1 204 No\r\nSet-Cookie: a=b\r\n\r\n",
]
CLASSES = {"protocol", "short", "reset", "timeout", "content", "refused"}


def lie(rng):
    """The octets of a reply that may be wrong."""
    octets = bytearray(rng.choice(REPLIES))
    for _ in range(rng.randrange(1, 4) if rng.random() < 0.3 else 0):
        at = rng.randrange(len(octets))
        octets[at : at + rng.randrange(2)] = bytes([rng.randrange(256)] * rng.randrange(2))
    if rng.random() < 0.1:
        octets += rng.choice(REPLIES)
    if rng.random() < 0.1:
        del octets[rng.randrange(len(octets)) :]
    return bytes(octets)


@pytest.mark.parametrize("seed", range(5))
def test_every_request_ends_in_one_count(seed):
    rng = random.Random(seed)
    more = {
        "pipeline": rng.choice([1, 1, 4]),
        "requests_per_connection": rng.choice([None, None, 3]),
        "rate_per_s": rng.choice([None, 2_000.0]),
        "expect_body": rng.choice([None, b"hello"]),
    }

    def script(peer):
        dice = random.Random(seed * 1_000 + peer.number)
        if dice.random() < 0.05:
            peer.say(HELLO)
        while peer.request():
            if dice.random() < 0.04:
                peer.reset()
                return
            if dice.random() < 0.04:
                return
            octets = lie(dice)
            at = dice.randrange(len(octets) + 1) if dice.random() < 0.3 else 0
            peer.say(octets[:at])
            peer.say(octets[at:])

    with lying(script) as server:
        requests = tuple(Request(url=server.url, method=method) for method in ("GET", "HEAD", "POST"))
        scenario = Scenario(requests=requests, cookies=seed % 2 == 0)
        options = LoadOptions(connections=3, requests=90, warm_up_s=0.0, timeout_s=0.2, **more)
        made = run_load(scenario, options)

    assert made.requests + made.error_count + made.in_flight_at_end == 90
    assert {kind for kind in made.errors if not kind.startswith("status ")} <= CLASSES
    assert made.first_octet.total == made.latency.total == made.requests
