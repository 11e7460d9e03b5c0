"""HdrHistogram's V2 format, against the library `hdrhistogram` in both directions."""

from __future__ import annotations

import base64
import struct
import tracemalloc
import zlib

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.errors import BadHistogram
from http_benchmark.histogram.encoding import HOUR_NS, from_v2, to_v2
from http_benchmark.histogram.histogram import Histogram, edges_of

counted = st.dictionaries(
    st.one_of(st.integers(0, 2_000), st.integers(0, HOUR_NS)), st.integers(1, 2**40), max_size=60
)


def ours(values):
    histogram = Histogram()
    for value, count in values.items():
        histogram.record(value, count)
    return histogram


def theirs(values, figures=2, lowest=1):
    histogram = HdrHistogram(lowest, HOUR_NS, figures)
    for value, count in values.items():
        assert histogram.record_value(value, count)
    return histogram


def counts_of(histogram):
    """Of the library's: by the greatest value of each bucket that holds something."""
    return {
        item.value_iterated_to: item.count_at_value_iterated_to for item in histogram.get_recorded_iterator()
    }


def our_counts(histogram):
    return {edges_of(index)[1]: count for index, count in histogram.counts.items()}


def packed(payload, cookie=0x1C849314):
    octets = zlib.compress(payload)
    return base64.b64encode(struct.pack(">II", cookie, len(octets)) + octets).decode()


def header(length=0, *, cookie=0x1C849313, offset=0, figures=2, lowest=1, highest=HOUR_NS, ratio=1.0):
    return struct.pack(">IIiIQQd", cookie, length, offset, figures, lowest, highest, ratio)


@given(counted)
def test_the_library_reads_what_we_write(values):
    histogram = ours(values)

    found = HdrHistogram.decode(to_v2(histogram))

    assert found.get_total_count() == histogram.total
    assert counts_of(found) == our_counts(histogram)


@given(counted)
def test_we_read_what_the_library_writes(values):
    found = from_v2(theirs(values).encode().decode())

    assert our_counts(found) == counts_of(theirs(values))
    assert found.counts == ours(values).counts


@given(counted)
def test_text_is_the_same_as_the_librarys(values):
    histogram = HdrHistogram.decode(theirs(values).encode())

    assert base64.b64decode(to_v2(ours(values)))[:4] == base64.b64decode(histogram.encode())[:4]
    assert zlib.decompress(base64.b64decode(to_v2(ours(values)))[8:]) == zlib.decompress(
        base64.b64decode(theirs(values).encode())[8:]
    )


@given(counted)
def test_counts_come_back_and_the_rest_is_near(values):
    histogram = ours(values)

    found = from_v2(to_v2(histogram))

    assert (found.counts, found.total) == (histogram.counts, histogram.total)
    assert found.min_ns == pytest.approx(histogram.min_ns, rel=0.008, abs=1)
    assert found.max_ns == pytest.approx(histogram.max_ns, rel=0.008, abs=1)
    assert found.mean_ns == pytest.approx(histogram.mean_ns, rel=0.0041, abs=1)
    assert to_v2(found) == to_v2(histogram) or found.max_ns > HOUR_NS


@pytest.mark.parametrize(("figures", "lowest"), [(1, 1), (3, 1), (4, 1), (2, 1000), (3, 1024)])
def test_other_figures_and_units_are_read(figures, lowest):
    values = {lowest * each**3: each for each in range(1, 200)}

    found = from_v2(theirs(values, figures, lowest).encode().decode())

    assert found.total == sum(values.values())
    exact = sum(value * count for value, count in values.items()) / found.total
    assert found.mean_ns == pytest.approx(exact, rel=0.05 if figures == 1 else 0.005)


def test_more_than_an_hour_can_be_written():
    histogram = Histogram([5, 40 * HOUR_NS])

    assert from_v2(to_v2(histogram)).counts == histogram.counts
    assert HdrHistogram.decode(to_v2(histogram)).get_total_count() == 2


def test_text_that_is_not_compressed_is_read():
    counts = b"\x05\x04"  # three empty buckets, two values of 3 ns
    text = base64.b64encode(header(len(counts)) + counts).decode()

    found = from_v2(text)

    assert (dict(found.counts), found.min_ns, found.max_ns) == ({3: 2}, 3, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "cut off", id="empty"),
        pytest.param("nonsense!", "not base64", id="no base64"),
        pytest.param("é", "not base64", id="no ASCII"),
        pytest.param(base64.b64encode(b"GIF89a..").decode(), "begins with 0x47494638", id="other format"),
        pytest.param(packed(b""), "something else", id="nothing inside"),
        pytest.param(packed(b"x" * 50), "something else", id="other cookie inside"),
        pytest.param(packed(header()[:-1]), "header is cut off", id="short header"),
        pytest.param(packed(header(9)), "9 octets of counts were promised", id="short counts"),
        pytest.param(packed(header(figures=9)), "with 9 figures", id="too many figures"),
        pytest.param(packed(header(lowest=0)), "0 to ", id="no unit"),
        pytest.param(packed(header(highest=1)), "1 to 1", id="no range"),
        pytest.param(packed(header(offset=1)), "shifted", id="shifted"),
        pytest.param(packed(header(ratio=0.5)), "fractions", id="fractions"),
        pytest.param(packed(header(3) + b"\xff" * 3), "counts are cut off", id="endless number"),
        pytest.param(packed(header(9) + b"\xff" * 8 + b"\x7f"), "more buckets", id="too long a run"),
        pytest.param(packed(header(1, highest=2) + b"\x02" * 2), "octets of counts", id="one octet more"),
        pytest.param(packed(header(400, highest=2) + b"\x02" * 400), "more buckets", id="too many buckets"),
    ],
)
def test_what_is_no_histogram_is_told(text, said):
    with pytest.raises(BadHistogram, match=said):
        from_v2(text)


@given(st.data())
def test_damaged_text_is_a_histogram_or_told(data):
    octets = bytearray(base64.b64decode(to_v2(Histogram([1, 50, 10**6, 10**9]))))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))

    for text in (base64.b64encode(octets).decode(), base64.b64encode(octets[:cut]).decode()):
        try:
            assert from_v2(text).total >= 0
        except BadHistogram:
            pass


@given(st.binary(max_size=80))
def test_any_counts_are_a_histogram_or_told(counts):
    try:
        assert from_v2(packed(header(len(counts)) + counts)).total >= 0
    except BadHistogram:
        pass


def test_a_bomb_costs_little_memory():
    text = packed(header(1 << 30) + bytes(64 << 20))
    tracemalloc.start()

    try:
        with pytest.raises(BadHistogram, match="far too large"):
            from_v2(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 << 20


@pytest.mark.parametrize("values", [{2**63: 1}, {1: 2**63}])
def test_what_the_format_cannot_hold_is_told(values):
    with pytest.raises(BadHistogram, match="more than HdrHistogram's format can hold"):
        to_v2(ours(values))
