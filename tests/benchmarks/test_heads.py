import pytest

from benchmarks import head
from benchmarks.heads import SIZES, make_head
from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.reader import RequestReader, grammar_for


@pytest.mark.parametrize("octets", SIZES)
def test_a_head_has_its_size_whatever_its_numbers(octets):
    assert {len(make_head(octets, target=number, field=number)) for number in (0, 7, 99_999)} == {octets}


@pytest.mark.parametrize("octets", SIZES)
def test_every_subject_at_hand_reads_the_same(octets):
    head.check(
        {name: parse for name, parse in head.SUBJECTS.items() if name not in head.PEERS},
        make_head(octets, field=3),
    )


def test_a_wrong_reading_stops_the_benchmark():
    with pytest.raises(SystemExit, match="liar reads"):
        head.check({"liar": lambda _: (b"GET", b"/", [])}, make_head(40))


@pytest.mark.parametrize("case", ["new target", "new fields"])
def test_what_is_called_new_is_never_found_among_what_the_reader_keeps(case):
    heads = list(map(bytes, head.make_heads(40)[case]))
    grammar_for.cache_clear()  # what other tests left
    grammar = grammar_for(Limits(), STANDARD_METHODS)
    read = RequestReader().next_request
    found = 0
    for octets in heads * 2:
        found += octets in grammar.heads
        found += case == "new fields" and octets.split(b" ", 2)[2] in grammar.rests
        read(octets)

    assert len(set(heads)) == len(heads) == head.DISTINCT
    assert found == 0
