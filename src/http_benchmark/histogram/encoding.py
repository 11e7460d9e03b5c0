"""Histograms as text, in HdrHistogram's V2 format: base64 of a zlib-compressed list of counts.

Every HdrHistogram library, plotter and log reads it. Counts are ZigZag LEB128 numbers in the order of the
buckets; a negative one is a run of so many empty buckets. What is written has a unit of one nanosecond and
two significant figures, as ours; what is read may have any. The format holds counts only: after `from_v2`
least and greatest are the edges of their buckets (0.8 %), sum and deviation those of their middles (0.4 %).
A text may come from anywhere: it costs at most `PAYLOAD_LIMIT` octets, and BadHistogram says why it is none.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import BadHistogram
from http_benchmark.histogram.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN: Final = 0x1C849303
COMPRESSED: Final = 0x1C849304
_WORD_SIZE: Final = 0x10  # both cookies carry it in these four bits, and 1 means LEB128
HOUR_NS: Final = 3_600 * 10**9
PAYLOAD_LIMIT: Final = 1 << 20  # two figures over all of 64 bits are 7,424 counters of at most 9 octets
_ENVELOPE: Final = struct.Struct(">II")  # cookie, length
# cookie, length of the counts, normalising offset, significant figures, lowest, highest, ratio of units
_HEADER: Final = struct.Struct(">IIiIQQd")
_MOST: Final = 1 << 63


def to_v2(histogram: Histogram) -> str:
    """Return the counts as text. Values above 2**63 ns, 292 years, cannot be written.

    >>> to_v2(Histogram([20_000_000] * 3))[:8]
    'HISTFAAA'
    """
    counts = bytearray()
    past = 0
    for index in sorted(histogram.counts):
        if not (count := histogram.counts[index]):
            continue
        if index > past:
            counts += _to_leb128(past - index)
        counts += _to_leb128(count)
        past = index + 1
    highest = max(HOUR_NS, histogram.max_ns)
    if highest >= _MOST:
        raise BadHistogram(f"a value of {highest} ns is more than HdrHistogram's format can hold")
    header = _HEADER.pack(PLAIN | _WORD_SIZE, len(counts), 0, 2, 1, highest, 1.0)
    packed = zlib.compress(header + counts)
    return base64.b64encode(_ENVELOPE.pack(COMPRESSED | _WORD_SIZE, len(packed)) + packed).decode()


def from_v2(text: str) -> Histogram:
    """Return the histogram a text holds; BadHistogram says why it holds none.

    >>> from_v2(to_v2(Histogram([20_000_000] * 3))).total
    3
    """
    payload = _unwrap(text)
    if len(payload) < _HEADER.size:
        raise BadHistogram("this is no histogram: its header is cut off")
    _, length, offset, figures, lowest, highest, ratio = _HEADER.unpack_from(payload)
    if length != len(payload) - _HEADER.size:
        raise BadHistogram(f"this is no histogram: {length} octets of counts were promised")
    if not (1 <= figures <= 5 and 1 <= lowest <= highest // 2 and highest < _MOST):
        raise BadHistogram(f"this is no histogram: {lowest} to {highest} with {figures} figures")
    if offset or ratio not in {0.0, 1.0}:
        raise BadHistogram("this histogram is shifted or of fractions; only whole numbers can be read")
    layout = _Layout(figures, lowest, highest)
    found = Histogram()
    edges = (0, 0)
    for index, count in _counts(payload[_HEADER.size :], layout.length):
        edges = layout.edges_of(index)
        least = found.min_ns if found.total else edges[0]
        found.record(sum(edges) // 2, count)
        found.min_ns = least
    found.max_ns = edges[1]
    if found.total >= _MOST:
        raise BadHistogram(f"this is no histogram: {found.total} values")
    return found


class _Layout:
    """Where the buckets of a histogram of any figures and unit lie."""

    def __init__(self, figures: int, lowest: int, highest: int) -> None:
        self.unit = lowest.bit_length() - 1
        self.sub_bits = (2 * 10**figures - 1).bit_length() - 1
        octaves = max(1, highest.bit_length() - self.unit - self.sub_bits)
        self.length = (octaves + 1) << self.sub_bits

    def edges_of(self, index: int) -> tuple[int, int]:
        """Return the least and the greatest value of a bucket."""
        octave = max(0, (index >> self.sub_bits) - 1)
        low = (index - (octave << self.sub_bits)) << (octave + self.unit)
        return low, low + (1 << (octave + self.unit)) - 1


def _unwrap(text: str) -> bytes:
    """Return header and counts: taken out of base64 and, where it is compressed, of zlib."""
    try:
        octets = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadHistogram("this is no histogram: it is not base64") from None
    if len(octets) < _ENVELOPE.size:
        raise BadHistogram("this is no histogram: it is cut off")
    cookie, length = _ENVELOPE.unpack_from(octets)
    if cookie & ~0xF0 == PLAIN:
        return octets[:PAYLOAD_LIMIT]
    if cookie & ~0xF0 != COMPRESSED:
        raise BadHistogram(f"this is no histogram of HdrHistogram's V2 format: it begins with {cookie:#x}")
    packed = octets[_ENVELOPE.size :]
    if length != len(packed):
        raise BadHistogram(f"this is no histogram: {length} octets were promised, {len(packed)} are there")
    inflater = zlib.decompressobj()
    try:
        payload = inflater.decompress(packed, PAYLOAD_LIMIT)
    except zlib.error:
        raise BadHistogram("this is no histogram: its compressed part is damaged") from None
    if not inflater.eof or inflater.unused_data:
        raise BadHistogram("this is no histogram: it is cut off, or far too large")
    if len(payload) < 4 or int.from_bytes(payload[:4]) & ~0xF0 != PLAIN:
        raise BadHistogram("this is no histogram: what is compressed in it is something else")
    return payload


def _counts(octets: bytes, length: int) -> Iterator[tuple[int, int]]:
    """Yield the buckets that hold something, with how much."""
    index = at = 0
    while at < len(octets):
        number, at = _from_leb128(octets, at)
        if number > 0:
            if index >= length:
                break
            yield index, number
        index += -number if number < 0 else 1
        if index > length:
            break
    else:
        return
    raise BadHistogram("this is no histogram: it has more buckets than its header says")


def _to_leb128(number: int) -> bytes:
    """Seven bits an octet, the lowest first; the ninth octet, which is the last, has eight."""
    if not -_MOST <= number < _MOST:
        raise BadHistogram(f"a count of {number} is more than HdrHistogram's format can hold")
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    octets = bytearray()
    while rest > 0x7F and len(octets) < 8:
        octets.append(rest & 0x7F | 0x80)
        rest >>= 7
    octets.append(rest)
    return bytes(octets)


def _from_leb128(octets: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and where the next one begins."""
    rest = 0
    for position, octet in enumerate(octets[at : at + 9]):
        if position == 8:
            rest |= octet << 56
        else:
            rest |= (octet & 0x7F) << 7 * position
        if octet < 0x80 or position == 8:
            return (rest >> 1) ^ -(rest & 1), at + position + 1
    raise BadHistogram("this is no histogram: its counts are cut off")
