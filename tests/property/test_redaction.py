"""Properties of redaction: once is enough, secrets in their notations never come through, and nothing raises."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.http.redaction import REDACTED, Redactor

redactor = Redactor(["customer-id"])

PIECES = [
    *(
        "password",
        "token",
        "cookie",
        "Cookie",
        "Authorization",
        "authorization",
        "api key",
        "user",
        "set-cookie",
    ),
    *(
        "=",
        ":",
        ": ",
        " = ",
        ",",
        ", ",
        ";",
        "&",
        "?",
        "'",
        '"',
        "`",
        "\\",
        '\\"',
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
    ),
    *(
        "\n",
        "\r\n",
        " ",
        "  ",
        "%3D",
        "%20",
        "%",
        "+",
        ".",
        "-",
        "_",
        "@",
        "://",
        "/",
        "#",
        "=>",
        "b'",
        "str = ",
    ),
    *(
        REDACTED,
        "eyJhbGciOi",
        "Bearer ",
        "basic",
        "4242424242424242",
        "4242 ",
        "1",
        "hunter2",
        "word",
        "must be",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "ghp_0123456789abcdef0123",
        "AKIAIOSFODNN7EXAMPLE",
    ),
    *(
        'name="password"',
        "value=",
        "<password>",
        "</password>",
        "--password ",
        "'--token'",
        "'''",
        "%22",
        "%3A",
    ),
    *("null", "None", "Secret(", "x.y", "CSRF: ", "csrf=", "ß", "\u2028", "İ"),
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.text(max_size=80))
SECRET = "hunter2Sekret"
secret_names = st.sampled_from(
    ["password", "X-Api-Key", "access_token", "clientSecret", "customer_id", "otp"]
)
harmless = st.text(alphabet="abcdefgh _.", max_size=12)


@given(texts)
def test_once_is_enough(text):
    shown = redactor.text(text)

    assert redactor.text(shown) == shown


@given(texts)
def test_once_is_enough_for_queries_paths_and_urls(text):
    for hide in (redactor.query, redactor.path, redactor.url):
        shown = hide(text)
        assert hide(shown) == shown


@settings(max_examples=150)
@given(secret_names, harmless, harmless, st.text(max_size=20))
def test_a_member_of_json_does_not_come_through(name, before, after, more):
    members = {"a": before, name: SECRET + more, "z": after, "more": [{name: SECRET}]}
    text = json.dumps(members)

    assert SECRET not in redactor.text(f"{before} {text} {after}")
    assert SECRET not in redactor.text(json.dumps({"body": text}))
    assert SECRET not in redactor.text(repr(members))
    assert SECRET not in redactor.text(repr(text.encode()))


@settings(max_examples=150)
@given(secret_names, st.text(max_size=20))
def test_a_field_of_a_query_does_not_come_through(name, more):
    query = urlencode({"a": "b", name: SECRET + more, "next": f"/x?{name}={SECRET}"})

    assert SECRET not in redactor.query(query)
    assert SECRET not in redactor.target("/x", query)
    assert SECRET not in redactor.text(f"GET /x?{name}={SECRET} HTTP/1.1")


@settings(max_examples=100)
@given(
    st.recursive(
        st.one_of(st.text(max_size=8), st.binary(max_size=8), st.integers(), st.none()),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner)),
        max_leaves=8,
    ),
    secret_names,
)
def test_a_variable_does_not_come_through(value, name):
    shown = redactor.locals({name: SECRET, "deep": {"x": value, name: [SECRET]}})

    assert SECRET not in str(shown)
    assert max(map(len, shown.values())) <= 401
