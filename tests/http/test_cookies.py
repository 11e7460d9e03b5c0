"""Cookies: a reader that never fails, a writer that nothing can inject into."""

import doctest
from datetime import UTC, datetime, timedelta, timezone
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http import cookies as module
from penstock.http.cookies import parse_cookies, render_set_cookie
from penstock.http.headers import MutableHeaders
from penstock.http.request import Request

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
OCTETS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", {}),
        (" ", {}),
        (";", {}),
        (";;;", {}),
        ("a", {}),
        ("=", {}),
        ("=b", {}),
        ("a=", {"a": ""}),
        ("a=1", {"a": "1"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=1;  b=2 ;", {"a": "1", "b": "2"}),
        ("a =  1\t", {"a": "1"}),
        ("a=1; a=2", {"a": "1"}),
        ("a=; a=2", {"a": ""}),
        ("A=1; a=2", {"A": "1", "a": "2"}),
        ("a=b=c==", {"a": "b=c=="}),
        ('a="b c"', {"a": "b c"}),
        ('a=""', {"a": ""}),
        ('a="', {"a": '"'}),
        ('a="b', {"a": '"b'}),
        ('a=b"', {"a": 'b"'}),
        ('a="x;y"', {"a": '"x'}),  # a semicolon ends the piece whatever stands round it
        ("a=%3B%20", {"a": "%3B%20"}),
        ("a=1, b=2", {"a": "1, b=2"}),
        ("$Version=1; a=1", {"$Version": "1", "a": "1"}),
        ('j={"a":1}', {"j": '{"a":1}'}),
        ("a=é", {"a": "é"}),
        ("a b=1", {"a b": "1"}),
        ("__Host-x=good; \xa0__Host-x=evil", {"__Host-x": "good", "\xa0__Host-x": "evil"}),
    ],
)
def test_parse_cookies(field: str, expected: dict[str, str]) -> None:
    assert parse_cookies(field) == expected


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x1c", "\x0b", "\u2003"])
def test_only_ows_is_stripped_so_a_prefix_cannot_be_forged(space: str) -> None:
    cookies = parse_cookies(f"{space}__Host-session{space}=evil; __Host-session=good")

    assert cookies["__Host-session"] == "good"


@given(st.text())
def test_any_field_reads_as_some_cookies(field: str) -> None:
    cookies = parse_cookies(field)

    assert all(name and ";" not in name + value and "=" not in name for name, value in cookies.items())


@given(st.dictionaries(st.text(TOKEN, min_size=1, max_size=8), st.text(OCTETS, max_size=8)))
def test_what_is_set_is_read_back(cookies: dict[str, str]) -> None:
    fields = [render_set_cookie(name, value, secure=True) for name, value in cookies.items()]

    assert parse_cookies("; ".join(field.partition(";")[0] for field in fields)) == cookies


def test_every_attribute_in_its_place() -> None:
    field = render_set_cookie(
        "id",
        "7",
        max_age=-1,
        expires=0,
        path="/a b",
        domain=".Example.org",
        secure=True,
        http_only=True,
        same_site="none",
        partitioned=True,
    )

    assert field == (
        "id=7; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=-1; Domain=.Example.org; Path=/a b; Secure; HttpOnly; SameSite=None; Partitioned"
    )


def test_the_standard_library_reads_what_is_written() -> None:
    jar = SimpleCookie(
        render_set_cookie(
            "id", "a.b~c", max_age=5, domain="example.org", secure=True, http_only=True, same_site="strict"
        )
    )

    assert jar["id"].value == "a.b~c"
    assert {key: value for key, value in jar["id"].items() if value} == {
        "max-age": "5",
        "domain": "example.org",
        "path": "/",
        "secure": True,
        "httponly": True,
        "samesite": "Strict",
    }


def test_what_is_none_is_left_out() -> None:
    assert render_set_cookie("a", "", path=None, same_site=None) == "a="


@pytest.mark.parametrize("value", ["", "x", '"x"', '""', "a=b", "x" * 4095, "!#$%&'()*+-./:<=>?@[]^_`{|}~"])
def test_values_that_may_be_set(value: str) -> None:
    assert render_set_cookie("a", value, path=None, same_site=None) == f"a={value}"


INJECTIONS = [
    "\r\n",
    "\n",
    "\r",
    "\x00",
    ";",
    "; Domain=evil",
    "\r\nSet-Cookie: b=2",
    " ",
    "\t",
    "\x7f",
    "\x1f",
    "é",
    "\u2028",
    "\u010a",
    "\ud800",
    "\\",
    ",",
    '"',
]


@pytest.mark.parametrize("bad", INJECTIONS)
@pytest.mark.parametrize("form", ["{}", "a{}", "{}a", "a{}b", '"{}"'])
def test_nothing_is_injected_by_a_value(bad: str, form: str) -> None:
    value = form.format(bad)
    if value in ('"', '"""'):
        value = '"'  # one quote alone, or three

    with pytest.raises(LocalProtocolError, match="cookie a") as caught:
        render_set_cookie("a", value)

    assert caught.value.status == 500


@pytest.mark.parametrize("bad", [*INJECTIONS, "", "=", "a=b", "(", "/", "[", "{", "@", "?", "<", ":"])
def test_nothing_is_injected_by_a_name(bad: str) -> None:
    for name in (bad, f"a{bad}b" if bad else "", f"{bad}a" if bad else "", f"a{bad}" if bad else ""):
        with pytest.raises(LocalProtocolError, match="cookie name"):
            render_set_cookie(name, "v")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a",
        "\\",
        "/;",
        "/; Secure",
        "/\r\nX: y",
        "/\n",
        "/\x00",
        "/é",
        "/\x7f",
        "https://x/",
        "/" + "x" * 1024,
    ],
)
def test_nothing_is_injected_by_a_path(bad: str) -> None:
    with pytest.raises(LocalProtocolError, match="path"):
        render_set_cookie("a", "v", path=bad)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ".",
        "..",
        "a..b",
        "a b",
        "a;b",
        "a; Secure",
        "a\r\nb",
        "a\n",
        "a.",
        "-a",
        "a-",
        "a_b",
        "é.fr",
        "a:80",
        "http://a",
        "a/b",
        "*.a",
        ("a" * 50 + ".") * 25 + "a",
    ],
)
def test_nothing_is_injected_by_a_domain(bad: str) -> None:
    with pytest.raises(LocalProtocolError, match="domain"):
        render_set_cookie("a", "v", domain=bad)


@pytest.mark.parametrize(
    "good", ["localhost", "a", "example.org", ".example.org", "xn--bcher-kva.example", "127.0.0.1", "a-b.c-d"]
)
def test_domains_that_may_be_set(good: str) -> None:
    assert f"; Domain={good};" in render_set_cookie("a", "v", domain=good)


@pytest.mark.parametrize("bad", ["5", 5.5, "5; Domain=evil", "\r\n", b"5", object()])
def test_max_age_is_an_int(bad: object) -> None:
    with pytest.raises(LocalProtocolError, match="max_age"):
        render_set_cookie("a", "v", max_age=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["Lax", "", "none; Secure", "\r\n", 1, True])
def test_same_site_is_one_of_three(bad: str) -> None:
    with pytest.raises(LocalProtocolError, match="same_site"):
        render_set_cookie("a", "v", same_site=bad, secure=True)  # type: ignore[arg-type]


def test_expires_takes_a_moment_of_any_zone() -> None:
    moment = datetime(2030, 1, 1, 2, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    expected = "a=v; Expires=Tue, 01 Jan 2030 00:00:00 GMT; Path=/; SameSite=Lax"

    assert render_set_cookie("a", "v", expires=moment) == expected
    assert render_set_cookie("a", "v", expires=moment.astimezone(UTC)) == expected
    assert render_set_cookie("a", "v", expires=int(moment.timestamp())) == expected


@pytest.mark.parametrize(
    "bad",
    [
        datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None),
        10**30,
        -(10**30),
        float("nan"),
        float("inf"),
        253_402_300_800,
    ],
)
def test_expires_without_a_meaning_is_refused(bad: datetime | float) -> None:
    with pytest.raises(LocalProtocolError, match="expires"):
        render_set_cookie("a", "v", expires=bad)


@pytest.mark.parametrize(
    "flags",
    [
        {"name": "__Secure-a"},
        {"name": "__secure-a"},
        {"name": "__Host-a"},
        {"name": "__Host-a", "secure": True, "path": "/x"},
        {"name": "__Host-a", "secure": True, "path": None},
        {"name": "__HOST-a", "secure": True, "domain": "example.org"},
        {"name": "a", "same_site": "none"},
        {"name": "a", "partitioned": True},
        {"name": "a", "value": "x" * 4096},
    ],
)
def test_what_browsers_drop_in_silence_is_refused_aloud(flags: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError, match="cookie"):
        render_set_cookie(**{"value": "v", **flags})  # type: ignore[arg-type]


def test_prefixes_kept_to_their_rules() -> None:
    assert render_set_cookie("__Host-a", "v", secure=True) == "__Host-a=v; Path=/; Secure; SameSite=Lax"
    assert render_set_cookie("__Secure-a", "v", secure=True, domain="a.b", path="/x").startswith(
        "__Secure-a=v"
    )


@given(
    st.text(max_size=5),
    st.text(max_size=5),
    st.none() | st.text(max_size=5),
    st.none() | st.text(max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_any_text_gives_one_field_or_a_local_error(
    name: str, value: str, path: str | None, domain: str | None, secure: bool, http_only: bool
) -> None:
    try:
        field = render_set_cookie(name, value, path=path, domain=domain, secure=secure, http_only=http_only)
    except LocalProtocolError:
        return

    expected = 2 + (path is not None) + (domain is not None) + secure + http_only
    assert len(field.split(";")) == expected
    assert MutableHeaders({"Set-Cookie": field}).rendered() == f"Set-Cookie: {field}\r\n".encode("ascii")


def test_cookies_that_come_again_are_nobody_elses():
    first = Request.build(headers=[("cookie", "a=1; b=2")]).cookies
    first["a"] = "changed"
    del first["b"]

    assert Request.build(headers=[("cookie", "a=1; b=2")]).cookies == {"a": "1", "b": "2"}


def test_what_is_kept_of_cookies_has_a_bound():
    for number in range(1000):
        Request.build(headers=[("cookie", f"a={number}")]).cookies  # noqa: B018
    Request.build(headers=[("cookie", "a=" + "x" * 10_000)]).cookies  # noqa: B018

    assert len(module._seen) <= 256
    assert max(map(len, module._seen)) <= 4096
