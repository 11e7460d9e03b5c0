"""Headers and MutableHeaders: reading, combining, redaction, and that nothing can split a response."""

import doctest
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http import headers as module
from penstock.http.headers import Headers, MutableHeaders, render_fields

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NAMES = st.text(TOKEN, min_size=1, max_size=12)
VALUES = st.text(
    st.one_of(
        st.characters(min_codepoint=0x20, max_codepoint=0x7E),
        st.characters(min_codepoint=0x80, max_codepoint=0xFF),
        st.just("\t"),
    ),
    max_size=20,
)
RAW = (
    b"Host: example.org\r\nAccept: text/html\r\nX-Empty:\r\naccept:  */* \t\r\nCookie: a=1\r\ncookie: b=2\r\n"
)


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_lookup_ignores_case_of_name_and_of_question() -> None:
    h = Headers(RAW)

    assert h["host"] == h["HOST"] == h["Host"] == h.get("hOsT") == "example.org"


def test_missing_name_is_keyerror_none_or_default() -> None:
    h = Headers(RAW)

    with pytest.raises(KeyError, match="nope"):
        h["nope"]
    assert h.get("nope") is None
    assert h.get("nope", 7) == 7
    assert h.get_all("nope") == []
    assert "nope" not in h


def test_repeated_lines_combine_with_comma_and_cookies_with_semicolon() -> None:
    h = Headers(RAW)

    assert h["accept"] == "text/html, */*"
    assert h["cookie"] == "a=1; b=2"
    assert h.get_all("Accept") == ["text/html", "*/*"]


def test_an_empty_value_is_present() -> None:
    h = Headers(RAW)

    assert "x-empty" in h
    assert h["x-empty"] == ""
    assert h.get("x-empty", "default") == ""
    assert h.get_all("x-empty") == [""]


@pytest.mark.parametrize("value", ["v", "  v", "v  ", "\tv\t", " \t v \t "])
def test_ows_around_the_value_is_not_part_of_it(value: str) -> None:
    h = Headers(b"X:" + value.encode() + b"\r\nY:" + value.encode() + b"\r\ny: 2\r\n")

    assert h["x"] == "v"
    assert h.get_all("x") == ["v"]
    assert h.get_all("y") == ["v", "2"]
    assert h.items()[0] == ("x", "v")


@pytest.mark.parametrize("value", [" ", "\t", "   ", ""])
def test_a_value_of_nothing_but_ows_is_empty(value: str) -> None:
    h = Headers(b"X:" + value.encode() + b"\r\nHost: a\r\n")

    assert h["x"] == ""
    assert h["host"] == "a"


def test_only_ows_is_stripped() -> None:
    h = Headers(b"X: \xa0v\xa0\x85 \r\n")

    assert h["x"] == "\xa0v\xa0\x85"


def test_a_value_may_hold_colons() -> None:
    assert Headers(b"Referer: http://[::1]:80/: \r\n")["referer"] == "http://[::1]:80/:"


def test_octets_above_ascii_are_latin_1_and_do_not_change_the_names() -> None:
    h = Headers("X: ÀÉ\r\n".encode("latin-1"))

    assert h["x"] == "ÀÉ"


def test_items_keys_len_and_iteration() -> None:
    h = Headers(RAW)

    assert h.items() == [
        ("host", "example.org"),
        ("accept", "text/html"),
        ("x-empty", ""),
        ("accept", "*/*"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]
    assert h.keys() == list(h) == ["host", "accept", "x-empty", "cookie"]
    assert len(h) == 4
    assert dict(h)["accept"] == "text/html, */*"


def test_an_empty_section_has_nothing() -> None:
    h = Headers()

    assert (len(h), h.items(), h.get("x"), h.get_all("x"), h.raw) == (0, [], None, [], b"")


def test_a_section_without_its_last_crlf_loses_no_field() -> None:
    assert Headers(b"A: 1\r\nB: 2").items() == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize("name", ["authorization", "Cookie", "SET-COOKIE", "Proxy-Authorization"])
def test_repr_hides_credentials(name: str) -> None:
    shown = repr(Headers.from_pairs([(name, "s3cret"), ("x", "shown")])) + repr(
        MutableHeaders([(name, "s3cret")])
    )

    assert "s3cret" not in shown
    assert "shown" in shown


def test_a_question_that_is_not_a_str_is_not_in_it() -> None:
    assert 7 not in Headers(RAW)


def test_callers_cannot_change_what_others_read() -> None:
    h = Headers(RAW)

    h.items().clear()
    h.keys().clear()
    h.get_all("accept").clear()

    assert h == Headers(RAW)
    assert hash(h) == hash(Headers(RAW))
    assert h != Headers(b"Host: other\r\n")
    assert h != "text"
    with pytest.raises(AttributeError):
        h.other = 1  # type: ignore[attr-defined]


def test_pickle_keeps_the_octets() -> None:
    h = Headers(RAW)
    h.get("host")

    assert pickle.loads(pickle.dumps(h)).raw == RAW


def test_threads_that_parse_at_once_agree() -> None:
    raw = b"".join(b"N%d: v%d\r\n" % (i % 50, i) for i in range(100))
    expected = Headers(raw).items()
    for _ in range(50):
        shared, start, seen = Headers(raw), threading.Barrier(4), []

        def ask(shared=shared, start=start, seen=seen) -> None:
            start.wait()
            seen.append((shared["n7"], shared.get_all("n7"), shared.items(), len(shared)))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert seen == [("v7, v57", ["v7", "v57"], expected, 50)] * 4


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_what_is_rendered_reads_back(pairs: list[tuple[str, str]]) -> None:
    expected = [(name.lower(), value.strip(" \t")) for name, value in pairs]

    assert Headers.from_pairs(pairs).items() == expected
    assert MutableHeaders(pairs).items() == expected
    assert MutableHeaders(Headers.from_pairs(pairs)).items() == expected
    assert Headers(MutableHeaders(pairs).rendered()).items() == expected


@given(st.lists(st.tuples(NAMES, VALUES)), NAMES)
def test_both_kinds_answer_alike(pairs: list[tuple[str, str]], name: str) -> None:
    received, own = Headers.from_pairs(pairs), MutableHeaders(pairs)

    for asked in (name, *(key for key, _ in pairs)):
        assert received.get(asked) == own.get(asked)
        assert received.get_all(asked) == own.get_all(asked)
        assert (asked in received) == (asked in own)
    assert received.keys() == own.keys()
    assert len(received) == len(own)


@given(st.text(max_size=6), st.text(max_size=10))
def test_any_text_renders_as_one_line_or_not_at_all(name: str, value: str) -> None:
    try:
        rendered = render_fields([(name, value)])
    except LocalProtocolError:
        return

    assert rendered.count(b"\r") == rendered.count(b"\n") == 1
    assert rendered.endswith(b"\r\n")
    assert b"\x00" not in rendered
    assert Headers(rendered).items() == [(name.lower(), value.strip(" \t"))]


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nSet-Cookie: x=1",
        "a\nb",
        "a\rb",
        "\r\n",
        "\n",
        "a\r\n b",
        "a\x00b",
        "\x01",
        "\x1f",
        "a\x7f",
        "\x0b",
        "\x0c",
        "\u2028",
        "é€",
        "\u010d\u010a",
        "\ud800",
    ],
)
def test_no_value_can_end_its_line(value: str) -> None:
    h = MutableHeaders({"X-Name": value})

    with pytest.raises(LocalProtocolError, match="X-Name") as caught:
        h.rendered()

    assert caught.value.status == 500
    with pytest.raises(LocalProtocolError):
        Headers.from_pairs([("X-Name", value)])


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a:", "a: b\r\nX", "X ", " X", "é", "a\x00", "a\n", "(x)", "a\x7f", "ſ", "a/b", '"a"'],
)
def test_no_name_but_a_token_is_rendered(name: str) -> None:
    h = MutableHeaders([(name, "v")])

    with pytest.raises(LocalProtocolError, match="not a field name"):
        h.rendered()


def test_a_rejected_name_is_rejected_the_second_time_too() -> None:
    for _ in range(2):
        with pytest.raises(LocalProtocolError):
            render_fields([("bad name", "v")])


def test_rendering_keeps_spelling_and_order_and_strips_whitespace() -> None:
    h = MutableHeaders([("X-b", " 1 "), ("x-A", "\t2"), ("X-B", "3")])

    assert h.rendered() == b"X-b: 1\r\nx-A: 2\r\nX-B: 3\r\n"


def test_tab_inside_a_value_and_latin_1_are_kept() -> None:
    assert MutableHeaders({"X": "a\tbé"}).rendered() == b"X: a\tb\xe9\r\n"


def test_set_replaces_every_line_at_the_place_of_the_first() -> None:
    h = MutableHeaders([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")])

    h["a"] = "new"

    assert h.rendered() == b"a: new\r\nB: 2\r\nC: 4\r\n"


def test_append_delete_and_setdefault() -> None:
    h = MutableHeaders()

    h.append("Set-Cookie", "a=1")
    h.append("set-cookie", "b=2")
    assert h.get_all("SET-COOKIE") == ["a=1", "b=2"]
    assert h.setdefault("Vary", " Accept ") == "Accept"
    assert h.setdefault("VARY", "Origin") == "Accept"
    del h["set-cookie"]
    h.delete("never-there")
    with pytest.raises(KeyError):
        del h["never-there"]

    assert h.items() == [("vary", "Accept")]


def test_update_replaces_names_and_keeps_the_repeats_of_the_source() -> None:
    h = MutableHeaders({"A": "1", "B": "2"})

    h.update([("b", "3"), ("b", "4")])
    h.update({"C": "5"})

    assert h.items() == [("a", "1"), ("b", "3"), ("b", "4"), ("c", "5")]


@pytest.mark.parametrize(("name", "value"), [("x", 5), ("x", b"v"), (b"x", "v"), ("x", None)])
def test_what_is_not_str_is_refused_where_it_is_set(name: object, value: object) -> None:
    with pytest.raises(TypeError, match="str"):
        MutableHeaders()[name] = value  # type: ignore[index,assignment]


def test_lines_keep_the_spelling() -> None:
    assert MutableHeaders([("X-A", "1"), ("x-a", " 2 ")]).lines() == [("X-A", "1"), ("x-a", "2")]
