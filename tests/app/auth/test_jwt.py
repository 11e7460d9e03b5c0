"""Signed tokens: what is accepted, and that nothing else is, however it was made."""

import json
import re
import sys
import time
from typing import Annotated, Any

import jwt as pyjwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from penstock import JWT, APIKey, App, Claims, Depends, OAuth2Password, Request, WebSocket
from penstock.app.auth import jws
from penstock.app.auth.jws import LIMIT_BYTES
from penstock.app.auth.remote_keys import RemoteKeys
from penstock.errors import ApplicationError, MissingExtra
from tests.app.auth.tokens import (
    SECRET,
    by_hand,
    claims,
    encoded,
    jwk,
    private_key,
    private_pem,
    public_pem,
    rsa_key,
    token,
)
from tests.app.driver import content, get
from tests.server.harness import serve

ALGORITHMS = [
    *(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)),
    "EdDSA",
]
HS = JWT(SECRET, algorithms=["HS256"])


def app_of(scheme):
    app = App()

    @app.get("/")
    async def who(found: Annotated[Claims, Depends(scheme)]) -> Any:
        return found

    @app.get("/admin")
    def admin(found: Annotated[Claims, Depends(scheme.requires("admin"))]) -> Any:
        return sorted(found.scopes)

    @app.websocket("/ws")
    async def converse(ws: WebSocket, found: Annotated[Claims, Depends(scheme)]) -> None:
        await ws.send(found.subject)

    return app


def asked(app, text, target="/"):
    return get(app, target, headers=(("authorization", f"Bearer {text}"),))


def reason(reply):
    """Why a token was not accepted, as the challenge says."""
    assert reply.status == 401, (reply.status, reply.body)
    return re.fullmatch(
        r'Bearer realm="application", error="invalid_token", error_description="([^"]+)"',
        reply.headers["www-authenticate"],
    )[1]


# ---------------------------------------------------------------------------------------------------------- what is right


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_each_algorithm_is_accepted(algorithm):
    key = private_key(algorithm)
    for scheme in (
        JWT(public_pem(key), algorithms=[algorithm]),
        JWT(jwks={"keys": [jwk(algorithm, key, kid="a", alg=algorithm)]}, algorithms=[algorithm]),
    ):
        app = app_of(scheme)
        assert content(asked(app, token(algorithm)))["sub"] == "ann"
        assert reason(asked(app, token(algorithm, private_key(algorithm, 1)))) == "the signature is not valid"


def test_a_token_of_ed448_is_accepted():
    key = private_key("EdDSA", 9)
    app = app_of(JWT(public_pem(key), algorithms=["EdDSA"]))
    assert asked(app, token("EdDSA", key)).status == 200


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES384", "EdDSA"])
def test_what_a_scheme_issues_it_accepts_and_so_does_pyjwt(algorithm):
    key = private_key(algorithm)
    signing = key if isinstance(key, str) else private_pem(key)
    scheme = JWT(
        public_pem(key),
        algorithms=[algorithm],
        signing_key=signing,
        audience="shop",
        issuer="https://me.example",
    )

    issued = scheme.issue({"sub": "ann", "scope": "read admin"}, expires_in_s=60)

    assert content(asked(app_of(scheme), issued, "/admin")) == ["admin", "read"]
    read = pyjwt.decode(
        issued, public_pem(key), algorithms=[algorithm], audience="shop", issuer="https://me.example"
    )
    assert read["exp"] - read["iat"] == 60


def test_tokens_go_over_sockets():
    with serve(app_of(HS)) as server, server.connect() as client:
        assert client.ask("/").get("www-authenticate") == 'Bearer realm="application"'
        right = token(key=SECRET)
        assert json.loads(client.ask("/", "GET", f"Authorization: Bearer {right}").content)["sub"] == "ann"
        refused = client.ask("/admin", "GET", f"Authorization: Bearer {right}")
        assert (refused.status, 'error="insufficient_scope"' in refused.get("www-authenticate")) == (
            403,
            True,
        )
        url = f"ws://127.0.0.1:{server.port}/ws"
        with connect(url, additional_headers={"Authorization": f"Bearer {right}"}) as ws:
            assert ws.recv() == "ann"
        with pytest.raises(InvalidStatus) as caught:
            connect(url)
        assert caught.value.response.status_code == 401


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("scope", "a admin  b", ["a", "admin", "b"]),
        ("scope", ["admin", 7, None], ["admin"]),
        ("scp", ["admin"], ["admin"]),
        ("scope", {"admin": 1}, None),
        ("scope", 7, None),
        ("scope", "administrator", None),
    ],
)
def test_scopes_are_read_from_the_claim(claim, value, expected):
    app = app_of(JWT(SECRET, algorithms=["HS256"], scope_claim=claim))
    reply = asked(app, token(key=SECRET, **{claim: value}), "/admin")
    assert (reply.status, content(reply) if expected else None) == (200 if expected else 403, expected)


def test_several_keys_are_tried():
    app = app_of(JWT(["n" * 32, SECRET], algorithms=["HS256", "HS384"]))
    for algorithm, key in (("HS256", SECRET), ("HS256", "n" * 32), ("HS384", SECRET)):
        assert asked(app, token(algorithm, key)).status == 200
    assert asked(app, token("HS256", "o" * 32)).status == 401
    assert JWT(["n" * 32, SECRET], algorithms=["HS256"]).issue({}, expires_in_s=9)


def test_the_key_of_a_set_is_found_by_its_name():
    first, second = rsa_key(0), rsa_key(1)
    keys = [jwk("RS256", first, kid="1"), jwk("RS256", second, kid="2")]
    app = app_of(JWT(jwks={"keys": keys}, algorithms=["RS256"]))

    assert asked(app, token("RS256", first, {"kid": "1"})).status == 200
    assert asked(app, token("RS256", second, {"kid": "2"})).status == 200
    assert asked(app, token("RS256", second)).status == 200
    assert asked(app, token("RS256", second, {"kid": "1"})).status == 401
    assert asked(app, token("RS256", second, {"kid": "3"})).status == 401


def test_what_a_set_has_for_other_uses_is_no_key():
    key = rsa_key()
    right = jwk("RS256", key, kid="right")
    others = [
        {"kty": "RSA"},
        {"kty": "RSA", "n": 7, "e": None},
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": ["x"]},
        {"kty": "what"},
        "text",
        None,
        jwk("RS256", key, kid="enc") | {"use": "enc"},
        jwk("RS256", key, kid="ops") | {"key_ops": ["encrypt"]},
        jwk("RS256", key, kid="alg") | {"alg": "RS512"},
        jwk("ES256", private_key("ES256"), kid="ec"),
        jwk("HS256", SECRET, kid="oct"),
    ]
    app = app_of(JWT(jwks={"keys": [*others, right]}, algorithms=["RS256"]))

    assert asked(app, token("RS256", key, {"kid": "right"})).status == 200
    for name in ("enc", "ops", "alg"):
        assert asked(app, token("RS256", key, {"kid": name})).status == 401
    with pytest.raises(ApplicationError, match="jwks has no key for RS256"):
        JWT(jwks={"keys": others}, algorithms=["RS256"])


def test_a_token_may_stand_elsewhere():
    cookie = JWT(SECRET, algorithms=["HS256"], scheme=APIKey(cookie="token"))
    reply = get(app_of(cookie), "/", headers=(("cookie", f"token={token(key=SECRET)}"),))
    assert content(reply)["sub"] == "ann"
    assert (
        get(app_of(cookie), "/", headers=(("cookie", "token=x.y.z"),))
        .headers["www-authenticate"]
        .startswith("ApiKey")
    )

    flow = OAuth2Password("/token", scopes={"admin": "all"})
    document = app_of(JWT(SECRET, algorithms=["HS256"], scheme=flow)).openapi()
    assert document["paths"]["/admin"]["get"]["security"] == [{"oauth2Password": ["admin"]}]
    plain = app_of(HS).openapi()["components"]["securitySchemes"]
    assert plain == {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def test_an_optional_token_is_none_when_missing_and_refused_when_wrong():
    app = app_of(JWT(SECRET, algorithms=["HS256"], optional=True))
    assert get(app, "/").status == 204
    assert asked(app, "x").status == 401
    assert get(app, "/admin").status == 401


# ----------------------------------------------------------------------------------------------------------------- claims


def at(offset_s):
    return int(time.time()) + offset_s


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"exp": lambda: at(-1)}, "the token has expired"),
        ({"exp": lambda: time.time() - 0.001}, "the token has expired"),
        ({"exp": lambda: 0}, "the token has expired"),
        ({"exp": lambda: -(10**400)}, "the token has expired"),
        ({"exp": lambda: None}, "the token lacks the claim exp"),
        ({"exp": lambda: "9999999999"}, "the claim exp is malformed"),
        ({"exp": lambda: [9999999999]}, "the claim exp is malformed"),
        ({"exp": lambda: True}, "the claim exp is malformed"),
        ({"nbf": lambda: at(60)}, "the token is not valid yet"),
        ({"nbf": lambda: 10**400}, "the token is not valid yet"),
        ({"nbf": lambda: "now"}, "the claim nbf is malformed"),
        ({"iat": lambda: at(60)}, "the token is not valid yet"),
        ({"iat": dict}, "the claim iat is malformed"),
        ({"aud": lambda: "shop"}, "the token is for another audience"),
        ({"aud": lambda: ["shop"]}, "the token is for another audience"),
        ({"aud": lambda: 7}, "the claim aud is malformed"),
        ({"aud": lambda: [["shop"]]}, "the claim aud is malformed"),
        ({"sub": lambda: 7}, "the claim sub is malformed"),
    ],
)
def test_a_claim_that_is_not_right_is_told(others, expected):
    made = {name: value() for name, value in others.items()}
    made = {name: value for name, value in (claims() | made).items() if value is not None}
    assert reason(asked(app_of(HS), by_hand({"alg": "HS256"}, made))) == expected


def test_a_clock_may_be_off_by_the_leeway():
    app = app_of(JWT(SECRET, algorithms=["HS256"], leeway_s=60))
    assert asked(app, token(key=SECRET, exp=at(-30), nbf=at(30), iat=at(30))).status == 200
    assert reason(asked(app, token(key=SECRET, exp=at(-61)))) == "the token has expired"
    assert reason(asked(app, token(key=SECRET, nbf=at(90)))) == "the token is not valid yet"


def test_audience_and_issuer_must_be_those_expected():
    app = app_of(JWT(SECRET, algorithms=["HS256"], audience=["shop", "store"], issuer="https://a.example"))
    right = {"aud": ["other", "store"], "iss": "https://a.example"}

    assert asked(app, token(key=SECRET, **right)).status == 200
    for aud in (None, "sho", "shop2", ["x"], []):
        assert (
            reason(asked(app, token(key=SECRET, **right | {"aud": aud})))
            == "the token is for another audience"
        )
    for iss in (None, "https://a.example/", "https://b.example", "a"):
        assert (
            reason(asked(app, token(key=SECRET, **right | {"iss": iss})))
            == "the token is from another issuer"
        )
    for iss in (["https://a.example"], {"a": 1}, 7):
        made = claims(**right) | {"iss": iss}
        assert "issuer" in reason(asked(app, by_hand({"alg": "HS256"}, made)))


def test_required_claims_must_be_there():
    app = app_of(JWT(SECRET, algorithms=["HS256"], required=["sub", "jti"]))
    assert asked(app, token(key=SECRET, jti="1", exp=None)).status == 200
    assert reason(asked(app, token(key=SECRET))) == "the token lacks the claim jti"


# ---------------------------------------------------------------------------------------------------------------- attacks


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_no_algorithm_is_none(name):
    for key in (None, b"", SECRET.encode()):
        assert reason(asked(app_of(HS), by_hand({"alg": name}, claims(), key)))


def test_an_empty_signature_is_none():
    text = token(key=SECRET).rpartition(".")[0] + "."
    assert reason(asked(app_of(HS), text)) == "the token is malformed"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_no_secret(algorithm):
    pem = public_pem(private_key(algorithm))
    for scheme in (
        JWT(pem, algorithms=[algorithm]),
        JWT(jwks={"keys": [jwk(algorithm, private_key(algorithm), kid="1")]}, algorithms=[algorithm]),
    ):
        for key in (pem, pem.strip(), pem.replace("\n", "")):
            forged = by_hand({"alg": "HS256", "kid": "1"}, claims(), key.encode())
            assert reason(asked(app_of(scheme), forged)) == "the signature is not valid"
    with pytest.raises(ApplicationError, match="HS beside others"):
        JWT(pem, algorithms=[algorithm, "HS256"])
    with pytest.raises(ApplicationError, match="the key does not fit HS256"):
        JWT(pem, algorithms=["HS256"])


def test_an_algorithm_that_is_not_named_is_not_used():
    key = rsa_key()
    app = app_of(JWT(public_pem(key), algorithms=["RS256"]))
    for algorithm in ("RS384", "RS512", "PS256"):
        assert reason(asked(app, token(algorithm, key))) == "the signature is not valid"


@pytest.mark.parametrize(
    "kid",
    [
        "../../dev/null",
        "/etc/passwd",
        "x' OR '1'='1",
        "http://evil.example/key",
        "",
        "a" * 5000,
        "é\x00",
        "1 ",
    ],
)
def test_a_key_id_is_compared_and_nothing_else(kid):
    app = app_of(JWT(jwks={"keys": [jwk("HS256", SECRET, kid="1")]}, algorithms=["HS256"]))
    for key in (b"", b"\0", SECRET.encode()):
        assert asked(app, by_hand({"alg": "HS256", "kid": kid}, claims(), key)).status == 401


@pytest.mark.parametrize("kid", [7, None, ["1"], {"a": 1}, True])
def test_a_key_id_is_a_text(kid):
    app = app_of(JWT(jwks={"keys": [jwk("HS256", SECRET, kid="1")]}, algorithms=["HS256"]))
    reply = asked(app, by_hand({"alg": "HS256", "kid": kid}, claims()))
    assert (reply.status == 200) is (kid is None)


def test_a_key_in_the_header_is_not_looked_at():
    own = rsa_key(1)
    header = {
        "jwk": jwk("RS256", own),
        "x5c": ["x"],
        "x5u": "http://127.0.0.1:9/",
        "jku": "http://127.0.0.1:9/",
    }
    app = app_of(JWT(public_pem(rsa_key(0)), algorithms=["RS256"]))
    assert reason(asked(app, token("RS256", own, header))) == "the signature is not valid"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "crit": ["b64"], "b64": False},
        {"alg": "HS256", "crit": []},
        {"alg": ["HS256"]},
        {"alg": None},
        {},
        [],
        "HS256",
        None,
        b"",
        b'{"alg":"HS256","alg":"none"}',
        b'{"alg":"HS256"',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"alg":"HS256","x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"alg":"HS256","x":' + b"9" * 6000 + b"}",
        b'{"alg":"HS256","kid":"\\ud800"}',
    ],
)
def test_a_strange_header_is_malformed(header):
    assert reason(asked(app_of(HS), by_hand(header, claims()))) == "the token is malformed"


@pytest.mark.parametrize(
    "body",
    [[], "x", None, 7, b"", b"{", b"\xff", b"[" * 5000, b'{"exp":1e999}', b'{"exp":NaN}', b'{"a":1,"a":2}'],
)
def test_a_strange_content_is_malformed(body):
    assert reason(asked(app_of(HS), by_hand({"alg": "HS256"}, body))) == "the token is malformed"


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_token_cut_or_changed_at_any_octet_is_refused(algorithm):
    key = SECRET if algorithm == "HS256" else private_key(algorithm)
    app = app_of(JWT(public_pem(key), algorithms=[algorithm]))
    text = token(algorithm, key)
    assert asked(app, text).status == 200
    call = JWT(public_pem(key), algorithms=[algorithm])

    for place in range(len(text)):
        for other in ("A" if text[place] != "A" else "B", "=", ".", "-", ""):
            changed = text[:place] + other + text[place + 1 :]
            if changed != text:
                refuse(call, changed)
        refuse(call, text[:place])
    for added in ("A", ".", "=", ".A"):
        refuse(call, text + added)


def refuse(scheme, text):
    request = Request.build(headers=(("authorization", f"Bearer {text}"),))
    with pytest.raises(Exception, match="401") as caught:
        scheme(request)
    assert caught.value.status == 401
    assert len(text) < 20 or text not in str(caught.value.headers) + str(caught.value)


def test_a_huge_token_is_refused():
    app = app_of(HS)
    assert reason(asked(app, token(key=SECRET, x="y" * LIMIT_BYTES))) == "the token is malformed"
    assert reason(asked(app, "." * 30_000)) == "the token is malformed"
    assert reason(asked(app, "a" * 30_000)) == "the token is malformed"


def test_two_tokens_are_none():
    right = ("authorization", f"Bearer {token(key=SECRET)}")
    assert get(app_of(HS), "/", headers=(right, right)).status == 401


ALL = [
    app_of(HS),
    app_of(JWT(public_pem(rsa_key()), algorithms=["RS256", "PS256"])),
    app_of(JWT(public_pem(private_key("ES256")), algorithms=["ES256"])),
    app_of(JWT(public_pem(private_key("EdDSA")), algorithms=["EdDSA"])),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from([*ALGORITHMS, "none"]) | JSON}, optional={"kid": JSON, "typ": JSON, "crit": JSON}
)
NAMED = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "scope"), JSON)
)


@settings(deadline=None, max_examples=60)
@given(HEADERS | JSON, NAMED.map(claims().__or__) | JSON, st.binary(max_size=140) | st.none())
def test_no_token_makes_it_fail(header, body, signature):
    text = by_hand(header, body)
    if signature is not None:
        text = f"{text.rpartition('.')[0]}.{encoded(signature)}"
    for app in ALL:
        for target in ("/", "/admin"):
            assert asked(app, text, target).status in (200, 401, 403)


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from([chr(x) for x in (9, *range(32, 127), *range(128, 256))]), max_size=80))
def test_no_field_makes_it_fail(value):
    for text in (value, f"Bearer {value}", f"Bearer {value}.{value}.{value}"):
        reply = get(ALL[0], "/", headers=(("authorization", text.strip()),))
        assert reply.status == 401


# --------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(("missing", "message"), [("jwt", "needs an extra"), ("cryptography", "is missing")])
def test_without_its_extra_it_names_it(missing, message, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("jwt", "cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(jws, "_found", None)

    with pytest.raises(MissingExtra, match=rf"{message}.*|pip install 'penstock\[jwt\]'.*{message}"):
        JWT(SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JWT(SECRET, algorithms=[]), "expected a list of HS256"),
        (lambda: JWT(SECRET, algorithms="HS256"), "expected a list of HS256"),
        (lambda: JWT(SECRET, algorithms=["none"]), "expected a list of HS256"),
        (lambda: JWT(algorithms=["HS256"]), "expected a key, or jwks"),
        (lambda: JWT(SECRET, jwks={}, algorithms=["HS256"]), "expected a key, or jwks"),
        (lambda: JWT("short", algorithms=["HS256"]), "the secret has 5 octets; 32 or more are needed"),
        (lambda: JWT("x" * 63, algorithms=["HS512"]), "the secret has 63 octets; 64"),
        (lambda: JWT(7, algorithms=["HS256"]), "the key does not fit HS256"),
        (lambda: JWT("no key", algorithms=["RS256"]), "the key does not fit RS256"),
        (lambda: JWT("no key", algorithms=["ES256"]), "the key does not fit ES256"),
        (lambda: JWT("no key", algorithms=["EdDSA"]), "the key does not fit EdDSA"),
        (lambda: JWT(public_pem(rsa_key(0, 1024)), algorithms=["RS256"]), "1024 bits; 2048"),
        (lambda: JWT(public_pem(private_key("ES384")), algorithms=["ES256"]), "secp384r1"),
        (lambda: JWT(jwks={"keys": 7}, algorithms=["RS256"]), "no JWK Set"),
        (lambda: JWT(SECRET, algorithms=["HS256"], audience=[]), "audience=[]"),
        (lambda: JWT(SECRET, algorithms=["HS256"], issuer=["", 7]), "issuer=['', 7]"),
        (lambda: JWT(SECRET, algorithms=["HS256"], leeway_s=-1), "leeway_s=-1"),
        (lambda: JWT(SECRET, algorithms=["HS256"], required="exp"), "required='exp'"),
        (lambda: JWT(SECRET, algorithms=["HS256"], scheme="bearer"), "scheme='bearer'"),
        (
            lambda: JWT(public_pem(rsa_key()), algorithms=["RS256"], signing_key=public_pem(rsa_key())),
            "a private key is needed to sign with RS256",
        ),
        (
            lambda: JWT(public_pem(rsa_key()), algorithms=["RS256"]).issue({}, expires_in_s=1),
            "issue needs signing_key=",
        ),
        (lambda: RemoteKeys("http://issuer.example/", ["RS256"], max_age_s=1, timeout_s=1), "a URL of https"),
        (lambda: RemoteKeys("file:///etc/passwd", ["RS256"], max_age_s=1, timeout_s=1), "a URL of https"),
        (lambda: RemoteKeys("https://a.example", ["RS256"], max_age_s=0, timeout_s=1), "max_age_s=0"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(make, message):
    with pytest.raises(ApplicationError, match=re.escape(message)) as caught:
        make()
    assert SECRET not in str(caught.value)
    assert "BEGIN" not in str(caught.value)
