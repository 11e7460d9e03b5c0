"""So many requests and no more: in memory and in Redis, in threads and on the loop, by both ways of counting."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from types import SimpleNamespace

import pytest

from penstock.app.application import App
from penstock.app.limiting.algorithms import SlidingWindow, TokenBucket
from penstock.app.limiting.rate import Rate
from penstock.app.limiting.rate_limit import RateLimit, client_key
from penstock.app.routing.router import Router
from penstock.app.stores.memory import MemoryStore
from penstock.app.stores.redis import RedisStore
from penstock.errors import ApplicationError, HTTPError, StoreError
from penstock.http.request import Request
from tests.app.driver import get

WAIT_S = 30

AGE = """
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'zset' then
    local kept = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for at = 1, #kept, 2 do redis.call('ZADD', key, tonumber(kept[at + 1]) - ARGV[2] * 1000000, kept[at]) end
  else
    redis.call('SET', key, string.format('%.6f', tonumber(redis.call('GET', key)) - ARGV[2]))
  end
end
"""


class Case:
    """A store, asked in one of two ways; `age` lets time pass."""

    def __init__(self, store, clock, runner):
        self.store = store
        self._clock = clock
        self._runner = runner
        self.name = uuid.uuid4().hex

    def limit(self, rate="5/hour", **options):
        return RateLimit(rate, **({"store": self.store, "name": self.name} | options))

    def ask(self, limit, key="k"):
        """Whether a request would be let through."""
        try:
            if self._runner is None:
                limit.check(key)
            else:
                self._runner.run(limit.acheck(key))
        except HTTPError as error:
            if error.status == 429:
                return False
            raise
        return True

    def count(self, limit, times, key="k"):
        return sum(self.ask(limit, key) for _ in range(times))

    def age(self, seconds):
        if self._clock is not None:
            self._clock[0] += seconds
        else:
            self.store.run_script(AGE, (), f"*{self.name}*", seconds)


@pytest.fixture(params=["memory", "redis", "redis loop"])
def case(request):
    if request.param == "memory":
        clock = [1_000.0]
        yield Case(MemoryStore(clock=lambda: clock[0]), clock, None)
        return
    server = request.getfixturevalue("shared_redis")
    store = RedisStore(server.url, timeout_s=WAIT_S)
    runner = asyncio.Runner() if request.param.endswith("loop") else None
    yield Case(store, None, runner)
    if runner is not None:
        runner.run(store.aclose())
        runner.close()
    store.close()


@pytest.fixture(params=["token-bucket", "sliding-window"])
def algorithm(request):
    return request.param


def test_the_quota_is_let_through_and_no_more(case, algorithm):
    limit = case.limit(algorithm=algorithm)

    assert case.count(limit, 20) == 5


def test_each_key_has_its_own(case, algorithm):
    limit = case.limit(algorithm=algorithm)

    assert [case.count(limit, 7, key) for key in ("a", "b", "ä" * 500, "ä" * 501)] == [5] * 4


def test_the_bucket_fills_bit_by_bit(case):
    limit = case.limit()
    assert case.count(limit, 9) == 5

    case.age(721)
    assert case.count(limit, 9) == 1
    case.age(3 * 720)
    assert case.count(limit, 9) == 3
    case.age(100 * 3600)
    assert case.count(limit, 9) == 5


def test_the_window_never_holds_more_than_the_quota(case):
    limit = case.limit(algorithm="sliding-window")
    assert case.count(limit, 3) == 3
    case.age(3000)
    assert case.count(limit, 9) == 2

    case.age(590)
    assert case.count(limit, 9) == 0
    case.age(20)
    assert case.count(limit, 9) == 3
    case.age(3000)
    assert case.count(limit, 9) == 2


def test_a_burst_may_be_smaller_or_larger_than_the_quota(case):
    assert case.count(case.limit(burst=2), 9) == 2
    assert case.count(case.limit(burst=8, name=case.name + "2"), 20) == 8


def test_two_of_one_name_count_together(case, algorithm):
    one, other = case.limit(algorithm=algorithm), case.limit(algorithm=algorithm)

    assert case.count(one, 3) + case.count(other, 9) == 5
    assert case.count(case.limit(algorithm=algorithm, name=f"other{case.name}"), 9) == 5


def test_many_at_once_are_counted_one_by_one(case, algorithm):
    limit, results = case.limit("40/hour", algorithm=algorithm), []
    if case._runner is not None:

        async def ask():
            try:
                await limit.acheck("k")
            except HTTPError:
                return False
            return True

        async def all_at_once():
            return await asyncio.gather(*(ask() for _ in range(100)))

        results = case._runner.run(all_at_once())
    else:

        def work():
            results.extend(case.ask(limit) for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert results.count(True) == 40


@pytest.mark.parametrize("kept", [b"", b"nonsense", b"x" * 8, b"\xff" * 16])
def test_what_is_kept_and_cannot_be_read_counts_as_nothing_for_ever(kept):
    for algorithm in (TokenBucket(Rate(5, 60), 5), SlidingWindow(Rate(5, 60))):
        state, ttl_s, verdict = algorithm.count(kept, 1000.0)
        for _ in range(9):
            state, ttl_s, verdict = algorithm.count(state, 1000.0)

        assert not verdict.is_allowed
        assert 0 < ttl_s <= 60
        assert algorithm.count(state, 1000.0 + 61)[2].is_allowed


@pytest.mark.parametrize(
    "answer", [None, b"OK", [1], [2, b"1", b"1"], [1, b"x", b"0"], [1, b"-1", b"0"], [1, b"nan", b"0"]]
)
def test_an_answer_that_is_none_is_a_store_error(answer):
    for algorithm in (TokenBucket(Rate(5, 60), 5), SlidingWindow(Rate(5, 60))):
        with pytest.raises(StoreError):
            algorithm.read(answer)


# -- as a hook


class Site:
    def __init__(self, limit, *, is_async):
        self.app = App(hooks=[limit])
        if is_async:

            @self.app.get("/a")
            async def handle() -> str:
                return "a"

        else:

            @self.app.get("/a")
            def handle() -> str:
                return "a"

    def ask(self, address="192.0.2.1", target="/a", **headers):
        request = Request.build("GET", target, [("host", "test"), *headers.items()])
        request.connection = SimpleNamespace(client=(address, 5), scheme="http", server=None)
        reply = self.app.resolve(request).call(request)
        return asyncio.run(finish(reply)) if hasattr(reply, "__await__") else reply


async def finish(reply):
    return await reply


@pytest.fixture(params=[False, True], ids=["def", "async def"])
def is_async(request):
    return request.param


def test_every_answer_says_what_is_left(is_async, algorithm):
    store = MemoryStore(clock=lambda: 1_234.567)
    site = Site(RateLimit("2/minute", name="api", algorithm=algorithm, store=store), is_async=is_async)

    first, second, third = (site.ask() for _ in range(3))

    assert [reply.status for reply in (first, second, third)] == [200, 200, 429]
    assert first.headers["RateLimit-Policy"] == '"api";q=2;w=60'
    reset = "30" if algorithm == "token-bucket" else "60"
    assert first.headers["RateLimit"] == f'"api";r=1;t={reset}'
    assert second.headers["RateLimit"] == '"api";r=0;t=60'
    assert third.headers["RateLimit"] == '"api";r=0;t=60'
    assert third.headers["Retry-After"] == ("30" if algorithm == "token-bucket" else "60")
    assert "Retry-After" not in second.headers


def test_a_refusal_is_a_problem(is_async):
    site = Site(RateLimit("1/hour", name="api"), is_async=is_async)
    site.ask()

    refused = site.ask()

    assert refused.media_type == "application/problem+json"
    said = json.loads(refused.body)
    assert (said["status"], said["title"]) == (429, "Quota Exceeded")
    assert said["type"].endswith("#quota-exceeded")
    assert said["violated-policies"] == ["api"]


def test_clients_are_told_apart_by_address(is_async):
    site = Site(RateLimit("1/hour"), is_async=is_async)

    addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]

    assert [site.ask(address).status for address in addresses] == [200, 200, 429, 200, 429, 200]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "client:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "client:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "client:fe80::/64"),
        ("::ffff:192.0.2.1", "client:192.0.2.1"),
        ("not:an:address", "client:not:an:address"),
        (None, "client:none"),
    ],
)
def test_an_ipv6_network_is_one_client(address, key):
    request = Request.build()
    client = None if address is None else (address, 1)
    request.connection = SimpleNamespace(client=client)

    assert client_key(request) == key


def test_a_key_may_be_anything_of_a_request():
    limit = RateLimit("1/hour", key=lambda request: request.headers.get("x-user"), name="u")
    site = Site(limit, is_async=False)

    statuses = [site.ask(**{"x-user": user}).status for user in ("ann", "bob", "ann")]

    assert statuses == [200, 200, 429]
    assert [site.ask().status for _ in range(2)] == [200, 429]  # without: the address
    assert site.ask(**{"x-user": "client:192.0.2.1"}).status == 200  # no name is an address


def test_some_may_be_exempt():
    site = Site(RateLimit("1/hour", exempt=lambda request: "x-free" in request.headers), is_async=True)

    replies = [site.ask(**{"x-free": "1"}) for _ in range(5)]

    assert [reply.status for reply in replies] == [200] * 5
    assert "RateLimit" not in replies[0].headers


def test_several_rates_count_each_for_itself_at_every_scope():
    app = App(hooks=[RateLimit("4/hour", name="app"), RateLimit("100/hour", name="more")])
    router = Router(prefix="/r", hooks=[RateLimit("3/hour", name="router")])

    @router.get("/a", hooks=[RateLimit("2/hour", name="route")])
    def one() -> str:
        return "a"

    @router.get("/b")
    def other() -> str:
        return "b"

    app.include(router)
    replies = [get(app, target) for target in ("/r/a", "/r/a", "/r/a", "/r/b", "/r/b")]

    # the third is refused by the route and counted by what is outside it, so the router refuses the fourth
    assert [reply.status for reply in replies] == [200, 200, 429, 429, 429]
    said = [json.loads(reply.body)["violated-policies"] for reply in replies[2:]]
    assert said == [["route"], ["router"], ["app"]]
    assert replies[0].headers.get_all("ratelimit-policy") == [
        '"route";q=2;w=3600',
        '"router";q=3;w=3600',
        '"more";q=100;w=3600',
        '"app";q=4;w=3600',
    ]


def test_a_path_without_route_counts_too():
    app = App(hooks=[RateLimit("2/hour")])

    assert [get(app, "/none").status for _ in range(4)] == [404, 404, 429, 429]


def test_without_fields_where_one_says_so():
    site = Site(RateLimit("5/hour", headers=False), is_async=False)

    assert "RateLimit" not in site.ask().headers


def test_the_number_of_keys_is_bounded():
    limit = RateLimit("1/hour", limit_keys=100)

    for number in range(1000):
        limit.check(str(number))

    assert len(limit._store) == 100


@pytest.mark.parametrize("lost", ["pass", "refuse"])
def test_while_the_store_is_lost_requests_pass_or_are_refused(own_redis, lost):
    store = RedisStore(own_redis.url, timeout_s=WAIT_S)
    site = Site(RateLimit("2/hour", store=store, lost=lost), is_async=False)
    assert [site.ask().status for _ in range(3)] == [200, 200, 429]
    own_redis.kill()

    replies = [site.ask() for _ in range(5)]

    assert [reply.status for reply in replies] == [200 if lost == "pass" else 503] * 5
    assert all("RateLimit" not in reply.headers for reply in replies)
    own_redis.start()
    end = time.monotonic() + WAIT_S
    while "RateLimit" not in site.ask().headers:
        assert time.monotonic() < end
        time.sleep(0.01)
    store.close()


@pytest.mark.parametrize(
    "rate", ["", "100", "0/minute", "-1/s", "1/fortnight", "1/0 s", "1.5/s", 100, None, "1/minute!", "1//s"]
)
def test_what_says_no_rate_is_refused(rate):
    with pytest.raises(ApplicationError, match="RateLimit"):
        RateLimit(rate)


@pytest.mark.parametrize(
    "options",
    [
        {"name": 'a"b'},
        {"name": ""},
        {"burst": 0},
        {"algorithm": "leaky"},
        {"algorithm": "sliding-window", "burst": 3},
        {"lost": "wait"},
        {"store": object()},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options):
    with pytest.raises(ApplicationError, match="RateLimit"):
        RateLimit("5/minute", **options)


def test_a_window_that_would_keep_too_much_is_refused():
    with pytest.raises(ApplicationError, match="token bucket"):
        RateLimit("1000000/day", algorithm="sliding-window")
