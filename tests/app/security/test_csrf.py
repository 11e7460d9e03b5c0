"""CSRF: who has no token of this site's pages for this client changes nothing."""

import base64
import re
import time

import pytest

from penstock import (
    CSRF,
    App,
    HTMLResponse,
    MemoryStore,
    Request,
    Response,
    ResponseCache,
    Router,
    StreamResponse,
    TestClient,
    csrf_token,
    rotate_csrf,
)
from penstock.app.security.csrf import is_token_of, masked
from penstock.errors import ApplicationError
from tests.app.driver import content, send

SECRET = "a secret of thirty-two octets, or more"
OTHER = "another secret of thirty-two octets, too"
FORM = "application/x-www-form-urlencoded"


def make_app(*hooks, **options):
    app = App(hooks=hooks or [CSRF(SECRET, **options)])

    @app.get("/page", run="inline")
    def page(request) -> str:
        return csrf_token(request)

    @app.get("/plain", run="inline")
    def plain() -> str:
        return "plain"

    @app.post("/order", run="inline")
    def order() -> str:
        return "ordered"

    @app.post("/login", run="inline")
    def login(request) -> str:
        rotate_csrf(request)
        return "welcome"

    return app


def cookie_of(response):
    """The Cookie field a browser sends after this response."""
    return response.headers["set-cookie"].partition(";")[0]


def visit(app, *headers):
    """A client's cookie and token."""
    page = send(app, "GET", "/page", headers=headers)
    return cookie_of(page), page.body.decode()


def order(app, cookie=None, token=None, *headers, target="/order", body=b""):
    fields = [*headers]
    if cookie is not None:
        fields.append(("cookie", cookie))
    if token is not None:
        fields.append(("x-csrf-token", token))
    return send(app, "POST", target, body, tuple(fields))


def test_a_token_of_ones_own_page_lets_a_request_in():
    app = make_app()
    cookie, token = visit(app)

    assert order(app, cookie, token).body == b"ordered"
    assert order(app, cookie, token).body == b"ordered"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_need_no_token_and_pages_without_one_stay_as_they_are(method):
    response = send(make_app(), method, "/plain")

    assert response.status in (200, 204)
    names = list(response.headers.keys())
    assert "set-cookie" not in names
    assert "vary" not in names
    assert "cache-control" not in names


def test_a_page_with_a_token_is_for_nobody_else():
    page = send(make_app(), "GET", "/page")

    assert page.headers["cache-control"] == "private"
    assert page.headers["vary"] == "Cookie"
    assert re.fullmatch(
        r"csrf=[\w.-]+; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax", page.headers["set-cookie"]
    )


def test_the_cookie_is_kept_and_the_token_is_another_each_time():
    app = make_app()
    cookie, token = visit(app)

    again = send(app, "GET", "/page", headers=(("cookie", cookie),))

    assert "set-cookie" not in again.headers
    assert again.headers["cache-control"] == "private"
    assert again.body.decode() != token
    assert order(app, cookie, again.body.decode()).status == 200


def test_one_response_has_one_token():
    app = make_app()
    app.get("/twice")(lambda request: [csrf_token(request), csrf_token(request)])

    first, second = content(send(app, "GET", "/twice"))

    assert first == second


def tampered(text, at):
    letter = "A" if text[at] != "A" else "B"
    return text[:at] + letter + text[at + 1 :]


def test_what_is_not_the_clients_own_is_refused():
    app = make_app()
    cookie, token = visit(app)
    other_cookie, other_token = visit(app)
    foreign_cookie, foreign_token = visit(make_app(CSRF(OTHER)))
    named_cookie, named_token = visit(make_app(cookie="another"))

    wrong = {
        "nothing": (None, None),
        "no token": (cookie, None),
        "no cookie": (None, token),
        "a token of another client": (cookie, other_token),
        "a cookie of another client": (other_cookie, token),
        "both of another application": (foreign_cookie, foreign_token),
        "both for another purpose": (named_cookie.replace("another=", "csrf="), named_token),
        "an empty token": (cookie, ""),
        "the cookie as the token": (cookie, cookie.partition("=")[2]),
        "a token cut short": (cookie, token[:-1]),
        "a token cut in half": (cookie, token[:20]),
        "a token and more": (cookie, token + "A"),
        "a token twice": (cookie, token * 2),
        "no secret at all": (cookie, base64.urlsafe_b64encode(bytes(30)).decode()),
        "not ASCII": (cookie, "ü" * 40),
        "spaces": (cookie, " " * 40),
        "huge": (cookie, "A" * 1_000_000),
        "a cookie cut short": (cookie[:-1], token),
        "a cookie cut in half": (cookie[: len(cookie) // 2], token),
        "an empty cookie": ("csrf=", token),
        "a huge cookie": ("csrf=" + "A" * 100_000, token),
        "a cookie that is not ASCII": ("csrf=" + "ü" * 40, token),
        "a cookie of dots": ("csrf=1...", token),
    }
    for name, (its_cookie, its_token) in wrong.items():
        response = order(app, its_cookie, its_token)
        assert (response.status, response.media_type) == (403, "application/problem+json"), name
        assert content(response)["detail"].startswith("CSRF: ")
    assert order(app, cookie, token).status == 200


def test_no_letter_of_cookie_or_token_may_differ():
    app = make_app()
    cookie, token = visit(app)

    for at in range(len(token)):
        assert order(app, cookie, tampered(token, at)).status == 403
    for at in range(len("csrf="), len(cookie)):
        changed = tampered(cookie, at)
        last_of_mac = at == len(cookie) - 1  # two of its bits say nothing; the mac is compared as text
        assert order(app, changed, token).status == 403, (at, last_of_mac)


def test_masks_hide_the_secret():
    secret = bytes(range(15))
    tokens = {masked(secret) for _ in range(100)}

    assert len(tokens) == 100
    assert all(is_token_of(secret, token) for token in tokens)
    assert not any(is_token_of(bytes(15), token) for token in tokens)
    token = tokens.pop()
    assert not is_token_of(secret, token[:-1] + "\n")
    assert not is_token_of(secret, "\u0663" * 40)


# Where the token is.


def test_the_field_of_a_form_will_do():
    app = make_app()
    cookie, token = visit(app)
    form = ("content-type", f"{FORM}; charset=utf-8")

    for body in (f"csrf_token={token}", f"a=1&csrf_token={token}", f"csrf_token={token}&a=%zz"):
        assert order(app, cookie, None, form, body=body.encode()).status == 200, body
    for body in (
        f"xcsrf_token={token}",
        f"csrf_token={token}x",
        f"csrf_token=&a={token}",
        f"csrf_token=x{token}",
        f"a=csrf_token={token[:-1]}",
        "csrf_token",
        "",
    ):
        assert order(app, cookie, None, form, body=body.encode()).status == 403, body
    text = ("content-type", "text/plain")
    assert order(app, cookie, None, text, body=f"csrf_token={token}".encode()).status == 403


def parts(token, head='Content-Disposition: form-data; name="csrf_token"'):
    before = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    return f"{before}--b\r\n{head}\r\n\r\n{token}\r\n--b--\r\n".encode()


def test_the_field_of_a_form_of_parts_will_do():
    app = make_app()
    cookie, token = visit(app)
    kind = ("content-type", "multipart/form-data; boundary=b")

    for head in (
        'Content-Disposition: form-data; name="csrf_token"',
        "Content-Disposition: form-data; name=csrf_token",
        'Content-Disposition: form-data; name="csrf_token"\r\nContent-Type: text/plain',
    ):
        assert order(app, cookie, None, kind, body=parts(token, head)).status == 200, head
    for body in (parts(token[:-1]), parts(""), parts(token, 'Content-Disposition: form-data; name="x"'), b""):
        assert order(app, cookie, None, kind, body=body).status == 403


def test_a_field_of_another_name():
    app = make_app(CSRF(SECRET, header="X-Token", field="authenticity", cookie="forgery"))
    cookie, token = visit(app)
    form = ("content-type", FORM)

    assert cookie.startswith("forgery=")
    assert order(app, cookie, None, ("x-token", token)).status == 200
    assert order(app, cookie, None, form, body=f"authenticity={token}".encode()).status == 200
    assert order(app, cookie, token).status == 403


def test_a_hostile_body_is_searched_in_no_time():
    app = make_app()
    cookie, _ = visit(app)

    for kind, body in [
        (FORM, b"csrf_token=" * 90_000),
        (FORM, b"&" * 1_000_000),
        ("multipart/form-data; boundary=b", b';name="csrf_token"\r\n' * 50_000),
        ("multipart/form-data; boundary=b", b';name="csrf_token";' * 50_000 + b"\r\n"),
        ("multipart/form-data; boundary=b", b'name="csrf_token"\r\n' + b"a\r\n" * 300_000),
    ]:
        began = time.process_time()
        assert order(app, cookie, None, ("content-type", kind), body=body).status == 403
        assert time.process_time() - began < 2


# Who may do without.


def test_exempt_routes_need_none():
    for exempt in (["/order"], lambda request: request.route == "/order"):
        app = make_app(exempt=exempt)
        assert order(app).status == 200
        assert order(app, target="/login").status == 403


def test_a_router_may_have_its_own():
    app, router = App(hooks=[CSRF(SECRET)]), Router("/api", hooks=[CSRF(SECRET, exempt=["/api/x"])])
    router.post("/x")(lambda: "x")
    app.include(router)

    assert order(app, target="/api/x").status == 200
    assert order(app, target="/nothing").status == 403


# Rotation and age.


def test_rotation_voids_tokens_from_before():
    app = make_app()
    cookie, token = visit(app)

    response = order(app, cookie, token, target="/login")

    rotated = cookie_of(response)
    assert rotated != cookie
    assert order(app, rotated, token).status == 403
    fresh = send(app, "GET", "/page", headers=(("cookie", rotated),)).body.decode()
    assert order(app, rotated, fresh).status == 200


def test_tokens_of_an_older_key_are_accepted_and_its_removal_voids_them():
    cookie, token = visit(make_app(CSRF(OTHER)))

    assert order(make_app(CSRF([SECRET, OTHER])), cookie, token).status == 200
    assert order(make_app(CSRF([SECRET])), cookie, token).status == 403


@pytest.fixture
def clock(monkeypatch):
    now = [time.time()]
    monkeypatch.setattr("penstock.app.security.signing.time.time", lambda: now[0])
    return now


def test_a_cookie_is_renewed_at_half_its_age_with_the_same_secret(clock):
    app = make_app(max_age_s=100)
    cookie, token = visit(app)

    clock[0] += 40
    assert "set-cookie" not in send(app, "GET", "/page", headers=(("cookie", cookie),)).headers
    clock[0] += 20
    renewed = cookie_of(send(app, "GET", "/page", headers=(("cookie", cookie),)))
    assert renewed != cookie
    assert order(app, cookie, token).status == 200
    clock[0] += 60
    assert order(app, cookie, token).status == 403
    assert order(app, renewed, token).status == 200


def test_a_token_is_bound_to_what_the_application_says():
    app = make_app(bind=lambda request: request.headers.get("x-user"))
    alice, bob = ("x-user", "alice"), ("x-user", "bób")
    cookie, token = visit(app, alice)

    assert order(app, cookie, token, alice).status == 200
    assert order(app, cookie, token, bob).status == 403
    assert order(app, cookie, token).status == 403
    after_login = send(app, "GET", "/page", headers=(("cookie", cookie), bob))
    assert order(app, cookie_of(after_login), after_login.body.decode(), bob).status == 200


# Origins.


class Secure:
    scheme, client, server = "https", None, None


def over_https(app, method, target, *headers):
    request = Request.build(method, target, (("host", "shop.example"), *headers))
    request.connection = Secure()
    return app.resolve(request).call(request)


def test_over_https_the_cookie_is_for_this_host_alone():
    app = make_app()
    page = over_https(app, "GET", "/page")
    cookie, token = cookie_of(page), page.body.decode()
    own = ("origin", "https://shop.example")
    plain_cookie = cookie.replace("__Host-", "")

    assert page.headers["set-cookie"].startswith("__Host-csrf=")
    assert page.headers["set-cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")

    def ask(cookie, *fields):
        fields = (("cookie", cookie), ("x-csrf-token", token), *fields)
        return over_https(app, "POST", "/order", *fields).status

    assert ask(cookie, own) == 200
    assert ask(plain_cookie, own) == 403  # another host of the domain may have set it
    assert ask(cookie, ("referer", "https://shop.example/page?x=1")) == 200
    assert ask(cookie, ("sec-fetch-site", "same-origin")) == 200
    for fields in (
        (),
        (("origin", "https://evil.example"),),
        (("origin", "http://shop.example"),),
        (("origin", "https://shop.example:8443"),),
        (("origin", "https://shop.example.evil.example"),),
        (("origin", "null"),),
        (("origin", ""),),
        (("referer", "https://evil.example/https://shop.example/"),),
        (("referer", "https://shop.example@evil.example/"),),
        (("referer", "nonsense"),),
        (("origin", "https://evil.example"), ("referer", "https://shop.example/")),
        (("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")),
    ):
        assert ask(cookie, *fields) == 403, fields


def test_over_plain_http_an_origin_that_is_sent_must_be_right():
    app = make_app(origins=["https://page.example"])
    cookie, token = visit(app)

    assert order(app, cookie, token).status == 200
    assert order(app, cookie, token, ("origin", "http://test")).status == 200
    assert order(app, cookie, token, ("origin", "https://page.example")).status == 200
    assert order(app, cookie, token, ("origin", "http://evil.example")).status == 403
    assert order(app, cookie, token, ("origin", "null")).status == 403


def test_a_cookie_for_a_domain_has_no_prefix():
    page = over_https(make_app(domain="shop.example"), "GET", "/page")

    assert page.headers["set-cookie"].startswith("csrf=")
    assert "Domain=shop.example" in page.headers["set-cookie"]


# Responses.


def test_a_kept_response_stays_as_it_was():
    app, kept = make_app(), HTMLResponse("kept")

    def page(request) -> Response:
        csrf_token(request)
        return kept

    app.get("/kept")(page)

    assert "set-cookie" in send(app, "GET", "/kept").headers
    assert kept.own_headers is None


def test_a_token_in_a_stream_must_be_asked_for_before(caplog):
    app = make_app()

    def late(request) -> Response:
        return StreamResponse(csrf_token(request) for _ in range(1))

    app.get("/late")(late)
    response = send(app, "GET", "/late")

    with pytest.raises(RuntimeError, match="before the response"):
        next(response.content)


def test_a_stream_may_show_the_token_of_a_client_that_has_the_cookie():
    app = make_app()

    def late(request) -> Response:
        return StreamResponse(csrf_token(request) for _ in range(1))

    app.get("/late")(late)
    cookie, _ = visit(app)
    token = next(send(app, "GET", "/late", headers=(("cookie", cookie),)).content)

    assert order(app, cookie, token).status == 200


def test_without_the_hook_there_is_no_token():
    with pytest.raises(RuntimeError, match=r"App\(hooks=\[CSRF"):
        csrf_token(Request.build())
    with pytest.raises(RuntimeError, match=r"App\(hooks=\[CSRF"):
        rotate_csrf(Request.build())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret": "short"}, "32 or more"),
        ({"max_age_s": 0}, "max_age_s=0"),
        ({"max_age_s": True}, "max_age_s=True"),
        ({"header": "no header"}, "header='no header'"),
        ({"field": "a b"}, "field='a b'"),
        ({"cookie": "a b"}, "cookie name"),
        ({"same_site": "no"}, "same_site"),
        ({"same_site": "none", "secure": False}, "needs secure=True"),
        ({"origins": "https://a.example"}, "origins is a list"),
        ({"origins": ["a.example"]}, "is no origin"),
        ({"exempt": "/x"}, "exempt is a list"),
        ({"exempt": ["x"]}, "is no template"),
    ],
)
def test_what_is_configured_wrongly_is_told_at_once(options, message):
    with pytest.raises(ApplicationError, match=re.escape(message)):
        CSRF(**{"secret": SECRET, **options})


@pytest.mark.parametrize("order", ["outside", "inside"])
@pytest.mark.parametrize("allow", [(), ("private", "set-cookie")])
def test_a_page_with_a_token_is_in_no_cache(order, allow):
    cache = ResponseCache(MemoryStore(), ttl_s=60, allow=allow)
    hooks = [CSRF(SECRET), cache] if order == "outside" else [cache, CSRF(SECRET)]
    app = make_app(*hooks)
    with TestClient(app) as client:
        first = client.get("/page").text
        client.cookies.clear()
        second = client.get("/page").text
        client.cookies.clear()
        assert client.get("/plain").text == client.get("/plain").text

    assert first != second
    assert len(first) == len(second) == 40
