"""Whole responses kept: RFC 9111, for `def` and `async def`, in memory and in Redis."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid

import pytest

from penstock.app.application import App
from penstock.app.auth.api_key import APIKey
from penstock.app.caching.response_cache import ResponseCache
from penstock.app.injection.background import BackgroundTasks
from penstock.app.injection.depends import Depends
from penstock.app.routing.router import Router
from penstock.app.security.csrf import CSRF
from penstock.app.security.headers import SecurityHeaders
from penstock.app.sessions.cookie import CookieSessions
from penstock.app.stores.memory import MemoryStore
from penstock.app.stores.redis import RedisStore
from penstock.app.testing.client import TestClient
from penstock.errors import ApplicationError
from penstock.http.request import Request
from penstock.http.response import HTMLResponse, Response, StreamResponse, TextResponse
from penstock.http.status import reason
from tests.app.caching.refreshers import close_after_refreshing, join_refreshers
from tests.app.driver import get
from tests.server.harness import serve

WAIT_S = 30


class Site:
    """An application of one handler behind a cache; `calls` counts how often it was called."""

    def __init__(self, store, runner):
        self.store = store
        self.calls = 0
        self.now = 1_700_000_000.0
        self.respond = lambda request: TextResponse(f"reply {self.calls}")
        self.runner = runner

    def open(self, **options):
        self.cache = ResponseCache(self.store, **({"ttl_s": 60, "clock": lambda: self.now} | options))
        self.app = App(hooks=[self.cache])
        for path in ("/", "/a", "/b"):
            self.app.route(path, ("GET", "POST", "DELETE", "OPTIONS"))(self.handler())
        return self

    def handler(self):
        if self.runner is None:

            def handle(request: Request) -> Response:
                self.calls += 1
                return self.respond(request)

        else:

            async def handle(request: Request) -> Response:
                self.calls += 1
                response = self.respond(request)
                return await response if asyncio.iscoroutine(response) else response

        return handle

    def ask(self, target="/a", method="GET", body=b"", **fields):
        lines = [("host", "test"), *((name.replace("_", "-"), value) for name, value in fields.items())]
        request = Request.build(method, target, lines, body)
        reply = self.app.resolve(request).call(request)
        return self.runner.run(finish(reply)) if self.runner is not None else reply

    def marks(self, *asked):
        """X-Cache of each request, a target or a dict of what `ask` takes."""
        replies = [self.ask(**one) if isinstance(one, dict) else self.ask(one) for one in asked]
        return [reply.headers.get("x-cache") for reply in replies]


async def finish(reply):
    return await reply


@pytest.fixture(params=["memory", "memory loop", "redis", "redis loop"])
def site(request):
    runner = asyncio.Runner() if request.param.endswith("loop") else None
    if request.param.startswith("memory"):
        store = MemoryStore()
    else:
        server = request.getfixturevalue("shared_redis")
        store = RedisStore(server.url, prefix=f"{uuid.uuid4().hex}:", timeout_s=WAIT_S)
    yield Site(store, runner)
    join_refreshers()
    if runner is not None:
        runner.run(close_after_refreshing(store))
        runner.close()
    store.close()


@pytest.fixture
def plain():
    """In memory, for `def`: where the store makes no difference."""
    return Site(MemoryStore(), None)


def says(**fields):
    """A handler whose responses have these fields."""
    lines = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return lambda request: Response(b"x", 200, lines, "text/plain")


def wait_until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_second_request_is_answered_from_the_cache(site):
    site.open()

    first, second = site.ask(), site.ask()

    assert (first.status, first.body, first.media_type) == (200, b"reply 1", "text/plain; charset=utf-8")
    assert (second.status, second.body, second.media_type) == (first.status, first.body, first.media_type)
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")


def test_a_hit_says_when_it_was_made_and_how_old_it_is(site):
    site.open()
    assert "Age" not in site.ask().headers
    site.now += 25.9

    hit = site.ask()

    assert hit.headers["Age"] == "25"
    assert hit.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_fields_of_the_handler_come_back(site):
    site.respond = lambda request: Response(
        b"\x00\xff", 203, [("X-A", "1"), ("X-A", "2"), ("ETag", '"v"'), ("Link", "</ä>")], "image/png"
    )
    site.open()
    first, hit = site.ask(), site.ask()

    assert (hit.status, hit.body, hit.media_type) == (203, b"\x00\xff", "image/png")
    assert hit.headers.get_all("x-a") == ["1", "2"]
    assert hit.headers["Link"] == first.headers["Link"]


def test_after_its_time_it_is_made_again(site):
    site.open()
    site.ask()
    site.now += 60

    assert site.ask().body == b"reply 2"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "/b"),
        ("/a", "/a?x=1"),
        ("/a?x=1&y=2", "/a?y=2&x=1"),
        ({"target": "/a", "host": "one"}, {"target": "/a", "host": "two"}),
        ("/a?x=%20", "/a?x=+"),
        ("/a?" + "x" * 500, "/a?" + "x" * 501),
    ],
)
def test_another_target_is_another_response(plain, one, other):
    plain.open()

    def ask(what):
        if isinstance(what, str):
            return plain.ask(what)
        request = Request.build("GET", what["target"], [("host", what["host"])])
        return plain.app.resolve(request).call(request)

    assert [ask(what).headers["X-Cache"] for what in (one, other, one, other)] == [
        "MISS",
        "MISS",
        "HIT",
        "HIT",
    ]


def test_names_in_the_query_can_make_no_difference(plain):
    plain.open(ignore_query=["utm_source", "ä b"])

    assert plain.marks("/a?x=1&utm_source=mail&y=2", "/a?x=1&y=2", "/a?x=1&y=2&%C3%A4+b=3", "/a?y=2&x=1") == [
        "MISS",
        "HIT",
        "HIT",
        "MISS",
    ]


def test_head_is_answered_from_get_and_is_not_kept(site):
    site.open()

    assert site.marks({"method": "HEAD"}, {}, {"method": "HEAD"}) == ["MISS", "MISS", "HIT"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_other_methods_are_let_through(plain, method):
    plain.open()

    replies = [plain.ask(method=method) for _ in range(2)]

    assert plain.calls == 2
    assert all("X-Cache" not in reply.headers for reply in replies if method != "OPTIONS")


@pytest.mark.parametrize(
    "fields",
    [
        {"set_cookie": "a=b"},
        {"cache_control": "private"},
        {"cache_control": "max-age=60, Private"},
        {"cache_control": 'private="x"'},
        {"cache_control": "no-store"},
        {"cache_control": "no-cache"},
        {"cache_control": "max-age=0"},
        {"cache_control": "s-maxage=0, max-age=60"},
        {"cache_control": "max-age=oh"},
        {"cache_control": "max-age=60, max-age=0"},
        {"expires": "0"},
        {"expires": "Tue, 14 Nov 2023 22:13:20 GMT"},
        {"vary": "*"},
        {"vary": "accept, *"},
        {"cache_control": "max-age=60", "age": "60"},
    ],
    ids=str,
)
def test_what_is_not_for_everybody_or_not_for_later_is_not_kept(site, fields):
    site.respond = says(**fields)
    site.open()

    assert site.marks({}, {}) == ["MISS", "MISS"]
    assert site.calls == 2


@pytest.mark.parametrize(
    ("fields", "lasts_s"),
    [
        ({}, 60),
        ({"cache_control": "max-age=10"}, 10),
        ({"cache_control": "max-age=10, s-maxage=200"}, 200),
        ({"cache_control": 'max-age="30"'}, 30),
        ({"cache_control": "x=1, ;;, max-age=30"}, 30),
        ({"expires": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"cache_control": "max-age=20", "expires": "Tue, 14 Nov 2023 23:00:00 GMT"}, 20),
        ({"cache_control": "max-age=90", "age": "30"}, 60),
        ({"cache_control": "max-age=99999999999999"}, 2**31),
    ],
    ids=str,
)
def test_a_response_says_how_long_it_lasts(plain, fields, lasts_s):
    plain.respond = says(**fields)
    plain.open()
    plain.ask()
    plain.now += lasts_s - 1

    assert plain.marks({}) == ["HIT"]
    plain.now += 1
    assert plain.marks({}) == ["MISS"]


@pytest.mark.parametrize("status", [204, 302, 400, 404, 500])
def test_other_statuses_are_kept_only_when_they_say_so(plain, status):
    assert reason(status)
    plain.respond = lambda request: Response(b"", status)
    plain.open()
    assert plain.marks({}, {}) == ["MISS", "MISS"]

    plain.respond = lambda request: Response(b"", status, {"Cache-Control": "max-age=5"})
    plain.now += 60
    assert plain.marks({}, {}) == ["MISS", "HIT"]


def test_partial_content_and_streams_are_not_kept(plain):
    for response in (
        Response(b"x", 206, {"Content-Range": "bytes 0-0/5", "Cache-Control": "max-age=60"}),
        StreamResponse([b"x"]),
        Response(bytes(2000)),
    ):
        plain.respond = lambda request, response=response: response
        plain.open(limit_bytes=1999)

        assert plain.marks({}, {}) == ["MISS", "MISS"]


@pytest.mark.parametrize("field", ["authorization", "cookie"])
def test_who_shows_who_he_is_gets_a_response_of_his_own(site, field):
    site.open()

    assert site.marks({field: "me"}, {field: "me"}, {}, {field: "me"}, {}) == [
        "BYPASS",
        "BYPASS",
        "MISS",
        "BYPASS",
        "HIT",
    ]


@pytest.mark.parametrize("field", ["authorization", "cookie"])
def test_unless_the_response_says_it_is_for_everybody(site, field):
    site.respond = says(cache_control="public, max-age=60")
    site.open()

    assert site.marks({field: "me"}, {field: "you"}, {}) == ["MISS", "HIT", "HIT"]


@pytest.mark.parametrize(
    "use",
    [
        lambda request: request.session.get("user"),
        lambda request: request.csrf.token(),
        lambda request: setattr(request, "is_personal", True),
    ],
)
@pytest.mark.parametrize("options", [{"hooks": True}, {"cached": 60, "cached_vary": []}])
def test_what_was_made_of_a_session_or_a_token_is_kept_for_nobody(use, options):
    """Also for who comes without a cookie, and whatever the hooks further out will say of it."""
    calls = []
    if "hooks" in options:
        options = {"hooks": [ResponseCache(MemoryStore(), ttl_s=60)]}
    app = App(hooks=[CookieSessions("a" * 32), CSRF("b" * 32)])

    @app.get("/a", run="inline", **options)
    def handle(request: Request) -> str:
        calls.append(1)
        if "x-plain" not in request.headers:
            use(request)
        return "page"

    for _ in range(2):
        assert get(app, "/a").body == b"page"
    assert len(calls) == 2
    for _ in range(2):
        get(app, "/a", headers=(("x-plain", "1"),))
    assert len(calls) == 3


def test_unless_it_varies_by_that(site):
    site.respond = says(vary="Cookie")
    site.open()

    assert site.marks({"cookie": "me"}, {"cookie": "you"}, {"cookie": "me"}, {}) == [
        "MISS",
        "MISS",
        "HIT",
        "MISS",
    ]


def test_unless_one_was_told(plain):
    plain.respond = says(set_cookie="a=b", cache_control="private, max-age=60")
    plain.open(allow=["authorization", "cookie", "set-cookie", "private"])

    assert plain.marks({"cookie": "me", "authorization": "x"}, {}) == ["MISS", "HIT"]


def test_a_response_that_varies_is_kept_for_each(site):
    site.respond = lambda request: TextResponse(
        request.headers.get("accept-language", "none"), headers={"Vary": "Accept-Language"}
    )
    site.open()

    replies = [site.ask(accept_language=language) for language in ("de", "en", "de", "en", " de ")] + [
        site.ask()
    ]

    assert [reply.body for reply in replies] == [b"de", b"en", b"de", b"en", b"de", b"none"]
    assert [reply.headers["X-Cache"] for reply in replies] == ["MISS", "MISS", "HIT", "HIT", "HIT", "MISS"]


def test_what_it_varies_by_may_grow(plain):
    plain.respond = says(vary="Accept")
    plain.open()
    plain.ask()
    plain.respond = says(vary="Accept-Language, X-Other")
    plain.ask(accept="a")

    assert plain.marks({}, {}, {"x_other": "1"}, {"accept": "b"}, {"x_other": "1"}) == [
        "MISS",
        "HIT",
        "MISS",
        "MISS",
        "HIT",
    ]


@pytest.mark.parametrize(
    ("said", "age_s", "mark"),
    [
        ("no-store", 0, "BYPASS"),
        ("no-cache", 0, "MISS"),
        ("max-age=10", 10, "HIT"),
        ("max-age=10", 11, "MISS"),
        ("max-age=0", 1, "MISS"),
        ("min-fresh=10", 50, "HIT"),
        ("min-fresh=10", 51, "MISS"),
        ("max-stale=10", 65, "STALE"),
        ("max-stale=3", 65, "MISS"),
        ("max-stale", 65, "STALE"),
        ("", 65, "STALE"),
        ("max-age=5", 65, "MISS"),
        ("only-if-cached", 5, "HIT"),
    ],
)
def test_a_client_says_what_it_wants(plain, said, age_s, mark):
    plain.open(stale_s=30)
    plain.ask()
    plain.now += age_s

    assert plain.marks({"cache_control": said}) == [mark]


def test_a_client_may_be_not_obeyed(plain):
    plain.open(obey_client=False)
    plain.ask()

    assert plain.marks({"cache_control": "no-cache"}, {"pragma": "no-cache"}) == ["HIT", "HIT"]


def test_pragma_is_what_no_cache_was(plain):
    plain.open()
    plain.ask()

    assert plain.marks({"pragma": "no-cache"}, {"pragma": "no-cache", "cache_control": "max-age=5"}) == [
        "MISS",
        "HIT",
    ]


def test_only_if_cached_is_never_made(site):
    site.open()

    reply = site.ask(cache_control="only-if-cached")

    assert reply.status == 504
    assert site.calls == 0


def test_conditions_are_answered_from_the_cache(site):
    site.respond = says(etag='"v1"', last_modified="Tue, 14 Nov 2023 20:00:00 GMT", x_own="1")
    site.open()
    site.ask()

    by_tag = site.ask(if_none_match='W/"v1"')
    by_date = site.ask(if_modified_since="Tue, 14 Nov 2023 21:00:00 GMT")
    other = site.ask(if_none_match='"v2"')
    part = site.ask(range="bytes=0-0")

    assert (by_tag.status, by_tag.body, by_tag.headers["X-Cache"]) == (304, b"", "HIT")
    assert by_tag.headers["ETag"] == '"v1"'
    assert (by_date.status, other.status, part.status) == (304, 200, 206)
    assert site.calls == 1


def test_a_condition_that_is_no_hit_goes_to_the_handler_and_is_kept(plain):
    plain.respond = says(etag='"v1"')
    plain.open()

    assert plain.marks({"if_none_match": '"v0"'}, {}) == ["MISS", "HIT"]


def test_of_those_who_want_it_at_once_one_has_it_made(site):
    site.open()
    total = 6
    if site.runner is None:
        gate = threading.Event()

        def respond(request):
            wait_until(lambda: waiting(site) == total - 1)
            return TextResponse("made")

        site.respond = respond
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(site.ask())) for _ in range(total)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
    else:

        async def slow(request):
            while waiting(site) < total - 1:  # noqa: ASYNC110 - threads and tasks come by themselves
                await asyncio.sleep(0.001)
            return TextResponse("made")

        async def all_at_once():
            requests = [Request.build(target="/a") for _ in range(total)]
            return await asyncio.gather(*(site.app.resolve(one).call(one) for one in requests))

        site.respond = slow
        replies = site.runner.run(all_at_once())

    assert site.calls == 1
    assert [reply.body for reply in replies] == [b"made"] * total
    assert sorted(reply.headers["X-Cache"] for reply in replies) == ["HIT"] * (total - 1) + ["MISS"]


def waiting(site):
    cache = site.cache
    threads = sum(len(flight.landed._cond._waiters) for flight in list(cache._flights._flights.values()))
    return threads + sum(len(one._callbacks or ()) for one in cache._loop_flights._flights.values())


def test_those_who_wait_never_get_the_response_of_somebody_else():
    """Varying and private responses are found out when they are made; by then others wait for them."""
    site = Site(MemoryStore(), None)
    site.open()
    first = threading.Event()

    def respond(request):
        if not first.is_set():
            first.set()
            wait_until(lambda: waiting(site) == 3)
        language = request.headers["accept-language"]
        fields = {"Vary": "Accept-Language"} if language != "xx" else {"Cache-Control": "private"}
        return TextResponse(language, headers=fields)

    site.respond = respond
    bodies = {}

    def ask(at, language):
        bodies[at] = (language, site.ask(accept_language=language).body.decode())

    languages = ["de", "en", "en", "de"]
    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(languages)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(wanted == got for wanted, got in bodies.values())
    assert site.calls <= 3

    first.clear()
    site.open()
    threads = [threading.Thread(target=ask, args=(at, "xx")) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.calls >= 4


def test_a_stale_response_is_sent_while_a_new_one_is_made(site):
    site.open(stale_s=30)
    site.ask()
    site.now += 70

    stale = site.ask()

    assert (stale.body, stale.headers["X-Cache"], stale.headers["Age"]) == (b"reply 1", "STALE", "70")
    if site.runner is not None:
        site.runner.run(settle(site))
    wait_until(lambda: site.ask().headers["X-Cache"] == "HIT")
    assert site.ask().body == b"reply 2"


async def settle(site):
    await asyncio.gather(*site.cache._refreshing.values())


@pytest.mark.parametrize("is_async", [False, True])
def test_what_making_one_meanwhile_opened_is_closed(is_async):
    opened, closed = [], []

    def connection():
        opened.append(1)
        yield "x"
        closed.append(1)

    async def aconnection():
        opened.append(1)
        yield "x"
        closed.append(1)

    now = [1_000.0]
    app = App(hooks=[ResponseCache(MemoryStore(), ttl_s=60, stale_s=60, clock=lambda: now[0])])
    if is_async:

        @app.get("/a")
        async def handle(x: str = Depends(aconnection)) -> str:
            return x

    else:

        @app.get("/a")
        def plain_handle(x: str = Depends(connection)) -> str:
            return x

    with serve(app) as running:
        assert running.ask("/a").get("x-cache") == "MISS"
        now[0] += 70
        assert running.ask("/a").get("x-cache") == "STALE"
        wait_until(lambda: running.ask("/a").get("x-cache") == "HIT")
        wait_until(lambda: len(closed) == 2)

    assert len(opened) == 2


def test_the_one_made_meanwhile_is_whole_whatever_was_asked_for(site):
    site.respond = says(etag='"v1"')
    site.open(stale_s=30)
    site.ask()
    site.now += 70

    assert site.ask(if_none_match='"v1"').status == 304
    if site.runner is not None:
        site.runner.run(settle(site))

    wait_until(lambda: site.ask().headers["X-Cache"] == "HIT")
    assert site.ask().status == 200


def test_a_stale_response_is_sent_instead_of_a_failure(site):
    site.open(error_s=100)
    site.ask()
    site.now += 70

    def fail(request):
        raise RuntimeError("source is down")

    site.respond = fail
    assert (site.ask().body, site.ask().headers["X-Cache"]) == (b"reply 1", "STALE")
    site.now += 100
    assert site.ask().status == 500


@pytest.mark.parametrize("said", ["must-revalidate", "proxy-revalidate", "s-maxage=60"])
def test_some_are_never_sent_stale(plain, said):
    plain.respond = says(cache_control=f"max-age=60, {said}")
    plain.open(stale_s=100, error_s=100)
    plain.ask()
    plain.now += 61

    assert plain.marks({}, {"cache_control": "max-stale"}) == ["MISS", "HIT"]


def test_a_response_says_how_stale_it_may_be(plain):
    plain.respond = says(cache_control="max-age=1, stale-while-revalidate=50")
    plain.open()
    plain.ask()
    plain.now += 40

    assert plain.marks({}) == ["STALE"]


def test_unsafe_methods_forget_what_they_changed(site):
    site.open()
    site.ask("/a")
    site.ask("/b")
    site.respond = lambda request: Response(b"", 201, {"Location": "/b"})

    site.ask("/a", method="POST")

    site.respond = lambda request: TextResponse("new")
    assert site.marks("/a", "/b") == ["MISS", "MISS"]


def test_unsafe_methods_that_fail_change_nothing_and_all_may_be_told_so(plain):
    plain.open()
    plain.ask("/a")
    plain.respond = lambda request: Response(b"", 409)
    plain.ask("/a", method="POST")
    assert plain.marks("/a") == ["HIT"]

    plain.respond = lambda request: TextResponse("fine")
    plain.open(invalidate_unsafe=False)
    plain.ask("/a", method="POST")
    assert plain.marks("/a") == ["HIT"]


def test_tags_forget_many(site):
    site.open(tags=lambda request: ["all", request.raw_path.decode()])
    site.ask("/a")
    site.ask("/b")

    invalidate(site, "/a")
    assert site.marks("/a", "/b") == ["MISS", "HIT"]
    invalidate(site, "all")
    assert site.marks("/a", "/b", "/a") == ["MISS", "MISS", "HIT"]


def invalidate(site, *tags):
    if site.runner is None:
        assert site.cache.invalidate(*tags)
    else:
        assert site.runner.run(site.cache.ainvalidate(*tags))


def test_what_was_in_the_making_when_its_tag_was_invalidated_is_not_sent_again(plain):
    plain.open(tags="t")

    def respond(request):
        plain.cache.invalidate("t")
        return TextResponse("of old data")

    plain.respond = respond

    assert plain.marks({}, {}) == ["MISS", "MISS"]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"R1",
        b"R1\x00\x00\x00\x05[1,2]",
        b"R1\xff\xff\xff\xff[]",
        b"V1[1]",
        b"V1null",
        b"P1b",
        b"V1[[],5]",
    ],
)
def test_octets_that_are_no_response_are_none(plain, octets):
    plain.open()
    plain.store.set("response:http://test/a", octets)

    assert plain.marks({}, {}) == ["MISS", "HIT"]


def test_without_its_store_every_response_is_made(own_redis, caplog):
    with asyncio.Runner() as runner:
        for one in (None, runner):
            site = Site(RedisStore(own_redis.url, timeout_s=WAIT_S), one).open(tags="t")
            site.ask()
            own_redis.kill()

            assert site.marks(*[{}] * 20) == ["MISS"] * 20
            assert site.ask(method="POST").status == 200
            if one is None:
                assert site.cache.invalidate("t") is False

            own_redis.start()
            wait_until(lambda site=site: site.ask().headers["X-Cache"] == "HIT")
            if one is not None:
                one.run(close_after_refreshing(site.store))
            site.store.close()
    assert sum(" is lost" in record.getMessage() for record in caplog.records) == 2


def test_what_comes_later_changes_no_kept_response(plain):
    plain.open()
    plain.ask().headers.set("X-Mine", "1")

    assert "X-Mine" not in plain.ask().headers
    plain.ask().headers.set("X-Mine", "1")
    assert "X-Mine" not in plain.ask().headers


def test_the_one_of_a_route_stands_for_the_one_of_the_application(plain):
    outer, inner = ResponseCache(plain.store, ttl_s=60), ResponseCache(plain.store, ttl_s=60, prefix="in:")
    app = App(hooks=[outer])
    router = Router(hooks=[inner])

    @router.get("/a")
    def handle() -> str:
        return "x"

    app.include(router)
    request = Request.build(target="/a")
    app.resolve(request).call(request)

    assert plain.store.get("in:http://test/a") is not None
    assert plain.store.get("response:http://test/a") is None


@pytest.mark.parametrize(
    "options", [{"ttl_s": -1}, {"stale_s": float("inf")}, {"allow": "cookie"}, {"allow": ["everything"]}]
)
def test_options_that_cannot_be_meant_are_application_errors(options):
    with pytest.raises(ApplicationError, match="ResponseCache"):
        ResponseCache(MemoryStore(), **options)


def test_what_is_no_store_is_refused():
    with pytest.raises(ApplicationError, match="MemoryStore"):
        ResponseCache(None)


def test_what_an_api_key_opened_is_kept_for_nobody_else():
    app = App(hooks=[ResponseCache(MemoryStore(), ttl_s=60)])
    scheme = APIKey(header="X-Key", keys={"one": "key-1", "two": "key-2"}, optional=True)

    @app.get("/")
    def handle(name: str | None = Depends(scheme)) -> str:
        return str(name)

    @app.get("/varies")
    def varies(name: str | None = Depends(scheme)) -> Response:
        return Response(str(name).encode(), headers={"Vary": "X-Key"})

    for path in ("/", "/varies"):
        keys = ["key-1", "key-2", None, "key-1"]
        replies = [get(app, path, headers=(("x-key", key),) if key else ()) for key in keys]
        assert [reply.body for reply in replies] == [b"one", b"two", b"None", b"one"]
    assert replies[-1].headers["x-cache"] == "HIT"


@pytest.mark.parametrize("run", ["thread", "inline"])
def test_what_a_refresh_leaves_behind_is_done(run):
    noted, now = [], [1000.0]

    def plain():
        yield "x"
        noted.append("closed")

    async def task():
        noted.append("task")

    app = App(hooks=[ResponseCache(MemoryStore(), ttl_s=10, stale_s=1000, clock=lambda: now[0])])

    @app.get("/", run=run)
    def handle(tasks: BackgroundTasks, name: str = Depends(plain)) -> str:
        tasks.add(task)
        return name

    with TestClient(app) as client:
        for number in range(1, 12):  # more than may be made anew at once
            assert client.get("/").status == 200
            until(lambda number=number: len(noted) == 2 * number)
            now[0] += 11

    assert noted == ["task", "closed"] * 11


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_page_with_a_nonce_is_made_for_each(is_inside):
    cache, calls = ResponseCache(MemoryStore(), ttl_s=60), []
    policy = SecurityHeaders(csp="script-src 'nonce-{nonce}'")
    app = App(hooks=[cache, policy] if is_inside else [policy, cache])

    @app.get("/")
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(f"<script nonce='{request.state.csp_nonce}'></script>")

    @app.get("/bare")
    def bare() -> HTMLResponse:
        return HTMLResponse("bare")

    @app.get("/json")
    def data() -> dict:
        calls.append("json")
        return {}

    @app.get("/kept", cached=60, cached_vary=["accept"])
    def kept(request: Request) -> HTMLResponse:
        return HTMLResponse(f"<script nonce='{request.state.csp_nonce}'></script>")

    for path in ("/", "/kept", "/bare"):
        policies = set()
        for _ in range(3):
            reply = get(app, path)
            nonce = reply.headers["content-security-policy"].partition("nonce-")[2].rstrip("'")
            assert path == "/bare" or nonce.encode() in reply.body
            policies.add(nonce)
        assert len(policies) == 3
    get(app, "/json")
    get(app, "/json")
    assert calls == ["json"]
