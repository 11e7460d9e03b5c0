"""Sessions in a signed cookie, over sockets and against what clients may send."""

from __future__ import annotations

import base64
import json
import re
from http.cookies import SimpleCookie

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from penstock import (
    App,
    CookieSessions,
    HTMLResponse,
    HTTPError,
    MemoryStore,
    Request,
    Response,
    ResponseCache,
    Router,
    StreamResponse,
    TestClient,
    WebSocket,
)
from penstock.app.sessions import carrier
from penstock.errors import ApplicationError
from penstock.http.session import Kept
from tests.app.driver import get
from tests.server.harness import serve

OLD, NEW = "o" * 32, "n" * 32
KEPT = HTMLResponse("kept", headers={"Cache-Control": "public, max-age=60, s-maxage=9", "Vary": "Accept"})


def make(secret=OLD, **options):
    app = App(hooks=[CookieSessions(secret, **options)])

    @app.get("/count")
    async def count(request: Request) -> int:
        request.session["n"] = request.session.get("n", 0) + 1
        return request.session["n"]

    @app.get("/thread")
    def thread(request: Request) -> int:
        request.session["n"] = request.session.get("n", 0) + 1
        return request.session["n"]

    @app.get("/read")
    async def read(request: Request) -> dict:
        return dict(request.session)

    @app.get("/set")
    async def set_values(request: Request) -> bool:
        request.session.update(request.query.items())
        return request.session.is_new

    @app.get("/append")
    async def append(request: Request) -> list:
        request.session.setdefault("cart", []).append(len(request.session.get("cart", [])))
        return request.session["cart"]

    @app.get("/clear")
    async def clear(request: Request) -> None:
        request.session.clear()

    @app.get("/rotate")
    async def rotate(request: Request) -> None:
        request.session.rotate()

    @app.get("/untouched")
    async def untouched() -> Response:
        return KEPT

    @app.get("/kept")
    async def kept(request: Request) -> Response:
        request.session.get("n")
        return KEPT

    @app.get("/fails/{status:int}")
    async def fails(request: Request, status: int) -> None:
        request.session["n"] = 99
        raise HTTPError(status)

    @app.get("/large/{size:int}")
    async def large(request: Request, size: int) -> None:
        request.session["text"] = "x" * size

    @app.get("/stream")
    def stream(request: Request) -> Response:
        def pieces():
            try:
                request.session["late"] = 1
            except RuntimeError as error:
                yield str(error)

        return StreamResponse(pieces())

    @app.websocket("/ws")
    async def converse(ws: WebSocket) -> None:
        session = ws.request.session
        session["seen"] = True
        await ws.accept()
        try:
            session["late"] = 1
        except RuntimeError:
            await ws.send_json(dict(session))

    return app


def attributes(reply):
    """The one cookie a reply sets: its value and its attributes."""
    fields = reply.fields if hasattr(reply, "fields") else reply.headers.lines()
    (line,) = [value for name, value in fields if name.lower() == "set-cookie"]
    ((name, morsel),) = SimpleCookie(line).items()
    return name, morsel.value, {key: value for key, value in morsel.items() if value}


def cookie_of(app, target="/set?user=7"):
    return attributes(get(app, target))[1]


def asked(app, value, target="/read", name="session"):
    return get(app, target, headers=(("cookie", f"{name}={value}"),))


@pytest.mark.parametrize("path", ["/count", "/thread"])
def test_a_session_lasts_over_sockets(path):
    with serve(make()) as server, server.connect() as client:
        first = client.ask(path)
        value = attributes(first)[1]
        second = client.ask(path, "GET", f"Cookie: session={value}")

    assert (first.content, second.content) == (b"1", b"2")
    assert attributes(second)[1] != value


def test_the_cookie_is_guarded_and_the_answer_private():
    reply = get(make(), "/set?user=7")
    name, value, rest = attributes(reply)

    assert name == "session"
    assert rest == {"max-age": "1209600", "path": "/", "httponly": True, "samesite": "Lax"}
    assert (reply.headers["vary"], reply.headers["cache-control"]) == ("Cookie", "private")
    assert b'{"user":"7"}' in base64.urlsafe_b64decode(value.split(".")[1] + "==")


def test_options_of_the_cookie_are_heard():
    reply = get(
        make(path="/", domain="shop.example", same_site="strict", secure=True, max_age_s=60), "/count"
    )
    assert attributes(reply)[2] == {
        "max-age": "60",
        "path": "/",
        "domain": "shop.example",
        "secure": True,
        "httponly": True,
        "samesite": "Strict",
    }

    reply = get(make(host_prefix=True, name="id", persistent=False), "/count")
    name, _, rest = attributes(reply)
    assert (name, rest) == (
        "__Host-id",
        {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"},
    )


def test_the_cookie_is_secure_over_https_only():
    with TestClient(make(), "https://shop.example") as client:
        assert "Secure" in client.get("/count").headers["set-cookie"]
        assert client.get("/count").json() == 2
    with TestClient(make(), "http://shop.example") as client:
        assert "Secure" not in client.get("/count").headers["set-cookie"]


def test_what_nobody_asked_for_costs_no_cookie_and_stays_public():
    app = make()
    for headers in ((), (("cookie", f"session={cookie_of(app)}"),), (("cookie", "session=forged"),)):
        reply = get(app, "/untouched", headers=headers)
        assert reply.headers.get("set-cookie") is None
        assert reply.headers["cache-control"] == "public, max-age=60, s-maxage=9"
        assert reply.headers["vary"] == "Accept"


def test_an_answer_that_was_only_read_for_is_private_and_sets_nothing():
    app = make()
    reply = asked(app, cookie_of(app), "/kept")

    assert reply.headers.get("set-cookie") is None
    assert (reply.headers["vary"], reply.headers["cache-control"]) == (
        "Accept, Cookie",
        "max-age=60, private",
    )
    assert KEPT.headers["cache-control"] == "public, max-age=60, s-maxage=9"


@pytest.mark.parametrize(
    ("stated", "sent"),
    [
        ("no-store", "no-store"),
        ("private, max-age=5", "private, max-age=5"),
        ('private="set-cookie"', 'private="set-cookie", private'),
        ("Public", "private"),
        ("no-cache", "no-cache, private"),
    ],
)
def test_cache_control_is_made_private(stated, sent):
    response = Response(b"", 200, {"Cache-Control": stated})
    assert carrier.marked(response, Request.build()).headers["cache-control"] == sent


def test_a_change_inside_a_value_is_written():
    with TestClient(make()) as client:
        assert [client.get("/append").json() for _ in range(3)] == [[0], [0, 1], [0, 1, 2]]


@pytest.mark.parametrize("order", [1, -1])
def test_no_cache_keeps_an_answer_the_session_was_asked_for(order):
    hooks = [CookieSessions(OLD), ResponseCache(MemoryStore(), ttl_s=60)][::order]
    app = App(hooks=hooks)

    @app.get("/{name}")
    async def hello(request: Request, name: str) -> str:
        return f"{name} {request.session.get('n')}" if name == "own" else f"{name} {next(NUMBERS)}"

    for path, headers in (("/own", ("MISS", "MISS")), ("/all", ("MISS", "HIT"))):
        assert tuple(get(app, path).headers["x-cache"].split(";")[0].upper() for _ in "12") == headers


NUMBERS = iter(range(100))


def test_clearing_has_the_browser_forget():
    app = make()
    name, value, rest = attributes(asked(app, cookie_of(app), "/clear"))

    assert (name, value, rest["max-age"]) == ("session", "", "0")
    assert rest["expires"].endswith("1970 00:00:00 GMT")
    assert get(app, "/clear").headers.get("set-cookie") is None


@pytest.mark.parametrize(("status", "n"), [(404, 99), (409, 99), (500, 1), (503, 1)])
def test_changes_of_a_handler_that_failed_are_dropped(status, n):
    with TestClient(make()) as client:
        client.get("/count")
        client.get(f"/fails/{status}")
        assert client.get("/read").json() == {"n": n}


def test_a_cookie_cut_or_changed_at_any_octet_is_an_empty_session():
    app = make()
    value = cookie_of(app)
    assert json.loads(asked(app, value).body) == {"user": "7"}

    for place in range(len(value)):
        changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        for text in (value[:place], changed):
            reply = asked(app, text)
            assert (reply.status, reply.body) == (200, b"{}")


def test_a_cookie_that_is_not_valid_is_taken_back():
    name, value, rest = attributes(asked(make(), "forged"))
    assert (name, value, rest["max-age"]) == ("session", "", "0")


def test_keys_rotate():
    before, during, after = make(OLD), make([NEW, OLD]), make(NEW)
    old, new = cookie_of(before), cookie_of(during)

    assert asked(during, old).body == asked(after, new).body == b'{"user":"7"}'
    assert asked(after, old).body == asked(before, new).body == b"{}"


def test_cookies_of_other_names_and_purposes_are_no_sessions():
    app = make(name="other")
    assert asked(app, cookie_of(make()), name="other").body == b"{}"


def test_a_session_ends_when_it_is_old_or_idle(monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr(carrier.time, "time", lambda: now[0])
    app = make(max_age_s=1000, idle_s=100)
    begun = attributes(get(app, "/count"))
    assert begun[2]["max-age"] == "100"

    now[0] += 9
    assert asked(app, begun[1]).headers.get("set-cookie") is None  # used just now
    now[0] += 1
    renewed = attributes(asked(app, begun[1]))
    assert renewed[2]["max-age"] == "100"
    now[0] += 89
    assert asked(app, begun[1]).body == b'{"n":1}'
    now[0] += 1
    assert asked(app, begun[1]).body == b"{}"
    again = asked(app, renewed[1])
    assert again.body == b'{"n":1}'

    value = attributes(again)[1]
    for _ in range(17):
        now[0] += 50
        value = attributes(asked(app, value))[1]
    now[0] = 1_000_990.0
    assert attributes(asked(app, value))[2]["max-age"] == "10"
    assert attributes(asked(app, value, "/rotate"))[2]["max-age"] == "100"
    now[0] = 1_001_000.0
    assert asked(app, value).body == b"{}"


def test_a_session_from_the_future_is_none(monkeypatch):
    app = make()
    value = cookie_of(app)
    monkeypatch.setattr(carrier.time, "time", lambda: 1_000_000.0)
    assert asked(app, value).body == b"{}"


def test_what_does_not_fit_says_what_to_do_and_changes_nothing():
    app = make()
    fits = next(size for size in range(3000, 2000, -1) if get(app, f"/large/{size}").status == 204)
    assert len(get(app, f"/large/{fits}").headers["set-cookie"]) in range(4090, 4094)

    with serve(app, faults=True) as server:
        for size in (fits + 1, 5000, 1_000_000):
            reply = server.ask(f"/large/{size}")
            assert (reply.status, reply.get("set-cookie")) == (500, None)
        (_, _, last) = server.log.tracebacks()
    assert re.search(r"1000011 octets of JSON.*cookie of 4093; put less into it.*ServerSessions", last)


def test_a_change_behind_the_head_is_refused():
    with TestClient(make()) as client:
        assert "before the response begins" in client.get("/stream").text


def test_a_websocket_handler_reads_the_session_and_sets_it_until_it_accepts():
    app = make()
    with serve(app) as server:
        cookie = {"Cookie": f"session={cookie_of(app)}"}
        with connect(f"ws://127.0.0.1:{server.port}/ws", additional_headers=cookie) as ws:
            assert json.loads(ws.recv()) == {"user": "7", "seen": True}
            value = SimpleCookie(ws.response.headers["Set-Cookie"])["session"].value
        assert asked(app, value).body == b'{"user":"7","seen":true}'


def test_the_sessions_of_a_router_stand_for_those_of_its_application():
    app = make()
    inner = Router("/inner", hooks=[CookieSessions(NEW, name="inner")])

    @inner.get("/count")
    async def count(request: Request) -> int:
        request.session["n"] = 5
        return 5

    app.include(inner)

    assert attributes(get(app, "/inner/count"))[0] == "inner"


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from([chr(x) for x in (9, *range(32, 127), *range(128, 256))]), max_size=200))
def test_no_cookie_field_makes_it_fail(text):
    app = APP
    for value in (text, f"session={text}", f"session={VALUE}{text}", f"session={text}.{VALUE}"):
        reply = get(app, "/count", headers=(("cookie", value.strip()),))
        assert reply.status == 200


APP = make()
VALUE = cookie_of(APP)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_no_signed_content_makes_it_fail(octets):
    signer = APP.hooks[0]._signer
    for packed in (octets, Kept(0, 0, octets).packed()[:12], Kept(2**40 - 1, 0, octets).packed()):
        assert asked(APP, signer.sign(packed)).body == b"{}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_age_s": 0}, "max_age_s=0"),
        ({"max_age_s": 1.5}, "max_age_s=1.5"),
        ({"idle_s": -1}, "idle_s=-1"),
        ({"name": "a b"}, "cookie name 'a b'"),
        ({"path": "x"}, "path 'x'"),
        ({"domain": ";"}, "domain ';'"),
        ({"same_site": "none"}, 'same_site="none" needs secure=True'),
        ({"host_prefix": True, "path": "/x"}, "__Host- needs"),
        ({"secret": "short"}, "the secret has 5 octets"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(options, message):
    with pytest.raises(ApplicationError, match=re.escape(message)):
        CookieSessions(**{"secret": OLD, **options})
