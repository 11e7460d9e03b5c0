"""Server-Sent Events: what a reader by the letter of the standard gets is what was sent, and nothing else."""

import doctest
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http import events as module
from penstock.http.events import encode_comment, encode_event, parse_last_event_id
from penstock.http.headers import Headers


class Event(NamedTuple):
    type: str
    data: str
    last_id: str


class Reader:
    """The stream interpreted as WHATWG HTML §9.2.6 has it, step by step."""

    def __init__(self, octets: bytes) -> None:
        self.events: list[Event] = []
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments = 0
        data, kind, id_buffer = "", "", ""
        text = octets.decode().removeprefix("\ufeff")
        assert text.endswith("\n\n")
        for line in text.replace("\r\n", "\n").replace("\r", "\n")[:-1].split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "":
                self.last_id = id_buffer
                if data:
                    self.events.append(Event(kind or "message", data.removesuffix("\n"), self.last_id))
                data, kind = "", ""
            elif name == "":
                self.comments += 1
            elif name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
            elif name == "id" and "\x00" not in value:
                id_buffer = value
            elif name == "retry" and value.isascii() and value.isdigit():
                self.retry_ms = int(value)
            else:
                raise AssertionError(f"a field nobody meant: {line!r}")


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        ("", b"data: \n\n"),
        ("a", b"data: a\n\n"),
        (" a", b"data:  a\n\n"),
        ("a\nb", b"data: a\ndata: b\n\n"),
        ("a\rb", b"data: a\ndata: b\n\n"),
        ("a\r\nb", b"data: a\ndata: b\n\n"),
        ("a\n\rb", b"data: a\ndata: \ndata: b\n\n"),
        ("\n", b"data: \ndata: \n\n"),
        ("a\n\nevent: x", b"data: a\ndata: \ndata: event: x\n\n"),
        ("a\u2028b\u0085c\x0bd", "data: a\u2028b\u0085c\x0bd\n\n".encode()),
        ("\ufeffx", "data: \ufeffx\n\n".encode()),
        ("\x00", b"data: \x00\n\n"),
        ("é", b"data: \xc3\xa9\n\n"),
    ],
)
def test_data(data: str, octets: bytes) -> None:
    assert encode_event(data) == octets


def test_fields_come_in_one_order() -> None:
    assert encode_event("d", event="e", id="i", retry_ms=0) == b"event: e\nid: i\nretry: 0\ndata: d\n\n"


def test_without_data_there_is_no_event_but_an_id_and_a_pause() -> None:
    reader = Reader(encode_event(None, id="9", retry_ms=1500) + encode_event("x"))

    assert reader.retry_ms == 1500
    assert reader.events == [Event("message", "x", "9")]


def test_an_empty_id_makes_the_client_forget() -> None:
    reader = Reader(encode_event("a", id="9") + encode_event("b", id="") + encode_event("c"))

    assert [event.last_id for event in reader.events] == ["9", "", ""]


def test_an_event_of_nothing_is_a_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_event(None)


@pytest.mark.parametrize("kind", ["a\n", "\r", "a\r\ndata: x", "a\n\nb"])
def test_an_event_type_is_one_line(kind: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode_event("x", event=kind)


@pytest.mark.parametrize(
    "id_", ["\x00", "a\x00b", "a\n", "\r", "a\r\nb", "\x01", "\x7f", " a", "a ", "\ta", "\ud800"]
)
def test_an_id_can_come_back(id_: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode_event("x", id=id_)


@pytest.mark.parametrize("retry_ms", [-1, 1.5, "1000", float("nan"), 1e3])
def test_a_pause_is_a_count_of_milliseconds(retry_ms: object) -> None:
    with pytest.raises(LocalProtocolError):
        encode_event("x", retry_ms=retry_ms)  # type: ignore[arg-type]


@pytest.mark.parametrize("encode", [encode_event, encode_comment])
def test_half_a_surrogate_pair_is_refused(encode) -> None:
    with pytest.raises(LocalProtocolError, match="surrogate"):
        encode("a\ud800")


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", b": \n\n"),
        ("ping", b": ping\n\n"),
        ("a\ndata: b", b": a\n: data: b\n\n"),
        ("a\r\n\r\nb", b": a\n: \n: b\n\n"),
    ],
)
def test_comments(text: str, octets: bytes) -> None:
    assert encode_comment(text) == octets


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", None),
        (b"Last-Event-ID: 7\r\n", "7"),
        (b"last-event-id:   a b, c  \r\n", "a b, c"),
        (b"Last-Event-ID: \r\n", None),
        (b"Last-Event-ID: \xc3\xa9\r\n", "é"),
        (b"Last-Event-ID: \xe9\r\n", None),
        (b"Last-Event-ID: \xed\xa0\x80\r\n", None),
        (b"Last-Event-ID: 7\r\nLast-Event-ID: 8\r\n", None),
    ],
)
def test_the_id_a_client_comes_back_with(raw: bytes, expected: str | None) -> None:
    assert parse_last_event_id(Headers(raw)) == expected


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text(
    "\r\n: abdatevni", max_size=30
)
ONE_LINE = TEXT.map(lambda text: text.replace("\r", "").replace("\n", ""))
IDS = ONE_LINE.map(lambda text: module._CONTROL.sub("", text).strip(" \t"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(TEXT, st.none() | ONE_LINE, st.none() | IDS, st.none() | st.integers(0, 10**9), TEXT),
        max_size=4,
    )
)
def test_a_stream_is_read_as_it_was_written(sent) -> None:
    octets = b"".join(
        encode_comment(comment) + encode_event(data, event=kind, id=id_, retry_ms=retry_ms)
        for data, kind, id_, retry_ms, comment in sent
    )

    reader = Reader(octets or b"\n\n")

    expected, last_id = [], ""
    for data, kind, id_, _, _ in sent:
        last_id = last_id if id_ is None else id_
        expected.append(Event(kind or "message", data.replace("\r\n", "\n").replace("\r", "\n"), last_id))
    assert reader.events == expected
    assert reader.retry_ms == next((pause for *_, pause, _ in reversed(sent) if pause is not None), None)


@settings(deadline=None)
@given(IDS)
def test_an_id_comes_back_as_it_was(id_: str) -> None:
    encode_event("x", id=id_)

    headers = Headers(b"Last-Event-ID: " + id_.encode() + b"\r\n")

    assert parse_last_event_id(headers) == (id_ or None)


@settings(deadline=None)
@given(st.text(max_size=10), st.none() | st.text(max_size=10), st.none() | st.text(max_size=10))
def test_anything_is_one_event_or_refused(data: str, kind: str | None, id_: str | None) -> None:
    try:
        octets = encode_event(data, event=kind, id=id_)
    except LocalProtocolError:
        return

    assert len(Reader(octets).events) == 1
