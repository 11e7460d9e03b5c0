"""Basic, bearer tokens, API keys and scopes, as dependencies of handlers: who is let in, and what others are told."""

import base64
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import (
    APIKey,
    App,
    BasicAuth,
    BasicCredentials,
    BearerAuth,
    Depends,
    OAuth2AuthorizationCode,
    OAuth2Password,
    Request,
    Router,
    requires,
)
from penstock.app.auth.guard import find_scheme
from penstock.errors import ApplicationError, HTTPError
from tests.app.driver import content, get
from tests.server.harness import serve

FIELD_VALUE = st.text(st.sampled_from([chr(x) for x in (9, *range(32, 127), *range(128, 256))]), max_size=80)


def basic(pair):
    return "Basic " + base64.b64encode(pair if isinstance(pair, bytes) else pair.encode()).decode()


def app_of(scheme):
    """An application that says whom it sees, from a coroutine, a thread, and behind a router."""
    app = App()
    inner = Router("/inner", dependencies=[Depends(scheme)])

    @app.get("/")
    async def who(found: Annotated[Any, Depends(scheme)]) -> Any:
        return found

    @app.get("/thread")
    def who_in_thread(found: Annotated[Any, Depends(scheme)]) -> Any:
        return found

    @inner.get("")
    async def behind() -> str:
        return "behind"

    app.include(inner)
    return app


def asked(app, *fields, target="/"):
    return get(app, target, headers=fields)


def challenge(reply):
    assert reply.status == 401, reply.body
    return reply.headers["www-authenticate"]


# --------------------------------------------------------------------------------------------------------------- basic


def test_basic_credentials_are_handed_on():
    app = app_of(BasicAuth())

    for pair, expected in [
        ("ann:pw", ["ann", "pw"]),
        ("ann:a:b", ["ann", "a:b"]),
        (":", ["", ""]),
        ("é:ü", ["é", "ü"]),
        ("a:b\u00a0\u2003c", ["a", "b\u00a0\u2003c"]),
    ]:
        assert content(asked(app, ("authorization", basic(pair)))) == expected
    assert content(asked(app, ("authorization", "bAsIc   " + basic("a:b")[6:]))) == ["a", "b"]


@pytest.mark.parametrize("path", ["/", "/thread", "/inner"])
def test_without_credentials_a_browser_is_asked_for_them(path):
    with serve(app_of(BasicAuth(realm='the "shop" \\'))) as server, server.connect() as client:
        reply = client.ask(path)
        assert reply.status == 401
        assert reply.get("www-authenticate") == 'Basic realm="the \\"shop\\" \\\\", charset="UTF-8"'
        assert reply.get("content-type") == "application/problem+json"
        assert client.ask(path, "GET", f"Authorization: {basic('a:b')}").status == 200


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic =",
        "Basic YQ",
        "Basic !!!!",
        "Basic YTpi YTpi",
        "Basic YTpi, Basic YTpi",
        basic("no colon"),
        basic(b"\xff:\xff"),
        basic("a\0:b"),
        basic("a:b\n"),
        basic("a\x7f:b"),
    ],
)
def test_what_is_no_basic_credential_is_a_401(value):
    assert challenge(asked(app_of(BasicAuth()), ("authorization", value))).startswith("Basic realm=")


def test_known_users_are_let_in_and_no_others():
    app = app_of(BasicAuth(users={"ann": "secret", "é": "ü"}))

    for pair in ("ann:secret", "é:ü"):
        assert content(asked(app, ("authorization", basic(pair))))[0] == pair.partition(":")[0]
    for pair in ("ann:Secret", "ann:", "ann:ü", "é:secret", "bob:secret", ":", "ann:secret "):
        assert challenge(asked(app, ("authorization", basic(pair))))


def test_two_fields_are_no_credentials():
    twice = ("authorization", basic("ann:pw")), ("authorization", basic("ann:pw"))
    assert challenge(asked(app_of(BasicAuth()), *twice))
    bearer = ("authorization", "Bearer a"), ("authorization", "Bearer b")
    assert "invalid_token" in challenge(asked(app_of(BearerAuth()), *bearer))


def test_a_password_is_not_shown():
    assert repr(BasicCredentials("ann", "secret")) == "BasicCredentials('ann', ...)"
    assert "secret" not in repr(BasicAuth(users={"ann": "secret"}))


# -------------------------------------------------------------------------------------------------------------- bearer


def test_a_token_is_handed_on():
    app = app_of(BearerAuth())
    for token in ("a", "aA0-._~+/", "a==", "x" * 5000):
        assert asked(app, ("authorization", f"Bearer {token}")).body.decode() == token


def test_what_a_client_is_told_depends_on_what_it_said():
    app = app_of(BearerAuth(realm="shop"))

    assert challenge(asked(app)) == 'Bearer realm="shop"'
    assert challenge(asked(app, ("authorization", basic("a:b")))) == 'Bearer realm="shop"'
    malformed = 'Bearer realm="shop", error="invalid_token", error_description="the token is malformed"'
    for value in ("Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer é", "Bearer a,b", "bearer a=b"):
        assert challenge(asked(app, ("authorization", value))) == malformed


def test_known_tokens_are_let_in_by_the_name_of_their_owner():
    app = app_of(BearerAuth(tokens={"ci": "token-1", "cd": "token-2"}))

    assert asked(app, ("authorization", "Bearer token-2")).body == b"cd"
    for token in ("token-3", "token-", "token-11", "TOKEN-1"):
        assert "invalid_token" in challenge(asked(app, ("authorization", f"Bearer {token}")))


# ------------------------------------------------------------------------------------------------------------- api key


@pytest.mark.parametrize(
    ("place", "fields", "target"),
    [
        ({"header": "X-API-Key"}, (("x-api-key", "k-1"),), "/"),
        ({"query": "key"}, (), "/?key=k-1"),
        ({"cookie": "key"}, (("cookie", "a=b; key=k-1"),), "/"),
    ],
)
def test_a_key_is_found_where_it_stands(place, fields, target):
    assert asked(app_of(APIKey(**place)), *fields, target=target).body == b"k-1"
    assert asked(app_of(APIKey(**place, keys={"shop": "k-1"})), *fields, target=target).body == b"shop"
    assert challenge(asked(app_of(APIKey(**place, keys={"shop": "k-2"})), *fields, target=target))
    assert challenge(asked(app_of(APIKey(**place, realm="r")))) == 'ApiKey realm="r"'


def test_two_keys_are_none():
    app = app_of(APIKey(header="X-API-Key", keys={"shop": "k-1"}))
    assert challenge(asked(app, ("x-api-key", "k-1"), ("x-api-key", "k-1")))


def test_a_query_that_is_no_text_has_no_key():
    assert challenge(asked(app_of(APIKey(query="key")), target="/?key=%ff"))


# ------------------------------------------------------------------------------------------------------------- for all


SCHEMES = [
    BasicAuth(optional=True),
    BearerAuth(optional=True),
    OAuth2Password("/token", optional=True),
    APIKey(header="X-API-Key", optional=True),
    APIKey(query="key", optional=True),
    APIKey(cookie="key", optional=True),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_an_optional_scheme_sees_nobody(scheme):
    assert asked(app_of(scheme)).status == 204


def test_an_optional_scheme_refuses_what_is_wrong():
    assert challenge(asked(app_of(BasicAuth(optional=True)), ("authorization", "Basic x")))
    assert challenge(asked(app_of(BearerAuth(optional=True, tokens={})), ("authorization", "Bearer x")))


STRICT = [
    app_of(scheme)
    for scheme in (
        BasicAuth(users={"ann": "é"}),
        BearerAuth(tokens={"ann": "t"}),
        APIKey(header="Authorization", keys={"a": "k"}),
        APIKey(cookie="k", keys={"a": "k"}),
    )
]


@settings(deadline=None, max_examples=80)
@given(
    FIELD_VALUE
    | FIELD_VALUE.map("Basic ".__add__)
    | FIELD_VALUE.map("Bearer ".__add__)
    | st.binary().map(basic)
)
def test_no_field_makes_it_fail(value):
    for app in STRICT:
        for name, text in (("authorization", value), ("cookie", "k=" + value)):
            assert asked(app, (name, text.strip())).status in (200, 401)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BasicAuth(realm="é"), "realm='é'"),
        (lambda: BasicAuth(realm="a\r\nX: y"), "realm="),
        (lambda: BasicAuth(scheme_name="a b"), "scheme_name='a b'"),
        (lambda: BasicAuth(users={"a:b": "x"}), "names without ':'"),
        (lambda: BasicAuth(users={"a": ""}), "users: 'a'"),
        (lambda: BasicAuth(users=["ann"]), "users: expected a dict of passwords by name"),
        (lambda: BearerAuth(tokens=["x"]), "BearerAuth: tokens: expected a dict of secrets by name"),
        (lambda: BearerAuth(tokens={"a": ""}), "tokens: 'a'"),
        (lambda: BearerAuth(tokens={"a": "x", "b": "x"}), "two have the same secret"),
        (APIKey, "expected one of header="),
        (lambda: APIKey(header="a", query="b"), "expected one of header="),
        (lambda: APIKey(header="a b"), "header='a b' is no name"),
        (lambda: APIKey(cookie="a;"), "cookie='a;' is no name"),
        (lambda: OAuth2Password(7), "tokenUrl: expected a URL"),
        (lambda: requires(of=BearerAuth()), "expected scopes"),
        (lambda: requires("", of=BearerAuth()), "expected scopes"),
        (lambda: requires("admin", of=7), "expected the dependency"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(make, message):
    with pytest.raises(ApplicationError, match="(?s).*" + message.replace("(", r"\(")) as caught:
        make()
    assert "secret'" not in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- scopes


@dataclass
class User:
    name: str
    scopes: tuple[str, ...] = ()


USERS = {"t-ann": User("ann", ("read", "admin")), "t-bob": User("bob", ("read",))}
OAUTH2 = OAuth2AuthorizationCode("/authorize", "/token", scopes={"admin": "everything"})


async def current_user(token: Annotated[str, Depends(OAUTH2)]) -> User:
    if token not in USERS:
        raise OAUTH2.refused()
    return USERS[token]


def scoped():
    app = App()

    @app.get("/admin")
    async def admin(user: Annotated[User, Depends(requires("admin", "read", of=current_user))]) -> str:
        return user.name

    @app.get("/guarded", dependencies=[Depends(requires("admin", of=current_user))])
    def guarded() -> str:
        return "in"

    return app


def test_scopes_tell_401_from_403():
    with serve(scoped()) as server, server.connect() as client:
        for path, answer in (("/admin", b"ann"), ("/guarded", b"in")):
            assert client.ask(path, "GET", "Authorization: Bearer t-ann").content == answer
            assert client.ask(path).get("www-authenticate") == 'Bearer realm="application"'
            assert client.ask(path, "GET", "Authorization: Bearer t-eve").status == 401
            refused = client.ask(path, "GET", "Authorization: Bearer t-bob")
            needed = "admin read" if path == "/admin" else "admin"
            assert (refused.status, refused.get("www-authenticate")) == (
                403,
                f'Bearer realm="application", error="insufficient_scope", scope="{needed}"',
            )


def test_what_is_granted_may_be_computed():
    app = App()
    by_level = requires("write", of=BearerAuth(), granted=lambda token: {"a": ["write"]}.get(token, []))

    @app.get("/")
    async def write(token: Annotated[str, Depends(by_level)]) -> str:
        return token

    assert asked(app, ("authorization", "Bearer a")).body == b"a"
    assert asked(app, ("authorization", "Bearer b")).status == 403


def test_nobody_has_no_scopes():
    app = app_of(requires("admin", of=BearerAuth(optional=True)))
    assert challenge(asked(app)) == 'Bearer realm="application"'

    async def nobody() -> None:
        return None

    reply = asked(app_of(requires("admin", of=nobody)))
    assert (reply.status, reply.headers.get("www-authenticate")) == (401, None)


def test_a_guard_without_a_scheme_says_403():
    async def user() -> User:
        return USERS["t-bob"]

    assert asked(app_of(requires("read", of=user))).status == 200
    assert asked(app_of(requires("admin", of=user))).status == 403


@pytest.mark.parametrize("found", ["text", User("x", "admin")])
def test_what_has_no_scopes_is_told(found):
    async def user() -> Any:
        return found

    with serve(app_of(requires("admin", of=user)), faults=True) as server:
        assert server.ask("/").status == 500
        assert "scopes" in server.log.tracebacks()[0]


def test_a_scheme_may_be_overridden_in_tests():
    app = scoped()
    app.overrides[current_user] = lambda: USERS["t-ann"]
    assert asked(app, target="/admin").body == b"ann"


def test_the_scheme_below_a_dependency_is_found():
    class Service:
        def __init__(self, user: Annotated[User, Depends(current_user)]) -> None:
            self.user = user

    def deep(service: Annotated[Service, Depends()], n: int = 1) -> Service:
        return service

    def circle(x: Any = Depends(lambda: 1)) -> None: ...

    assert find_scheme(deep) is OAUTH2
    assert find_scheme(circle) is None
    assert find_scheme(print) is None


def test_openapi_shows_schemes_and_scopes():
    app = scoped()

    @app.get("/key")
    async def key(found: Annotated[str, Depends(APIKey(header="X-API-Key", description="Ask us."))]) -> str:
        return found

    document = app.openapi()

    assert document["components"]["securitySchemes"] == {
        "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Ask us."},
        "oauth2AuthorizationCode": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": "/authorize",
                    "tokenUrl": "/token",
                    "scopes": {"admin": "everything"},
                }
            },
        },
    }
    paths = document["paths"]
    assert paths["/admin"]["get"]["security"] == [{"oauth2AuthorizationCode": ["admin", "read"]}]
    assert paths["/guarded"]["get"]["security"] == [{"oauth2AuthorizationCode": ["admin"]}]
    assert paths["/key"]["get"]["security"] == [{"apiKeyHeader": []}]


def test_a_dependency_may_raise_what_a_scheme_says():
    scheme = BasicAuth(realm="shop")

    async def user(given: Annotated[BasicCredentials, Depends(scheme)]) -> str:
        if given.password != "right":
            raise scheme.refused("wrong password")
        if given.username != "ann":
            raise HTTPError(403)
        return given.username

    app = app_of(user)
    assert asked(app, ("authorization", basic("ann:right"))).body == b"ann"
    assert (
        challenge(asked(app, ("authorization", basic("ann:wrong")))) == 'Basic realm="shop", charset="UTF-8"'
    )
    assert asked(app, ("authorization", basic("bob:right"))).status == 403


def test_a_scheme_is_called_with_a_request_too():
    request = Request.build(headers=[("authorization", "Bearer t")])
    assert BearerAuth()(request) == "t"
