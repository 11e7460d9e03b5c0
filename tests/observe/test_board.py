"""Shared memory in which a writer may die at any instruction."""

from __future__ import annotations

import os
import signal
import time

import pytest

from penstock.observe.board import Board


@pytest.fixture
def slot():
    return Board(1000, 1000).slots[1]


def test_nothing_is_told_at_first(slot):
    assert slot.read() is None


@pytest.mark.parametrize("octets", [b"", b"one", bytes(range(256)), b"x" * 1000])
def test_what_was_told_last_is_read(slot, octets):
    slot.write(b"before")
    slot.write(octets)

    assert slot.read() == octets


def test_more_than_fits_is_refused_and_what_was_told_stays(slot):
    slot.write(b"before")

    with pytest.raises(ValueError, match="1001 octets do not fit into 1000"):
        slot.write(b"x" * 1001)

    assert slot.read() == b"before"


def test_slots_do_not_touch_each_other():
    slots = Board(10, 20, 30).slots
    for number, slot in enumerate(slots):
        for _ in range(3):
            slot.write(bytes([number]) * slot.capacity)

    assert [slot.read() for slot in slots] == [bytes(10), b"\1" * 20, b"\2" * 30]


def test_what_is_cleared_is_gone(slot):
    slot.write(b"one")
    slot.write(b"two")
    slot.clear()

    assert slot.read() is None
    slot.write(b"three")
    assert slot.read() == b"three"


@pytest.mark.parametrize("at", range(20))
def test_a_half_that_is_not_whole_is_passed_over(slot, at):
    slot.write(b"older")
    slot.write(b"newer")
    newer = max(slot._halves, key=lambda half: half[0])
    newer[at] ^= 0x55

    assert slot.read() in (b"older", b"newer")  # an octet beyond the end belongs to nothing


def test_no_reader_sees_half_of_what_a_process_tells_and_its_last_word_outlives_it(slot):
    slot.write(b"0" * 10)
    child = os.fork()
    if not child:
        try:
            number = 0
            while True:
                number = (number + 1) % 1000
                slot.write(b"%d," % number * (1 + number % 200))
        finally:
            os._exit(1)
    try:
        seen = set()
        end = time.monotonic() + 20
        while len(seen) < 50:
            assert time.monotonic() < end
            told = slot.read()
            if told is not None:  # three looks in a row met a writing
                assert len(set(told.rstrip(b",").split(b","))) == 1
                seen.add(told)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert slot.read() is not None
