from __future__ import annotations

from collections import Counter

import pytest

from http_benchmark.targets.behaviour import Behaviour, compose_reply


def test_equal_periods_share_the_requests_exactly():
    behaviour = Behaviour(slow_every=10, error_every=10, reset_every=10, short_every=10, closed_every=10)

    kinds = Counter(behaviour.kind_of(number) for number in range(1, 1001))

    assert kinds == {"ok": 500, "slow": 100, "error": 100, "reset": 100, "short": 100, "closed": 100}


@pytest.mark.parametrize("kind", ["slow", "error", "reset", "short", "closed"])
def test_a_period_of_one_is_every_reply(kind):
    behaviour = Behaviour(**{f"{kind}_every": 1})

    assert {behaviour.kind_of(number) for number in range(1, 50)} == {kind}


def test_only_slow_replies_take_longer():
    behaviour = Behaviour(delay_s=0.02, slow_every=20)

    assert behaviour.delay_of("slow") == pytest.approx(0.4)
    assert behaviour.delay_of("error") == behaviour.delay_of("ok") == 0.02


@pytest.mark.parametrize(
    "rules",
    [{"framing": "close", "short_every": 2}, {"short_every": 2, "content_octets": 1}],
    ids=["close", "short"],
)
def test_rules_that_cannot_be_kept_are_refused(rules):
    with pytest.raises(ValueError):
        Behaviour(**rules)


def test_a_short_reply_announces_more_than_it_has():
    reply = compose_reply(Behaviour(content_octets=20), "short")

    head, _, content = reply.partition(b"\r\n\r\n")
    assert b"Content-Length: 20" in head
    assert len(content) == 10
