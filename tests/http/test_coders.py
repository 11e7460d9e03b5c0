"""Coders: whole contents and streams of them, whatever the split; a bound on their memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import MissingExtra
from penstock.http import coders
from penstock.http.coders import LEVELS, available, check_coding, check_level, compress, make_coder
from tests.codings import CODINGS, Decoder, decode, need_coding

coding_of_each = pytest.mark.parametrize("coding", CODINGS)


@coding_of_each
@given(content=st.binary(max_size=3000), times=st.integers(1, 30))
def test_a_content_comes_back(coding: str, content: bytes, times: int):
    need_coding(coding)
    assert decode(coding, compress(coding, content * times, LEVELS[coding])) == content * times


@coding_of_each
@pytest.mark.parametrize("size", [1, 250, 251, 16_121, 16_122, 16_123, 32_767, 32_768, 300_000])
def test_a_content_comes_back_at_the_edges_of_windows(coding: str, size: int):
    need_coding(coding)
    content = (b"0123456789" * (size // 10 + 1))[:size]

    assert decode(coding, compress(coding, content, LEVELS[coding])) == content


@coding_of_each
@given(pieces=st.lists(st.binary(min_size=1, max_size=500), max_size=20))
def test_each_piece_of_a_stream_can_be_read_when_it_arrives(coding: str, pieces: list[bytes]):
    need_coding(coding)
    coder, decoder = make_coder(coding, LEVELS[coding]), Decoder(coding)

    decoded = [decoder.decode(coder.code(piece)) for piece in pieces]
    rest = decoder.decode(coder.finish())

    assert decoded == pieces
    assert rest == b""
    assert decoder.is_over


@coding_of_each
@given(pieces=st.lists(st.binary(min_size=1, max_size=500), max_size=10), size=st.integers(1, 7))
def test_a_stream_comes_back_however_its_octets_are_split(coding: str, pieces: list[bytes], size: int):
    need_coding(coding)
    coder, decoder = make_coder(coding, LEVELS[coding]), Decoder(coding)

    octets = b"".join([*map(coder.code, pieces), coder.finish()])
    split = [octets[at : at + size] for at in range(0, len(octets), size)]

    assert b"".join(map(decoder.decode, split)) == b"".join(pieces)
    assert decoder.is_over


@coding_of_each
def test_long_streams_come_back(coding: str):
    need_coding(coding)
    coder, decoder = make_coder(coding, LEVELS[coding]), Decoder(coding)
    pieces = [f"{number * 7919:x} ".encode() * 999 for number in range(300)]

    assert [decoder.decode(coder.code(piece)) for piece in pieces] == pieces


MEMORY = """
import os, sys
from penstock.http.coders import LEVELS, make_coder

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

coding = sys.argv[1]
pieces = [b"%d: %x %x\\n" % (n, n * 7919, n * 104729) * 20 for n in range(400)]
for _ in range(5):
    [make_coder(coding, LEVELS[coding]).code(piece) for piece in pieces]
before = resident()
kept = [make_coder(coding, LEVELS[coding]) for _ in range(40)]
for coder in kept:
    for piece in pieces:
        coder.code(piece)
print((resident() - before) // 40)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@coding_of_each
def test_a_stream_holds_less_than_half_a_mebibyte(coding: str):
    need_coding(coding)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, coding], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": "src"},
    )  # fmt: skip

    assert int(done.stdout) < 512 * 1024


def test_the_best_comes_first_and_gzip_is_always_there():
    assert available()[-1] == "gzip"
    assert list(available()) == [coding for coding in CODINGS if coding in available()]


@pytest.mark.parametrize(
    ("coding", "level"), [("gzip", 0), ("gzip", 10), ("br", 12), ("zstd", 20), ("lzma", 1)]
)
def test_a_level_that_does_not_exist_is_refused(coding: str, level: int):
    with pytest.raises(ValueError, match="expected"):
        check_level(coding, level)


def test_a_coding_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(coders._MODULES, "br", ("no_such_module",))
    coders._module.cache_clear()
    try:
        with pytest.raises(MissingExtra, match=r"penstock\[compression\]"):
            check_coding("br")
    finally:
        coders._module.cache_clear()
    with pytest.raises(ValueError, match="lzma"):
        check_coding("lzma")
