"""What a multipart form may be, octet by octet: cut, changed, split, out of bounds."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock import App, Form, FormLimits, UploadFile
from penstock.errors import HTTPError
from penstock.http.building import begin_form
from penstock.http.form import DEFAULT_LIMITS, FormData
from penstock.http.multipart import parse_parameters
from tests.app.forms.bodies import BOUNDARY, MULTIPART, multipart, part, post

TYPE = MULTIPART[1]
BODY = multipart(
    part("title", b"a\r\n--b0undar", None, "Content-Type: text/plain; charset=utf-8"),
    part("photo", b"\r\n\r\n--\xff\x00\r", "a.png", "Content-Type: image/png"),
    part("empty", b""),
)


def parse(pieces: list[bytes], limits: FormLimits = DEFAULT_LIMITS, content_type: str = TYPE) -> FormData:
    builder = begin_form(content_type, limits)
    for piece in pieces:
        builder.feed(piece)
    return builder.finish()


def shown(form: FormData) -> list:
    files = [(f.name, f.filename, f.content_type, f.read()) for fs in form.files.values() for f in fs]
    return [form.items(), files]


def verdict(pieces: list[bytes], limits: FormLimits = DEFAULT_LIMITS, content_type: str = TYPE) -> object:
    """What a form is, or the status it is refused with."""
    try:
        return shown(parse(pieces, limits, content_type))
    except HTTPError as error:
        return error.status if error.status in (400, 413, 415) else error


def octets(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


EXPECTED = [
    [("title", "a\r\n--b0undar"), ("empty", "")],
    [("photo", "a.png", "image/png", b"\r\n\r\n--\xff\x00\r")],
]


def test_the_split_never_matters():
    assert verdict([BODY]) == EXPECTED
    assert verdict(octets(BODY)) == EXPECTED
    for at in range(len(BODY)):
        assert verdict([BODY[:at], BODY[at:]]) == EXPECTED, at


def test_a_form_that_is_cut_is_malformed():
    whole = len(BODY) - 2  # the end of the last line is no part of it
    for at in range(whole):
        assert verdict([BODY[:at]]) == 400, at
    assert verdict([BODY[:whole]]) == EXPECTED


@pytest.mark.parametrize("octet", [0, 0x0A, 0x0D, 0x20, 0x22, 0x2D, 0x3A, 0x3B, 0x41, 0x5C, 0x80, 0xFF])
def test_one_octet_changed_is_a_form_or_a_refusal_whatever_the_split(octet):
    for at in range(len(BODY)):
        body = BODY[:at] + bytes([octet]) + BODY[at + 1 :]
        whole = verdict([body])
        # A line feed before the name of a field is white space to the package, unless the split is there.
        allowed = (whole, 400) if octet == 0x0A else (whole,)
        assert verdict(octets(body)) in allowed, (at, body[max(0, at - 20) : at + 20])
        assert verdict([body[:at], body[at:]]) in allowed, at


def test_one_octet_left_out_or_put_in_is_a_form_or_a_refusal():
    for at in range(len(BODY)):
        for body in (BODY[:at] + BODY[at + 1 :], BODY[:at] + b"\r" + BODY[at:], BODY[:at] + b"-" + BODY[at:]):
            assert verdict([body]) == verdict(octets(body)), at


def test_an_application_answers_every_broken_form():
    def handler(photo: UploadFile, title: Annotated[str, Form()]) -> str:
        return title

    app = App()
    app.post("/")(handler)
    for at in range(0, len(BODY), 3):
        for body in (BODY[:at], BODY[:at] + b"\xff" + BODY[at + 1 :]):
            assert post(app, body).status in (200, 400, 422), body


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
@example(b"--b0undary")
@example(b"--b0undary\r\n\r\n")
@example(b"--b0undary--")
@example(b"\r\n--b0undary--")
def test_any_octets_are_a_form_or_a_refusal_whatever_the_split(body):
    assert verdict([body]) == verdict(octets(body))


PIECES = st.sampled_from(
    [
        *(b"--b0undary", b"--b0undary--", b"\r\n", b"\r", b"--", b"x", b" ", b": ", b"\x00"),
        *(b'Content-Disposition: form-data; name="a"', b'; filename="b"'),
        *(b"Content-Type: text/plain", b"Content-Length: 1"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=16).map(b"".join))
def test_what_is_made_of_the_parts_of_forms_is_a_form_or_a_refusal_whatever_the_split(body):
    assert verdict([body]) == verdict(octets(body))


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\"'), max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.text(max_size=40)), max_size=4),
    st.lists(st.tuples(NAMES, NAMES, st.binary(max_size=60)), max_size=4),
    st.integers(1, 64),
)
def test_what_was_written_is_read(fields, files, size):
    body = multipart(
        *[part(name, value.encode()) for name, value in fields],
        *[part(name, content, file) for name, file, content in files],
    )
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    form = parse(pieces)

    assert [(plain(name), value) for name, value in fields] == form.items()
    found = [(f.name, f.raw_filename, f.read()) for fs in form.files.values() for f in fs]
    assert sorted(found) == sorted((plain(name), plain(file), content) for name, file, content in files)


def plain(name: str) -> str:
    """A name without what browsers write for what cannot stand in it."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ('multipart/form-data; boundary=""', 400),
        ("multipart/form-data; boundary=" + "x" * 71, 400),
        ('multipart/form-data; boundary="a\\\r\nb"', 400),
        ('multipart/form-data; boundary="a b "', 400),
        ("multipart/form-data; boundary=ä", 400),
        (f"multipart/form-data; boundary={BOUNDARY}; boundary={BOUNDARY}", 400),
        (f"multipart/form-data; boundary={BOUNDARY}; charset=latin-1", 415),
        ("multipart/mixed; boundary=x", 415),
        (f'Multipart/Form-Data; Charset=UTF-8; Boundary="{BOUNDARY}"', EXPECTED),
        (f"multipart/form-data;boundary={BOUNDARY};", EXPECTED),
    ],
)
def test_the_content_type_names_one_valid_boundary(content_type, expected):
    assert verdict([BODY], content_type=content_type) == expected


def headed(*lines: str) -> bytes:
    return "\r\n".join([f"--{BOUNDARY}", *lines, "", "x", f"--{BOUNDARY}--", ""]).encode()


DISPOSITION = 'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Content-Type: text/plain",),
        ("Content-Disposition: form-data",),
        ("Content-Disposition: attachment; name=a",),
        ('Content-Disposition: form-data; name="a"; name="b"',),
        ('Content-Disposition: form-data; name="a"; filename="b"; filename="c"',),
        ('Content-Disposition: form-data; name="a',),
        ('Content-Disposition: form-data; name="a" b',),
        ("Content-Disposition: form-data; name=a b",),
        ('Content-Disposition: form-data; name="\x00"',),
        ("Content-Disposition: form-data; name*=utf-8''a",),
        (DISPOSITION, DISPOSITION),
        (DISPOSITION, "Content-Type: text/plain", "Content-Type: text/html"),
        (DISPOSITION, "Content-Type: text/plain; charset=a; charset=b"),
        (DISPOSITION, "Content-Transfer-Encoding: base64"),
        (DISPOSITION, "Content-Length: 2"),
        (DISPOSITION, "Content-Length: 0"),
        (DISPOSITION, "Content-Length: -1"),
        (DISPOSITION, "no colon"),
        (DISPOSITION, "bad name: x"),
        (f"{DISPOSITION}; filename*=utf-16''a",),
        (f"{DISPOSITION}; filename*=utf-8''%ff",),
        (f"{DISPOSITION}; filename*=utf-8''%zz",),
    ],
)
def test_a_part_that_breaks_the_rules_is_malformed(lines):
    assert verdict([headed(*lines)]) == 400
    assert verdict(octets(headed(*lines))) == 400


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7"])
def test_a_field_in_another_charset_is_415(charset):
    assert verdict([headed(DISPOSITION, f"Content-Type: text/plain; charset={charset}")]) == 415


@pytest.mark.parametrize("octet", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_what_is_no_utf_8_in_a_field_or_a_name_is_malformed(octet):
    assert verdict([multipart(part("a", octet))]) == 400
    assert verdict([multipart(part("@", b"x").replace(b"@", octet))]) == 400
    assert verdict([multipart(part("a", b"x", "@").replace(b"@", octet))]) == 400
    assert verdict([multipart(part("a", octet, "f"))]) == [
        [],
        [("a", "f", "application/octet-stream", octet)],
    ]


@pytest.mark.parametrize(
    ("disposition", "name", "raw"),
    [
        ('form-data; name="a"; filename="b.txt"', "a", "b.txt"),
        ("form-data;name=a;filename=b.txt", "a", "b.txt"),
        ('FORM-DATA; NAME="a"; FileName="b"', "a", "b"),
        ('form-data; name="a %22b%22"; filename="%22%0D%0A%22"', 'a "b"', '"\r\n"'),
        ('form-data; name="a"; filename="C:\\dir\\b.txt"', "a", "C:\\dir\\b.txt"),
        ('form-data; name="a"; filename="a\\"b\\\\c"', "a", 'a"b\\c'),
        ('form-data; name="a"; filename="b"; filename*=utf-8\'\'c', "a", "b"),
        ("form-data; name=\"a\"; filename*=UTF-8'en'%e2%82%ac.txt", "a", "€.txt"),
        ('form-data; name="a;b"; filename="c;d=e"', "a;b", "c;d=e"),
        ('form-data; name=""; filename="ä"', "", "ä"),
    ],
)
def test_names_are_read_as_clients_write_them(disposition, name, raw):
    form = parse([headed(f"Content-Disposition: {disposition}")])

    file = form.file(name)
    assert file is not None
    assert file.raw_filename == raw


def test_a_line_of_a_part_may_be_folded_and_unknown_ones_are_passed_over():
    body = headed('Content-Disposition: form-data;\r\n  name="a"', "X-More: 1", "Content-Length: 1")

    assert verdict([body]) == [[("a", "x")], []]


@pytest.mark.parametrize(
    "before", [b"", b"\r\n", b"passed over\r\n", b"--b0undar\r\n", b"x" * 4_000 + b"\r\n"]
)
@pytest.mark.parametrize("behind", [b"", b"\r\n", b"--b0undary\r\npassed over", b"x" * 100_000])
def test_what_stands_before_and_behind_is_passed_over(before, behind):
    body = before + BODY[:-2] + behind

    assert verdict([body]) == EXPECTED
    assert verdict([body[at : at + 7] for at in range(0, len(body), 7)]) == EXPECTED


@pytest.mark.parametrize("before", [b"x", b"\n", b"\r", b"x" * 5_000 + b"\r\n", b"x" * 100_000])
def test_a_boundary_begins_a_line_among_the_first_octets(before):
    assert verdict([before + BODY]) == 400
    assert verdict(octets((before + BODY)[:6_000])) == 400


def test_parts_in_parts_are_octets():
    inner = b"--inner\r\nContent-Disposition: file; filename=x\r\n\r\nx\r\n--inner--"
    body = multipart(part("a", inner, None, "Content-Type: multipart/mixed; boundary=inner"))

    assert verdict([body]) == [[("a", inner.decode())], []]


MANY = multipart(*[part("a", b"")] * 2_000)


@pytest.mark.parametrize(
    ("limits", "body", "name"),
    [
        (FormLimits(), MANY, "fields"),
        (FormLimits(), multipart(*[part("a", b"", "f")] * 200), "files"),
        (FormLimits(fields=0), multipart(part("a", b"")), "fields"),
        (FormLimits(field_bytes=10), multipart(part("a", b"x" * 11)), "field_bytes"),
        (FormLimits(fields_bytes=10), multipart(part("a", b"x" * 6), part("b", b"x" * 6)), "fields_bytes"),
        (FormLimits(file_bytes=10), multipart(part("a", b"x" * 11, "f")), "file_bytes"),
        (FormLimits(), multipart(part("a", b"", None, "X: " + "x" * 5_000)), "header_bytes"),
        (FormLimits(), multipart(part("a", b"", None, *[f"X-{n}: x" for n in range(9)])), "headers"),
        (FormLimits(), f"--{BOUNDARY}\r\n".encode() + b"x" * 100_000, "header_bytes"),
    ],
)
def test_a_form_beyond_a_limit_is_413_and_names_it(limits, body, name):
    for pieces in ([body], [body[at : at + 13] for at in range(0, len(body), 13)]):
        with pytest.raises(HTTPError) as caught:
            parse(pieces, limits)
        assert caught.value.status == 413
        assert caught.value.extensions == {"limit": name}


def test_a_million_empty_parts_end_at_the_first_too_many():
    builder = begin_form(TYPE, FormLimits())
    builder.feed(multipart(*[part("a", b"")] * 1_000)[: -len(f"--{BOUNDARY}--\r\n")])

    with pytest.raises(HTTPError, match="more than 1000 fields"):
        builder.feed(part("a", b""))


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_parameters_are_read_or_refused(value):
    try:
        word, found = parse_parameters(value)
    except ValueError:
        return
    assert word == word.lower()
    assert all(re.fullmatch(r"[^\s;=\"]+", name) for name in found)
