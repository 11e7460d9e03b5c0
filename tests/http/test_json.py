"""JSON: what is written, what is refused on reading, and that both stand any thread, hook and depth."""

import doctest
import enum
import json
import threading
from collections import OrderedDict, defaultdict
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.app.binding.text import parse_duration
from penstock.http import json as module
from penstock.http.json import MAX_DEPTH, dumps, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "y"


@dataclass
class Plain:
    kept: ClassVar[int] = 1
    once: InitVar[int] = 0
    name: str = "n"
    tags: set[str] = field(default_factory=lambda: {"t"})


@dataclass(slots=True, frozen=True)
class Slotted:
    inner: Plain
    when: date


class Day(date):
    pass


class Point(NamedTuple):
    x: int
    y: int


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (42, "42"),
        (10**400, "1" + "0" * 400),
        (1.5, "1.5"),
        (-0.0, "-0.0"),
        ("", '""'),
        ("é\u2028😀", '"é\u2028😀"'),
        ('"\\\x00\n\x7f', '"\\"\\\\\\u0000\\n\x7f"'),
        ([], "[]"),
        ({}, "{}"),
        ((1, 2), "[1,2]"),
        ({"a": 1, "b": [2]}, '{"a":1,"b":[2]}'),
        ({1: 1, None: 2, False: 3, 1.5: 4}, '{"1":1,"null":2,"false":3,"1.5":4}'),
        ({7}, "[7]"),
        (frozenset([7]), "[7]"),
        (Point(1, 2), "[1,2]"),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (defaultdict(list, a=[1]), '{"a":[1]}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Word.YES, '"y"'),
        ({Word.YES: Level.HIGH}, '{"y":3}'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        (datetime(2024, 2, 29, 12, 30, tzinfo=UTC), '"2024-02-29T12:30:00+00:00"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        (Day(2024, 2, 29), '"2024-02-29"'),
        (time(12, 30), '"12:30:00"'),
        (Plain(), '{"name":"n","tags":["t"]}'),
        (Slotted(Plain(), date(2024, 1, 1)), '{"inner":{"name":"n","tags":["t"]},"when":"2024-01-01"}'),
        (
            [Slotted(Plain(tags=set()), date(1, 1, 1))],
            '[{"inner":{"name":"n","tags":[]},"when":"0001-01-01"}]',
        ),
    ],
)
def test_dumps(value: object, text: str) -> None:
    assert dumps(value) == text.encode()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), [float("nan")], {"a": float("inf")}]
)
def test_what_json_has_no_number_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"x",
        bytearray(),
        1j,
        range(1),
        Plain,
        Colour,
        len,
        {object(): 1},
        {b"a": 1},
        {(1, 2): 1},
        {Colour.RED: 1},
        (n for n in ()),
    ],
)
def test_what_has_no_json_form_is_a_typeerror_that_names_it(value: object) -> None:
    with pytest.raises(TypeError, match=r"JSON|keys must be"):
        dumps(value)
    with pytest.raises(TypeError):
        dumps([value])


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\ud800": 1}])
def test_a_lone_surrogate_is_refused_on_writing(value: object) -> None:
    with pytest.raises(ValueError, match="lone surrogate") as caught:
        dumps(value)
    assert type(caught.value) is ValueError


def test_a_value_that_holds_itself_is_a_valueerror() -> None:
    ring: list[object] = []
    ring.append(ring)
    loop: dict[str, object] = {}
    loop["self"] = [loop]
    data = Plain()
    data.name = data  # type: ignore[assignment]

    for value in (ring, loop, data):
        with pytest.raises(ValueError, match="contains itself"):
            dumps(value)
    assert dumps([1]) == b"[1]"


def test_one_object_may_stand_in_many_places() -> None:
    shared = {"a": 1}

    assert dumps([shared, shared, {"b": shared}]) == b'[{"a":1},{"a":1},{"b":{"a":1}}]'


def test_a_hook_may_write_json_itself() -> None:
    class Nested(enum.Enum):
        ONE = 1

        @property
        def value(self) -> str:  # type: ignore[override]
            return dumps({"inner": {2}}).decode()

    assert json.loads(dumps([Nested.ONE, {3}])) == ['{"inner":[2]}', [3]]


def test_an_error_of_the_hook_comes_through() -> None:
    class Broken(dict):
        def items(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        dumps(Broken(a=1))


def test_threads_write_one_value_at_once() -> None:
    value = {"list": [{"set": {i}, "when": date(2024, 1, 1)} for i in range(200)]}
    expected, seen = dumps(value), []

    def write() -> None:
        seen.extend(dumps(value) for _ in range(20))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [expected] * 80


def test_without_the_c_encoder_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    encode = module._prepare()

    for value in ({"id": 42, "né": [1.5, None, {Colour.RED}]}, "x", Slotted(Plain(), date(2024, 1, 1))):
        assert encode(value).encode() == dumps(value)
    with pytest.raises(ValueError, match="JSON"):
        encode(float("nan"))


@given(VALUES)
def test_what_is_written_reads_back(value: object) -> None:
    octets = dumps(value)

    assert loads(octets) == value
    assert octets == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@given(VALUES, st.integers(0, 3))
def test_any_layout_reads_alike(value: object, indent: int) -> None:
    assert loads(json.dumps(value, indent=indent).encode()) == value
    assert loads(b" \t\r\n" + json.dumps(value).encode() + b"\n ") == value


@given(
    st.binary(max_size=40) | st.text('[]{}",:\\ud8cDtruefalsn0123456789.eE+- ', max_size=40).map(str.encode)
)
def test_any_octets_give_a_value_or_a_valueerror(raw: bytes) -> None:
    try:
        value = loads(raw)
    except ValueError:
        return

    assert loads(dumps(value)) == value
    assert json.loads(raw) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b" 1 ", 1),
        (b"-0", 0),
        (b"1e3", 1000.0),
        (b"1E+2", 100.0),
        (b"1e-999", 0.0),
        (b"9" * 4300, int("9" * 4300)),
        (b'"\\u00e9\\/"', "é/"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\uD83D\\uDE00"', "😀"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\\\\\ud83d\\ude00"', "\\😀"),
        (b'{"":1}', {"": 1}),
        (b'{"a":{"a":1}}', {"a": {"a": 1}}),
        (b'{"A":1,"a":2}', {"A": 1, "a": 2}),
        (b'"\x7f\xc2\x85"', "\x7f\x85"),
    ],
)
def test_loads(raw: bytes, value: object) -> None:
    assert loads(raw) == value
    assert loads(bytearray(raw)) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Expecting value: line 1 column 1"),
        (b"  \n ", "Expecting value: line 2"),
        (b"\n [x", "line 2 column 3"),
        (b"{", "line 1"),
        (b"[1,]", "line 1"),
        (b'{"a":1,}', "line 1"),
        (b"{a:1}", "line 1"),
        (b"{'a':1}", "line 1"),
        (b"[1 2]", "line 1"),
        (b"1 2", "Extra data: line 1 column 3"),
        (b"[1]]", "Extra data"),
        (b"01", "Extra data"),
        (b"+1", "Expecting value"),
        (b".5", "Expecting value"),
        (b"1.", "Extra data"),
        (b"0x1", "Extra data"),
        (b"1_0", "Extra data"),
        ("١".encode(), "Expecting value"),
        (b"-", "Expecting value"),
        (b"True", "Expecting value"),
        (b"nul", "Expecting value"),
        (b"// x\n1", "Expecting value"),
        (b"\xc2\xa01", "Expecting value"),
        (b"\x0c1", "Expecting value"),
        (b"\x001", "Expecting value"),
        (b"\xef\xbb\xbf1", "Expecting value"),  # a byte order mark (RFC 8259 §8.1)
        (b'"a\nb"', "control character"),
        (b'"a\x00b"', "control character"),
        (b'"\\x41"', "escape"),
        (b'"\\u12"', "escape"),
        (b'"\\u 123"', "escape"),
        (b'"\\u+123"', "escape"),
        (b'"abc', "Unterminated"),
        (b'"\\', "Unterminated"),
    ],
)
def test_broken_syntax_is_refused_with_its_place(raw: bytes, message: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=message):
        loads(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b"1e999", "1e999 is out of range"),
        (b"[-1E400]", "out of range"),
        (b"1" * 400 + b".0", "out of range"),
        (b'{"a":1,"a":1}', '"a" stands twice'),
        (b'[{"x":{"b":1,"c":2,"b":null}}]', '"b" stands twice'),
        (b'{"a":1,"\\u0061":2}', '"a" stands twice'),
        (b'{"":1,"":2}', '"" stands twice'),
        (b"\xff", "not UTF-8 at octet 0"),
        (b'"ok\xc0\xaf"', "not UTF-8 at octet 3"),
        (b'"\xed\xa0\x80"', "not UTF-8 at octet 1"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8 at octet 0"),
        (b'"\\ud800"', "lone surrogate is escaped at character 1"),
        (b'"\\udfff"', "lone surrogate"),
        (b'"\\ud83d\\u0041"', "lone surrogate"),
        (b'"\\ude00\\ud83d"', "lone surrogate"),
        (b'"\\ud83d\\ud83d\\ude00"', "lone surrogate"),
        (b'"\\ud83d \\ude00"', "lone surrogate"),
        (b'"\\\\\\ud83d"', "lone surrogate"),
        (b"9" * 4301, "an integer has more than 4300 digits"),
        (b"[-" + b"9" * 100_000 + b"]", "an integer has more than 4300 digits"),
    ],
)
def test_what_two_readers_would_read_differently_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        loads(raw)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"]":', b"}]"), (b'["\\\\","[\\"",', b"]")]
)
def test_the_depth_limit_is_exact(opening: bytes, closing: bytes) -> None:
    times = MAX_DEPTH // (opening.count(b"[{") + 1)
    deepest = opening * times + b"1" + closing * times

    assert loads(deepest) is not None
    with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH} levels"):
        loads(b"[" + deepest + b"]")


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'["]",' * 100_000,
        b'[{"a":' * 50_000,
        b'["' + b"[" * 100_000,
        b"]" * 100_000,
        b"[]" * 100_000,
    ],
)
def test_depth_is_a_valueerror_and_never_a_recursionerror(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"deep|line 1"):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b",".join([b"[]"] * 1000) + b"]",
        b'"' + b"[" * 1000 + b'"',
        b'["' + b'[{\\"' * 1000 + b'"]',
        b'{"' + b"{" * 200 + b'":1}',
    ],
)
def test_wide_content_and_brackets_in_strings_are_not_deep(raw: bytes) -> None:
    assert loads(raw) == json.loads(raw)


def test_a_deep_stack_of_the_caller_is_no_recursionerror() -> None:
    def descend() -> object:
        try:
            return descend()
        except RecursionError:
            with pytest.raises((ValueError, RecursionError)):
                loads(b"[" * 120 + b"]" * 120 + b"x")
            return True

    assert descend()


def test_threads_read_at_once() -> None:
    raw = json.dumps([{"id": i, "name": f"n{i}", "x": i / 7} for i in range(300)]).encode()
    expected, seen = json.loads(raw), []

    def read() -> None:
        seen.extend(loads(raw) == expected for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [True] * 40


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=1, hours=2, minutes=30), "P1DT2H30M"),
        (timedelta(seconds=-0.5), "-PT0.5S"),
        (timedelta(days=-3), "-P3D"),
        (timedelta(microseconds=10), "PT0.00001S"),
    ],
)
def test_durations_are_iso_8601_and_read_back(duration, text):
    assert dumps(duration) == f'"{text}"'.encode()
    assert parse_duration(text) == duration
