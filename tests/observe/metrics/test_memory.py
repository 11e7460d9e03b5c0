"""Areas: whole entries whenever the writer is stopped, one count for each increment, and nothing twice."""

import subprocess
import sys
import threading

from penstock.observe.metrics.folding import add_area
from penstock.observe.metrics.memory import (
    AREA_BYTES,
    BEGUN,
    BLOCK_WORDS,
    COUNTER,
    FAMILY,
    GAUGE,
    HISTOGRAM,
    SERIES_LIMIT,
    Area,
    Areas,
)


def counted(area):
    return {entry.key: area.words[entry.first] for entry in area.entries() if entry.size}


def test_what_is_appended_is_read_with_its_words():
    area = Area()

    first = area.append(COUNTER, b"a", 2)
    block = area.append(HISTOGRAM, b"b", BLOCK_WORDS)
    second = area.append(COUNTER, b"c", 2)
    area.append(FAMILY, b"f", 0)
    area.words[first] += 3
    area.words[block + 463] += 5

    assert [(entry.kind, entry.key) for entry in area.entries()] == [
        (COUNTER, b"a"),
        (HISTOGRAM, b"b"),
        (COUNTER, b"c"),
        (FAMILY, b"f"),
    ]
    assert counted(area) == {b"a": 3, b"b": 0, b"c": 0}
    assert block % BLOCK_WORDS == 0 and second == first + 2


def test_entries_are_found_by_others_who_look_again_and_again():
    memory = memoryview(bytearray(AREA_BYTES))
    writer, reader = Area(memory), Area(memory)

    found = []
    for name in (b"a", b"bb", b"ccc"):
        writer.append(COUNTER, name, 2)
        found.append([entry.key for entry in reader.entries()])

    assert found == [[b"a"], [b"a", b"bb"], [b"a", b"bb", b"ccc"]]


def test_an_entry_that_is_not_written_whole_is_not_there_yet():
    memory = memoryview(bytearray(AREA_BYTES))
    writer, reader = Area(memory), Area(memory)
    writer.append(COUNTER, b"whole", 2)
    used = writer.head[0]
    writer.append(COUNTER, b"half", 2)
    entry = bytes(memory[used : writer.head[0]])

    for size in range(len(entry)):
        if any(entry[size:]):  # what is missing is more than padding
            memory[used : writer.head[0]] = entry[:size] + bytes(len(entry) - size)
            assert [entry.key for entry in reader.entries()] == [b"whole"]

    memory[used : writer.head[0]] = entry
    assert [entry.key for entry in reader.entries()] == [b"whole", b"half"]


def test_an_area_has_room_for_so_many_series_and_a_reserve():
    area = Area()

    firsts = [area.append(COUNTER, b"%d" % number, 2) for number in range(SERIES_LIMIT + 1)]

    assert firsts[-1] == -1 and -1 not in firsts[:-1]
    assert area.append(COUNTER, b"other", 2, is_reserved=True) >= 0
    assert len(area.entries()) == SERIES_LIMIT + 1


def test_every_series_of_a_full_area_has_words_of_its_own():
    area = Area()

    blocks = [area.append(HISTOGRAM, b"%d" % number, BLOCK_WORDS) for number in range(SERIES_LIMIT)]
    for number, first in enumerate(blocks):
        area.words[first] = area.words[first + BLOCK_WORDS - 1] = number

    assert [area.words[first] for first in blocks] == list(range(SERIES_LIMIT))


def test_long_keys_fill_the_directory_and_leave_the_reserve_its_room():
    area = Area()

    number = 0
    while area.append(COUNTER, b"%04d" % number * 250, 2) >= 0:
        number += 1

    assert 100 < number < SERIES_LIMIT
    assert area.append(COUNTER, b"other", 2, is_reserved=True) >= 0
    assert area.append(COUNTER, b"x" * 70_000, 2) == -1


def test_an_emptied_area_begins_anew():
    memory = memoryview(bytearray(AREA_BYTES))
    area, reader = Area(memory), Area(memory)
    area.begin(7, 1.5)
    area.words[area.append(COUNTER, b"a", 2)] += 1
    area.head[BEGUN] += 1
    assert (reader.pid, reader.started, counted(reader)) == (7, 1.5, {b"a": 1})

    area.clear()

    assert (reader.pid, reader.started, counted(reader), reader.head[BEGUN]) == (0, 0.0, {}, 0)
    area.append(COUNTER, b"b", 2)
    assert counted(reader) == {b"b": 0}


def test_folding_adds_counts_and_leaves_gauges_out():
    past, area = Area(), Area()
    for each in (past, area):
        each.append(FAMILY, b"{}", 0)
        first = each.append(COUNTER, b'["a"]', 2)
        each.words[first] = 2
        each.doubles[first + 1] = 0.5
        block = each.append(HISTOGRAM, b'["h"]', BLOCK_WORDS)
        each.words[block + 3] = 2**40
        each.head[BEGUN] = 4
    area.append(GAUGE, b'["g"]', 2)
    area.words[area.append(COUNTER, b'["new"]', 2)] = 9

    add_area(past, area)

    found = {entry.key: entry for entry in past.entries()}
    assert counted(past) == {b'["a"]': 4, b'["h"]': 0, b'["new"]': 9}
    assert past.doubles[found[b'["a"]'].first + 1] == 1.0
    assert past.words[found[b'["h"]'].first + 3] == 2**41
    assert past.head[BEGUN] == 8
    assert [entry.key for entry in past.entries()].count(b"{}") == 1


def test_folding_into_a_full_area_counts_the_rest_as_other():
    past, area = Area(), Area()
    for number in range(SERIES_LIMIT):
        past.append(COUNTER, b'["a","%d"]' % number, 2)
        area.words[area.append(COUNTER, b'["a","%d"]' % (number + 1000), 2)] = 1

    add_area(past, area)
    add_area(past, area)

    assert counted(past)[b'["a","other"]'] == 2000
    assert sum(counted(past).values()) == 2 * SERIES_LIMIT


def test_places_are_areas_of_their_own_as_far_as_there_are():
    areas = Areas(2)
    areas.reserve(2)

    assert areas.taken() == []
    one, two = areas.get(1), areas.get(2)
    two.begin(5, 1.0)

    assert areas.get(0) is None and areas.get(3) is None
    assert one is not two and one is not areas.past
    assert areas.taken() == [(2, two)]


def test_readers_wait_for_the_end_of_a_fold():
    areas = Areas(1)
    before = areas.sequence()
    found = []
    with areas.folding():
        thread = threading.Thread(target=lambda: found.append(areas.sequence()))
        thread.start()
        assert found == []
    thread.join()

    assert found == [before + 2]


def test_a_fold_that_never_ends_keeps_nobody(monkeypatch):
    monkeypatch.setattr("penstock.observe.metrics.memory._PATIENCE_S", 0.01)
    areas = Areas(1)

    with areas.folding():
        assert areas.sequence() % 2 == 1


def test_a_killed_process_leaves_every_increment_it_has_told_of():
    """In processes of their own: one that has threads is not to fork."""
    program = """
import os, signal
from penstock.observe.metrics.memory import COUNTER, Areas
areas = Areas(1)
receive, send = os.pipe()
pid = os.fork()
if not pid:
    area = areas.get(1)
    area.begin(os.getpid(), 1.0)
    first = area.append(COUNTER, b"a", 2)
    while True:
        area.words[first] += 1
        os.write(send, b".")
os.close(send)
told = 0
while told < 2000:
    told += len(os.read(receive, 100))
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
while octets := os.read(receive, 65536):
    told += len(octets)
area = areas.get(1)
print(told, area.words[area.entries()[0].first])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    told, counted_up = map(int, done.stdout.split())
    assert told >= 2000
    assert counted_up in (told, told + 1)
