"""Values of settings: what each kind reads, what it refuses, how it shows."""

from __future__ import annotations

import pytest

from penstock.server.kinds import Choice, Count, FieldValue, Host, Seconds, Size, Switch

COUNT = Count(0, 65_535)
CHOICE = Choice("debug", "info", "error")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (COUNT, "0", 0),
        (COUNT, "65535", 65_535),
        (COUNT, "007", 7),
        (COUNT, 80, 80),
        (Seconds(), "15", 15.0),
        (Seconds(), "0.5", 0.5),
        (Seconds(), "15s", 15.0),
        (Seconds(), "15 s", 15.0),
        (Seconds(), 2, 2.0),
        (Seconds(), 86_400, 86_400.0),
        (Seconds(zero=True), "0", 0.0),
        (Size(), "1", 1),
        (Size(), "64k", 65_536),
        (Size(), "64K", 65_536),
        (Size(), "64KiB", 65_536),
        (Size(), "1MiB", 2**20),
        (Size(), "1 MiB", 2**20),
        (Size(), "2g", 2**31),
        (Size(), "512 B", 512),
        (Size(), 4096, 4096),
        (Size(0), "0", 0),
        (Switch(), "true", True),
        (Switch(), "ON", True),
        (Switch(), "1", True),
        (Switch(), "no", False),
        (Switch(), "0", False),
        (Switch(), False, False),
        (CHOICE, "debug", "debug"),
        (CHOICE, "ERROR", "error"),
        (Host(), "localhost", "localhost"),
        (Host(), "::1", "::1"),
        (Host(), "[::1]", "::1"),
        (FieldValue(), "penstock", "penstock"),
        (FieldValue(), "a b", "a b"),
        (FieldValue(), "", None),
        (FieldValue(), None, None),
    ],
)
def test_value_is_read(kind, text, value):
    read = kind.read(text)

    assert read == value
    assert type(read) is type(value)
    assert kind.read(read) == value, "reading is idempotent"


@pytest.mark.parametrize("kind", [COUNT, Seconds(), Size(), Switch(), CHOICE])
@pytest.mark.parametrize("wrong", ["1_0", "+1", "-1", "1e3", "0x10", "nan", "inf"])
def test_what_only_int_and_float_take_is_no_number(kind, wrong):
    with pytest.raises(ValueError, match="expected"):
        kind.read(wrong)


@pytest.mark.parametrize("kind", [COUNT, Seconds(), Size(), Switch(), CHOICE, Host(), FieldValue()])
@pytest.mark.parametrize("wrong", ["x\ny", " 7", "7 ", "7\n", "٣", "café", [], {}, b"1", 1j])
def test_nothing_odd_is_taken_for_a_value(kind, wrong):
    with pytest.raises(ValueError, match=r"\Aexpected [^\n]+, got [^\n]+\Z"):
        kind.read(wrong)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (COUNT, "65536"),
        (COUNT, -1),
        (COUNT, True),
        (COUNT, 1.0),
        (COUNT, ""),
        (COUNT, "1" * 5000),
        (Count(), "0"),
        (Count(), 2**31),
        (Seconds(), "0"),
        (Seconds(), 0),
        (Seconds(), True),
        (Seconds(), float("nan")),
        (Seconds(), float("inf")),
        (Seconds(), 86_401),
        (Seconds(), "5m"),
        (Seconds(), ""),
        (Size(), "0"),
        (Size(), "64kB"),
        (Size(), "1.5k"),
        (Size(), 1.5),
        (Size(), True),
        (Size(16), "15"),
        (Switch(), "maybe"),
        (Switch(), 1),
        (Switch(), ""),
        (CHOICE, "verbose"),
        (CHOICE, 3),
        (Host(), ""),
        (Host(), "a b"),
        (Host(), 7),
        (Host(), "localhost:80"),
        (Host(), "http://localhost"),
        (FieldValue(), " a"),
        (FieldValue(), "a\r\nSet-Cookie: x"),
        (FieldValue(), 3),
    ],
)
def test_value_out_of_range_is_refused(kind, wrong):
    with pytest.raises(ValueError, match=r"\Aexpected [^\n]+, got [^\n]+\Z"):
        kind.read(wrong)


def test_message_says_what_is_accepted():
    with pytest.raises(ValueError) as caught:
        COUNT.read("eighty")

    assert str(caught.value) == "expected a whole number from 0 to 65535, got 'eighty'"


def test_message_stays_short_however_long_the_value():
    with pytest.raises(ValueError) as caught:
        COUNT.read("x" * 10_000)

    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (COUNT, 80, "80"),
        (Seconds(), 15.0, "15 s"),
        (Seconds(), 0.25, "0.25 s"),
        (Seconds(zero=True), 0.0, "0 s"),
        (Size(), 2**20, "1 MiB"),
        (Size(), 3 * 2**30, "3 GiB"),
        (Size(), 65_536, "64 KiB"),
        (Size(), 8190, "8190 B"),
        (Size(0), 0, "0 B"),
        (Size(0, "B/s"), 240, "240 B/s"),
        (Size(0, "B/s"), 2048, "2 KiB/s"),
        (Switch(), True, "on"),
        (Switch(), False, "off"),
        (CHOICE, "info", "info"),
        (Host(), "::1", "::1"),
        (FieldValue(), None, "none"),
        (FieldValue(), "penstock", "penstock"),
    ],
)
def test_value_is_shown_with_its_unit(kind, value, shown):
    assert kind.show(value) == shown


@pytest.mark.parametrize("value", [0.1, 15.0, 86_400.0, 0.000_001])
def test_seconds_shown_can_be_read_again(value):
    assert Seconds().read(repr(value) if "e" not in repr(value) else f"{value:f}") == value


@pytest.mark.parametrize("value", [1, 1000, 1024, 2**20, 2**30, 2**40])
def test_size_shown_can_be_read_again(value):
    assert Size().read(Size().show(value)) == value
