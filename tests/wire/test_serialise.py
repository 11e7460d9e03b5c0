"""Responses as octets, exactly: what is fixed, what an application may say, what carries no content."""

from __future__ import annotations

import pytest

from penstock.errors import LocalProtocolError
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from penstock.wire.serialise import Serialiser, closes

DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


@pytest.fixture
def serialiser() -> Serialiser:
    made = Serialiser()
    made.set_date(784111777)
    return made


def request_of(method: str = "GET", version: bytes = b"1") -> Request:
    request = Request.build(method)
    request.version = version
    return request


@pytest.mark.parametrize("turn", ["first", "again"])
def test_a_small_response_is_these_octets(serialiser: Serialiser, turn: str):
    if turn == "again":  # from the head that was kept
        serialiser.render(request_of(), TextResponse("other"))

    octets = serialiser.render(request_of(), TextResponse("hello"))

    assert octets == (
        f"HTTP/1.1 200 OK\r\n{DATE}Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello".encode()
    )


def test_date_is_the_one_set_last(serialiser: Serialiser):
    serialiser.render(request_of(), TextResponse("hello"))
    serialiser.set_date(0)

    octets = serialiser.render(request_of(), TextResponse("hello"))

    assert b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in octets
    assert octets.count(b"Date:") == 1


def test_date_of_the_application_stands(serialiser: Serialiser):
    octets = serialiser.render(request_of(), Response(b"", 200, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}))

    assert octets.lower().count(b"date:") == 1
    assert b"1970" in octets


def test_server_is_named_when_asked_for_and_the_application_may_overrule():
    serialiser = Serialiser("penstock")
    serialiser.set_date(0)

    named = serialiser.render(request_of(), TextResponse("x"))
    overruled = serialiser.render(request_of(), TextResponse("x", headers={"Server": "mine"}))

    assert named.count(b"Server: penstock\r\n") == 1
    assert overruled.count(b"Server:") == 1
    assert b"Server: mine\r\n" in overruled


def test_server_that_would_split_is_refused():
    with pytest.raises(LocalProtocolError):
        Serialiser("a\r\nX: y")


@pytest.mark.parametrize(
    ("version", "persistent", "line"),
    [(b"1", True, b""), (b"1", False, b"close"), (b"0", True, b"keep-alive"), (b"0", False, b"close")],
)
def test_connection_is_said_when_it_is_not_the_default(
    serialiser: Serialiser, version: bytes, persistent: bool, line: bytes
):
    head = serialiser.render(request_of(version=version), TextResponse("x"), persistent).partition(
        b"\r\n\r\n"
    )[0]

    said = [
        value
        for name, _, value in (field.partition(b": ") for field in head.split(b"\r\n"))
        if name == b"Connection"
    ]
    assert said == ([line] if line else [])


def test_status_line_says_1_1_to_1_0_clients_too(serialiser: Serialiser):
    # RFC 9110 §2.5: the version is that of the sender's conformance.
    assert serialiser.render(request_of(version=b"0"), TextResponse("x")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_head_has_the_fields_of_get_and_no_content(serialiser: Serialiser):
    get = serialiser.render(request_of("GET"), TextResponse("hello"))
    head = serialiser.render(request_of("HEAD"), TextResponse("hello"))

    assert head == get.removesuffix(b"hello")


@pytest.mark.parametrize(("status", "length"), [(204, []), (304, []), (205, [b"0"])])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_no_content_where_there_must_be_none(
    serialiser: Serialiser, status: int, length: list[bytes], method: str
):
    for _ in range(2):
        octets = serialiser.render(request_of(method), Response(b"left over", status))

        head, _, content = octets.partition(b"\r\n\r\n")
        assert content == b""
        assert [line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")] == length


@pytest.mark.parametrize("status", [100, 101, 199, 600, 99, -200, "200", None, 200.0])
def test_a_status_that_is_not_final_is_refused(serialiser: Serialiser, status: object):
    with pytest.raises(LocalProtocolError, match="status"):
        serialiser.render(request_of(), Response(b"", status))  # type: ignore[arg-type]


def test_a_status_without_a_registered_reason_still_has_its_space(serialiser: Serialiser):
    assert serialiser.render(request_of(), Response(b"", 299)).startswith(b"HTTP/1.1 299 ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nY: b"),
        ("X", "a\nY: b"),
        ("X", "a\rb"),
        ("X", "a\x00b"),
        ("X", "a\x7fb"),
        ("X", "€"),
        ("X\r\nY", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("", "a"),
        ("é", "a"),
    ],
)
def test_a_field_that_would_split_is_refused(serialiser: Serialiser, name: str, value: str):
    with pytest.raises(LocalProtocolError):
        serialiser.render(request_of(), Response(b"", 200, [(name, value)]))


def test_several_set_cookie_lines_stay_several(serialiser: Serialiser):
    response = TextResponse("x")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")

    assert serialiser.render(request_of(), response).count(b"\r\nSet-Cookie: ") == 2


def test_content_type_of_the_application_replaces_the_media_type(serialiser: Serialiser):
    octets = serialiser.render(request_of(), TextResponse("x", headers={"content-type": "text/x"}))

    assert octets.lower().count(b"content-type:") == 1
    assert b"content-type: text/x\r\n" in octets


def test_connection_of_the_application_is_read_and_not_copied(serialiser: Serialiser):
    response = TextResponse("x", headers={"Connection": "x, Close"})

    assert closes(response)
    assert b"Connection" not in serialiser.render(request_of(), response)
    assert not closes(TextResponse("x", headers={"Connection": "closed"}))
    assert not closes(TextResponse("x"))


def test_a_content_length_that_does_not_match_is_refused(serialiser: Serialiser):
    with pytest.raises(LocalProtocolError, match="Content-Length"):
        serialiser.render(request_of(), Response(b"hello", 200, {"Content-Length": "6"}))


def test_a_content_length_without_content_answers_head(serialiser: Serialiser):
    octets = serialiser.render(request_of("HEAD"), Response(b"", 200, {"Content-Length": "1234"}))

    assert octets.count(b"Content-Length: 1234\r\n") == 1


@pytest.mark.parametrize(
    ("version", "persistent", "headers", "expected"),
    [
        (b"1", True, {}, (True, None, b"Transfer-Encoding: chunked\r\n")),
        (b"1", False, {}, (True, None, b"Transfer-Encoding: chunked\r\nConnection: close\r\n")),
        (b"1", True, {"Content-Length": "5"}, (False, 5, b"Content-Length: 5\r\n")),
        (b"0", True, {}, (False, None, b"Connection: close\r\n")),
        (b"0", True, {"Content-Length": "5"}, (False, 5, b"Content-Length: 5\r\nConnection: keep-alive\r\n")),
    ],
)
def test_a_stream_is_framed_as_its_version_allows(
    serialiser: Serialiser, version, persistent, headers, expected
):
    response = StreamResponse([b"hello"], headers=headers)

    head, chunked, length = serialiser.render_stream_head(
        request_of(version=version), response, persistent=persistent
    )

    assert (chunked, length, head.partition(b"octet-stream\r\n")[2].removesuffix(b"\r\n")) == expected


@pytest.mark.parametrize("status", [204, 304])
def test_a_stream_of_a_status_without_content_has_no_framing(serialiser: Serialiser, status: int):
    head, chunked, length = serialiser.render_stream_head(
        request_of(), StreamResponse([b"x"], status), persistent=True
    )

    assert (chunked, length) == (False, 0)
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head


def test_the_application_never_sets_transfer_encoding(serialiser: Serialiser):
    with pytest.raises(LocalProtocolError, match="Transfer-Encoding"):
        serialiser.render(request_of(), Response(b"", 200, {"Transfer-Encoding": "chunked"}))


def test_kept_heads_are_bounded(serialiser: Serialiser):
    for number in range(2_000):
        serialiser.render(request_of(), Response(b"x", 200, media_type=f"a/{number}"))

    assert len(serialiser._heads) <= 256


@pytest.mark.parametrize(
    "fields",
    [
        [("X-Frame-Options", "DENY"), ("Cache-Control", "no-store")],
        [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "mine")],
        [("Content-Type", "text/csv"), ("ETag", '"x"')],
        [("Content-Length", "5"), ("Vary", "Origin")],
        [("Connection", "close"), ("Vary", "Origin")],
    ],
    ids=lambda fields: fields[0][0],
)
def test_own_fields_are_the_same_octets_each_time(serialiser: Serialiser, fields: list[tuple[str, str]]):
    def render(content: str, method: str = "GET") -> bytes:
        return serialiser.render(request_of(method), TextResponse(content, 200, fields))

    first = render("hello")

    assert [render("hello") for _ in range(3)] == [first] * 3
    assert render("hello", "HEAD") == first.removesuffix(b"hello")
    for name, value in fields:
        if name not in {"Content-Length", "Connection"}:
            assert first.count(f"\r\n{name}: {value}\r\n".encode()) == 1


def test_own_fields_with_other_values_or_status_are_not_mixed_up(serialiser: Serialiser):
    def render(status: int, media_type: str, value: str) -> bytes:
        return serialiser.render(request_of(), Response(b"x", status, {"X-A": value}, media_type))

    wanted = [(status, kind, value) for status in (200, 201) for kind in ("a/b", "c/d") for value in "12"]
    once = [render(*one) for one in wanted]

    assert len(set(once)) == len(wanted)
    assert [render(*one) for one in wanted] == once
    assert [render(*one) for one in wanted] == once


@pytest.mark.parametrize("field", [("X-A", "a\r\nb"), ("X A", "b"), ("Transfer-Encoding", "chunked")])
def test_a_fault_is_found_each_time(serialiser: Serialiser, field: tuple[str, str]):
    for _ in range(4):
        with pytest.raises(LocalProtocolError):
            serialiser.render(request_of(), Response(b"x", 200, [field]))


def test_fields_that_never_come_again_are_not_kept(serialiser: Serialiser):
    for number in range(5_000):
        serialiser.render(request_of(), Response(b"x", 200, {"ETag": f'"{number}"'}))

    assert len(serialiser._heads) <= 1
    assert len(serialiser._seen) <= 1_024


def test_head_says_no_length_that_get_might_not_have(serialiser: Serialiser):
    octets = serialiser.render(request_of("HEAD"), Response(b"", 200, media_type="text/plain"))

    assert b"content-length" not in octets.lower()
    assert octets.endswith(b"\r\n\r\n")
