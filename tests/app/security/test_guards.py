"""TrustedHosts, HTTPSRedirect, RequestID, FetchMetadata, SecurityHeaders, and how hooks are given."""

import pytest

from penstock import (
    CORS,
    App,
    FetchMetadata,
    HTTPError,
    HTTPSRedirect,
    Request,
    RequestID,
    Response,
    Router,
    SecurityHeaders,
    TestClient,
    TrustedHosts,
    trace_headers,
)
from penstock.errors import ApplicationError
from tests.app.driver import answer, get, send


class Secure:
    """Stands for a connection over TLS."""

    scheme = "https"
    server = client = client_certificate = None


def make(*hooks):
    app = App(hooks=hooks)
    kept = Response(b"kept")
    app.get("/")(lambda: "x")
    app.get("/kept")(lambda: kept)
    app.post("/")(lambda: "done")
    app.post("/hooks/{name}")(lambda name: name)
    return app


def ask(app, method="GET", target="/", *fields, host="test", is_secure=False):
    request = Request.build(method, target, (("host", host), *fields))
    if is_secure:
        request.connection = Secure()
    return answer(app, request)


# TrustedHosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.org", 200),
        ("Example.ORG:8000", 200),
        ("example.org.", 200),
        ("example.org.:80", 200),
        ("a.shop.example", 200),
        ("a.b.shop.example:1", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("shop.example", 400),
        ("evilshop.example", 400),
        ("example.org.evil.example", 400),
        ("evil.example", 400),
        ("[::2]", 400),
        ("", 400),
    ],
)
def test_only_hosts_that_are_listed_are_served(host, status):
    app = make(TrustedHosts(["example.org", "*.Shop.example", "[::1]"]))

    assert ask(app, host=host).status == status
    assert ask(app, "GET", "/nothing", host=host).status == (404 if status == 200 else 400)


def test_the_host_of_an_absolute_target_counts():
    app = make(TrustedHosts(["test"]))
    request = Request.build("GET", "/")
    request.authority = b"evil.example"

    assert answer(app, request).status == 400


@pytest.mark.parametrize("hosts", ["example.org", [], ["https://example.org"], ["a:80"], ["*"], ["a.*"], [1]])
def test_hosts_that_are_none_are_refused_at_start_up(hosts):
    with pytest.raises(ApplicationError, match="TrustedHosts"):
        TrustedHosts(hosts)


# HTTPSRedirect


@pytest.mark.parametrize(
    ("port", "host", "location"),
    [
        (443, "example.org", "https://example.org/a%20b?c=%2F"),
        (443, "example.org:80", "https://example.org/a%20b?c=%2F"),
        (8443, "[::1]:8000", "https://[::1]:8443/a%20b?c=%2F"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_is_sent_to_the_same_target_over_https(port, host, location, method):
    response = ask(make(HTTPSRedirect(port=port)), method, "/a%20b?c=%2F", host=host)

    assert (response.status, response.headers["location"]) == (308, location)


def test_a_prefix_a_proxy_took_off_is_put_back():
    request = Request.build("GET", "/x")
    request.prefix = "/shop"

    assert answer(make(HTTPSRedirect()), request).headers["location"] == "https://test/shop/x"


def test_https_is_served():
    assert ask(make(HTTPSRedirect()), is_secure=True).body == b"x"


def test_a_plain_request_without_host_is_refused():
    assert ask(make(HTTPSRedirect()), host="").status == 400


@pytest.mark.parametrize("port", [0, "443", True, 70_000])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ApplicationError, match="port"):
        HTTPSRedirect(port=port)


# RequestID


def test_each_request_gets_a_name_of_its_own_which_goes_back():
    app, seen = App(hooks=[RequestID()]), []
    app.get("/")(lambda request: seen.append(request.state.request_id))

    sent = [ask(app).headers["x-request-id"] for _ in range(2)]

    assert sent == seen
    assert len(set(sent)) == 2
    assert all(len(name) == 32 and name.isalnum() for name in sent)


@pytest.mark.parametrize("trust", [True, False])
def test_the_name_is_that_of_logs_and_of_outgoing_calls(trust):
    app, seen = App(hooks=[RequestID(trust=trust)]), []
    app.get("/")(lambda request: seen.extend([request.request_id, trace_headers()["X-Request-ID"]]))

    with TestClient(app) as client:
        sent = client.get("/", headers={"x-request-id": "theirs@1"}).headers["x-request-id"]

    assert seen == [sent, sent]
    assert (sent == "theirs@1") == trust


@pytest.mark.parametrize("trust", [True, lambda request: True, False, lambda request: False])
def test_a_name_from_outside_counts_when_it_is_trusted(trust):
    app = make(RequestID("X-Correlation", trust=trust))

    name = ask(app, "GET", "/nothing", ("x-correlation", "abc-1")).headers["X-Correlation"]

    assert (name == "abc-1") == (trust is True or (callable(trust) and trust(None)))


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "<script>", "a,b", 'a"b', "\xe9", "a\tb", "%0d%0a"])
def test_a_malformed_name_is_replaced(name):
    response = ask(make(RequestID(trust=True)), "GET", "/", ("x-request-id", name))

    assert response.headers["x-request-id"] != name


def test_a_request_another_hook_has_answered_has_a_name_as_well():
    response = ask(make(TrustedHosts(["other"]), RequestID()))

    assert (response.status, len(response.headers["x-request-id"])) == (400, 32)


def test_a_response_that_is_kept_is_not_changed():
    app = make(RequestID(), SecurityHeaders(), CORS(["https://a.example"]))

    names = [get(app, "/kept").headers.get_all("x-request-id") for _ in range(2)]

    assert [len(name) for name in names] == [1, 1]
    assert names[0] != names[1]


@pytest.mark.parametrize("arguments", [{"header": "a b"}, {"header": ""}, {"trust": "yes"}])
def test_a_request_id_that_cannot_work_is_refused(arguments):
    with pytest.raises(ApplicationError, match="RequestID"):
        RequestID(**arguments)


# FetchMetadata


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "rubbish"}, 403),
        ({"sec-fetch-site": ""}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://test"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://friend.example"}, 200),
        ({"origin": "https://friend.example"}, 200),
        ({"origin": "http://test"}, 200),
        ({"origin": "https://test"}, 403),
        ({"origin": "http://test:81"}, 403),
        ({"origin": "http://test.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
    ],
)
def test_unsafe_requests_of_other_sites_are_refused(fields, status):
    app = make(FetchMetadata(origins=["https://friend.example"]))

    assert ask(app, "POST", "/", *fields.items()).status == status
    assert ask(app, "GET", "/", *fields.items()).status == 200


def test_the_own_origin_has_no_default_port():
    app = make(FetchMetadata())

    assert (
        ask(app, "POST", "/", ("origin", "https://Test".lower()), host="Test:443", is_secure=True).status
        == 200
    )
    assert ask(app, "POST", "/", ("origin", "http://test"), host="test:80").status == 200
    assert ask(app, "POST", "/", ("origin", "http://test:8000"), host="test:8000").status == 200


def test_a_site_may_trust_itself_and_routes_may_be_exempt():
    app = make(FetchMetadata(same_site=True, exempt=["/hooks/{name}"]))
    foreign = ("sec-fetch-site", "cross-site")

    assert ask(app, "POST", "/", ("sec-fetch-site", "same-site")).status == 200
    assert ask(app, "POST", "/hooks/x", foreign).status == 200
    assert ask(app, "POST", "/hooks/../", foreign).status == 403
    assert ask(app, "POST", "/", foreign).status == 403


@pytest.mark.parametrize(
    "arguments", [{"origins": "x"}, {"origins": ["x"]}, {"exempt": "/"}, {"exempt": ["x"]}]
)
def test_a_check_that_cannot_work_is_refused(arguments):
    with pytest.raises(ApplicationError, match="FetchMetadata"):
        FetchMetadata(**arguments)


# SecurityHeaders

DEFAULTS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.mark.parametrize("target", ["/", "/kept", "/nothing"])
def test_every_answer_has_the_security_fields_and_hsts_over_https_only(target):
    app = make(SecurityHeaders())

    fields = DEFAULTS | ({"vary": "Accept"} if target == "/nothing" else {})
    assert dict(ask(app, "GET", target).headers.items()) == fields
    secure = dict(ask(app, "GET", target, is_secure=True).headers.items())
    assert secure == fields | {"strict-transport-security": "max-age=31536000"}


def test_every_field_can_be_set_and_left_out():
    every = SecurityHeaders(
        hsts_max_age_s=63_072_000,
        hsts_subdomains=True,
        hsts_preload=True,
        nosniff=False,
        frame=None,
        referrer="no-referrer",
        opener=None,
        embedder="require-corp",
        resource="same-site",
        permissions={"camera": [], "geolocation": ["self", "https://maps.example"], "fullscreen": ["*"]},
        csp="default-src 'self'",
        csp_report_only="script-src 'none'",
    )

    assert dict(ask(make(every), is_secure=True).headers.items()) == {
        "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
        "referrer-policy": "no-referrer",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-site",
        "permissions-policy": 'camera=(), geolocation=(self "https://maps.example"), fullscreen=*',
        "content-security-policy": "default-src 'self'",
        "content-security-policy-report-only": "script-src 'none'",
    }
    none = SecurityHeaders(hsts_max_age_s=0, nosniff=False, frame=None, referrer=None, opener=None)
    assert not dict(ask(make(none), is_secure=True).headers.items())


def test_a_field_a_route_sets_stays():
    app = App(hooks=[SecurityHeaders()])
    app.get("/")(lambda: Response(b"x", headers={"x-frame-options": "SAMEORIGIN"}))

    response = get(app, "/")

    assert response.headers.get_all("x-frame-options") == ["SAMEORIGIN"]
    assert response.headers["referrer-policy"]


def test_the_nonce_of_a_request_is_in_its_policy_and_its_page():
    app = App(hooks=[SecurityHeaders(csp="script-src 'nonce-{nonce}'")])
    app.get("/")(lambda request: request.state.csp_nonce)

    first, second = get(app, "/"), get(app, "/")

    assert first.headers["content-security-policy"] == f"script-src 'nonce-{first.body.decode()}'"
    assert len(first.body) == 24
    assert first.body != second.body
    assert "nonce-" in get(app, "/nothing").headers["content-security-policy"]


def test_a_request_refused_early_has_a_policy_with_a_nonce():
    response = ask(make(TrustedHosts(["other"]), SecurityHeaders(csp="script-src 'nonce-{nonce}'")))

    assert response.status == 400
    assert "{nonce}" not in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"hsts_max_age_s": -1},
        {"hsts_max_age_s": True},
        {"hsts_preload": True},
        {"csp": "default-src\r\nX: 1"},
        {"permissions": {"camera": "self"}},
    ],
)
def test_security_fields_that_cannot_be_are_refused(arguments):
    with pytest.raises(ApplicationError, match="SecurityHeaders"):
        SecurityHeaders(**arguments)


# How hooks are given


def test_hooks_run_in_the_order_given_outside_those_of_decorators():
    seen = []

    class Tell:
        def __init__(self, name):
            self.name = name

        def before(self, request):
            seen.append(f"before {self.name}")

        def after(self, request, response):
            seen.append(f"after {self.name}")

    app = App(hooks=[Tell("1"), Tell("2")])
    router = Router("/in", hooks=[Tell("router")])
    router.get("/x")(lambda: seen.append("handler"))
    app.include(router)
    app.before(lambda request: seen.append("before 3"))
    app.after(lambda request, response: seen.append("after 3"))

    get(app, "/in/x")

    outside = ["1", "2", "3", "router"]
    assert seen == [f"before {name}" for name in outside] + ["handler"] + [
        f"after {name}" for name in reversed(outside)
    ]


def test_a_refusal_goes_to_the_exception_handlers_and_through_the_other_hooks():
    app = make(CORS("*"), TrustedHosts(["other"]))
    app.exception_handler(HTTPError)(lambda request, error: "refused")

    response = get(app, "/")

    assert (response.status, response.body) == (400, b"refused")
    assert response.headers["access-control-allow-origin"] == "*"


def test_a_route_without_hooks_stands_alone_beside_a_router_with_some():
    app = App()
    router = Router("/in", hooks=[SecurityHeaders()])
    app.get("/")(lambda: "x")
    router.get("/x")(lambda: "x")
    app.include(router)

    plans = {placed.path: plan for placed, plan in app.compile().plans}

    assert plans["/"].endpoint.call is plans["/"].call
    assert plans["/in/x"].endpoint.call is not plans["/in/x"].call
    assert "x-frame-options" in send(app, "GET", "/in/x").headers


@pytest.mark.parametrize("hook", [print, object(), "x", type("Half", (), {"before": 1})()])
def test_what_is_no_hook_is_refused(hook):
    with pytest.raises(ApplicationError, match="is no object with"):
        App(hooks=[hook])


def test_two_of_a_kind_are_refused():
    with pytest.raises(ApplicationError, match="CORS twice"):
        App(hooks=[CORS("*"), CORS("*")])
