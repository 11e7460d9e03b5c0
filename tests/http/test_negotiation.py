"""Negotiation: weights to the letter, specificity, the server's order on ties, and no input that hurts."""

import doctest
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.http import negotiation as module
from penstock.http.negotiation import choose_encoding, choose_language, choose_media_type

OFFERED = ("zstd", "br", "gzip")


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "identity"),
        ("", "identity"),
        (",", "identity"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("X-GZip;q=0.5", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip,deflate,br,zstd", "zstd"),
        ("gzip ,\tbr , ", "br"),
        ("deflate", "identity"),
        ("compress, exi", "identity"),
        # weights
        ("gzip;q=1, br;q=0.9", "gzip"),
        ("gzip;q=0.9, br;q=1.000", "br"),
        ("gzip;q=0.5, br;q=0.5, zstd;q=0.5", "zstd"),
        ("gzip;q=0.001", "gzip"),
        ("gzip ; q=0.8 , br ;\tq=0.7", "gzip"),
        ("gzip;Q=0.8, br;q=0.9", "br"),
        ("gzip;q=1., br;q=0.", "gzip"),
        # q=0 refuses
        ("gzip;q=0", "identity"),
        ("gzip;q=0.000, br", "br"),
        ("gzip;q=0, *", "zstd"),
        ("zstd;q=0, *", "br"),
        ("zstd;q=0, br;q=0, *;q=0.1", "gzip"),
        ("x-gzip;q=0, zstd;q=0, br;q=0, *", "identity"),
        # identity
        ("identity, gzip", "gzip"),
        ("identity;q=1, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.5, gzip;q=0.4", "identity"),
        ("identity;q=0.5, deflate", "identity"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, deflate", None),
        ("*;q=0", None),
        ("*;q=0, deflate", None),
        ("*;q=0, identity", "identity"),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0, gzip;q=0.1, identity;q=0.2", "identity"),
        ("identity;q=0, *", "zstd"),
        ("*", "zstd"),
        ("*;q=0.1", "zstd"),
        ("gzip;q=0.5, *;q=0.4", "gzip"),
        # the first element for one coding counts
        ("gzip;q=0, gzip, gzip;q=1", "identity"),
        ("gzip;q=0, x-gzip", "identity"),
        # faulty elements are passed over
        ("gzip;q=2", "identity"),
        ("gzip;q=1.001", "identity"),
        ("gzip;q=1.0000", "identity"),
        ("gzip;q=0.1234", "identity"),
        ("gzip;q=.5", "identity"),
        ("gzip;q=+1", "identity"),
        ("gzip;q=-1", "identity"),
        ("gzip;q=1e0", "identity"),
        ("gzip;q=0_1", "identity"),
        ("gzip;q=0x1", "identity"),
        ("gzip;q=nan", "identity"),
        ("gzip;q=inf", "identity"),
        ("gzip;q=", "identity"),
        ("gzip;q", "identity"),
        ("gzip;", "identity"),
        ("gzip;q = 1", "identity"),
        ('gzip;q="1"', "identity"),
        ("gzip;q=1;q=1", "identity"),
        ("gzip;level=9", "identity"),
        ("gzip;q=٠", "identity"),
        ("gzip;q=0.１", "identity"),
        ("gzip;q=1\n", "identity"),
        ("gzip\x00", "identity"),
        ("gzip br", "identity"),
        ("gzip/1", "identity"),
        ("\xa0gzip", "identity"),
        ('"gzip", br', "br"),
        ('gzip, "br, zstd', "gzip"),
        ("gzip;q=2, br", "br"),
        ("*;q=2, gzip", "gzip"),
        ("identity;q=00", "identity"),
        ("gzip;q=00", "identity"),
    ],
)
def test_encodings(value: str | None, expected: str | None) -> None:
    assert choose_encoding(value, OFFERED) == expected
    if value:  # what is remembered and what is not agree
        assert choose_encoding(value + " " * 200, OFFERED) == expected


def test_identity_may_be_offered_at_a_place_of_its_own() -> None:
    assert choose_encoding("gzip, identity", ("identity", "gzip")) == "identity"
    assert choose_encoding("gzip, identity;q=0.9", ("identity", "gzip")) == "gzip"
    assert choose_encoding("gzip", ("identity", "gzip")) == "gzip"


def test_nothing_offered_is_identity_or_none() -> None:
    assert choose_encoding("gzip", ()) == "identity"
    assert choose_encoding("*;q=0", ()) is None


def test_elements_beyond_the_bound_are_not_read() -> None:
    assert choose_encoding(", ".join(["a"] * 63 + ["gzip"]), OFFERED) == "gzip"
    assert choose_encoding(", ".join(["a"] * 64 + ["gzip"]), OFFERED) == "identity"
    assert choose_media_type(", ".join(["a/b"] * 64 + ["text/html"]), ["text/html"]) is None


CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("value", "offered", "expected"),
    [
        (None, ["text/html", "application/json"], "text/html"),
        ("", ["text/html", "application/json"], "text/html"),
        ("rubbish", ["text/html"], "text/html"),
        (None, [], None),
        ("*/*", [], None),
        ("*/*", ["text/html", "application/json"], "text/html"),
        ("application/json", ["text/html", "application/json"], "application/json"),
        ("APPLICATION/Json", ["text/html", "application/json"], "application/json"),
        ("image/png", ["text/html", "application/json"], None),
        ("text/*", ["application/json", "text/html"], "text/html"),
        ("text/html, application/json", ["application/json", "text/html"], "application/json"),
        ("text/html, application/json;q=0.9", ["application/json", "text/html"], "text/html"),
        (CHROME, ["application/json", "text/html"], "text/html"),
        (CHROME, ["application/json", "image/png"], "application/json"),
        # the most specific range weighs an offer, wherever it stands
        ("*/*, text/html;q=0", ["text/html", "text/plain"], "text/plain"),
        ("text/html;q=0, */*", ["text/html"], None),
        ("text/*;q=0, */*", ["text/html", "image/png"], "image/png"),
        ("text/html, text/*;q=0.1, */*;q=0.5", ["text/plain", "image/png"], "image/png"),
        # the example of RFC 9110 §12.5.1: 1, 0.7, 0.3, 0.5, 0.4, 0.7
        (
            "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5",
            ["text/plain", "text/plain;format=flowed"],
            "text/plain;format=flowed",
        ),
        (
            "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5",
            ["text/html", "image/jpeg"],
            "image/jpeg",
        ),
        (
            "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5",
            ["text/plain;format=fixed", "image/jpeg"],
            "image/jpeg",
        ),
        # parameters
        ("text/html;level=1", ["text/html"], None),
        ("text/html;level=1", ["text/html;level=2", "text/html;level=1"], "text/html;level=1"),
        ("text/html", ["text/html; charset=utf-8"], "text/html; charset=utf-8"),
        ("text/html;charset=UTF-8", ["text/html; charset=utf-8"], "text/html; charset=utf-8"),
        ('text/html;charset="utf-8"', ["text/html; charset=utf-8"], "text/html; charset=utf-8"),
        ('a/b;x="1,\\"2"', ['a/b;x="1,\\"2"'], 'a/b;x="1,\\"2"'),
        ('a/b;x="1,2", c/d', ["c/d"], "c/d"),
        ("text/html;a=1;b=2", ["text/html;b=2;a=1"], "text/html;b=2;a=1"),
        ("text/html;A=x", ["text/html;a=x"], "text/html;a=x"),
        ("text/html;a=X", ["text/html;a=x"], None),
        ("text/html;;q=0.5;", ["text/html"], "text/html"),
        ("text/html;q=0.5;ext=1, a/b;q=0.4", ["a/b", "text/html"], "text/html"),
        ("text/html ; q=0.5", ["text/html"], "text/html"),
        # faulty elements are passed over
        ("*, text/html;q=0.5", ["a/b", "text/html"], "text/html"),
        ("*/html, a/b", ["text/html"], None),
        ("text/html;q=1.5, a/b;q=0.1", ["text/html", "a/b"], "a/b"),
        ('text/html;q="1", a/b;q=0.1', ["text/html", "a/b"], "a/b"),
        ("text/html;level, a/b", ["text/html", "a/b"], "a/b"),
        ("text/html level=1, a/b", ["text/html", "a/b"], "a/b"),
        ("text/, a/b", ["text/html", "a/b"], "a/b"),
        ("/html, a/b", ["text/html", "a/b"], "a/b"),
        ("text/html/x, a/b", ["text/html", "a/b"], "a/b"),
        ("text /html, a/b", ["text/html", "a/b"], "a/b"),
        ('a/b, text/html;x="open, c/d', ["text/html", "c/d", "a/b"], "a/b"),
        ("text/html;q=0, text/html", ["text/html"], None),  # the first counts
    ],
)
def test_media_types(value: str | None, offered: list[str], expected: str | None) -> None:
    assert choose_media_type(value, offered) == expected


def test_an_offer_that_is_no_media_type_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="'html' is not a media type"):
        choose_media_type("text/html", ["html"])


@pytest.mark.parametrize(
    ("value", "offered", "expected"),
    [
        (None, ["en", "de"], "en"),
        ("", ["en", "de"], "en"),
        ("!!", ["en", "de"], "en"),
        (None, [], None),
        ("de", ["en", "de"], "de"),
        ("DE", ["en", "de"], "de"),
        ("de", ["en", "DE-ch"], "DE-ch"),
        ("fr", ["en", "de"], None),
        ("fr, *;q=0.1", ["en", "de"], "en"),
        ("*", ["en", "de"], "en"),
        ("da, en-gb;q=0.8, en;q=0.7", ["en-US", "en-GB"], "en-GB"),
        ("da, en-gb;q=0.8, en;q=0.7", ["en", "de"], "en"),
        ("de-CH, de;q=0.8, en;q=0.9", ["de", "en"], "en"),
        ("de-CH, en;q=0.5", ["en", "de"], "de"),
        ("de-CH;q=0, de", ["de-CH", "de-AT"], "de-AT"),
        ("de-CH;q=0", ["de"], None),
        ("de;q=0, *", ["de", "de-CH", "en"], "en"),
        ("de", ["den", "de"], "de"),
        ("de-C", ["de-CH"], None),
        ("zh-Hant-TW, zh;q=0.5", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("en;q=2, de;q=0.1", ["en", "de"], "de"),
        ("en_GB, de;q=0.1", ["en", "de"], "de"),
        ("e1, de;q=0.1", ["e1", "de"], "de"),
        ("abcdefghi, de;q=0.1", ["abcdefghi", "de"], "de"),
        ("*-CH, de;q=0.1", ["en-CH", "de"], "de"),
    ],
)
def test_languages(value: str | None, offered: list[str], expected: str | None) -> None:
    assert choose_language(value, offered) == expected


CODINGS = st.sampled_from(["gzip", "br", "zstd", "deflate", "identity", "*"])
WEIGHTS = st.integers(0, 1000)


def weighted(name: str, thousandths: int, *, spaces: str = "") -> str:
    return f"{name}{spaces};{spaces}q={thousandths // 1000}.{thousandths % 1000:03}"


@settings(deadline=None)
@given(
    st.dictionaries(CODINGS, WEIGHTS, min_size=1),
    st.permutations(["zstd", "br", "gzip"]),
    st.text(" \t", max_size=2),
)
def test_no_coding_is_chosen_that_is_refused_or_liked_less(asked, offered, spaces) -> None:
    value = ", ".join(weighted(*pair, spaces=spaces) for pair in asked.items())

    chosen = choose_encoding(value, tuple(offered))

    liked = {coding: asked.get(coding, asked.get("*", 0)) for coding in offered}
    identity = asked.get("identity", asked.get("*", 1))
    if chosen is None:
        assert max(liked.values()) == 0 and identity == 0
    elif chosen == "identity":
        assert identity > 0
        assert max(liked.values()) == 0 or asked["identity"] > max(liked.values())
    else:
        assert liked[chosen] == max(liked.values()) > 0
        assert all(liked[before] < liked[chosen] for before in offered[: offered.index(chosen)])
        assert asked.get("identity", 0) <= liked[chosen]


@settings(deadline=None)
@given(st.text(max_size=60) | st.text('agzipbr*;q=.015, \t"\\/-', max_size=60))
def test_anything_gives_an_offer_or_none(value: str) -> None:
    types, tags = ["text/html", "a/b;x=1"], ["en", "de-CH"]

    assert choose_encoding(value, OFFERED) in (*OFFERED, "identity", None)
    assert choose_media_type(value, types) in (*types, None)
    assert choose_language(value, tags) in (*tags, None)


def test_noise_is_read_in_linear_time() -> None:
    noise = [
        "a/b," * 8_000,
        "a/b;" + "a=b;" * 8_000,
        '"' * 30_000,
        '"\\' * 15_000,
        "a/b" + ";" * 30_000,
        " " * 30_000 + "x",
        "a/b" + "; " * 15_000 + "x",
        "a" * 30_000,
        "a-" * 15_000,
        ',"' * 15_000,
    ]

    start = time.process_time()
    for value in noise:
        choose_encoding(value, OFFERED)
        choose_media_type(value, ["text/html", "a/b"])
        choose_language(value, ["en", "de"])

    assert time.process_time() - start < 1
