"""The PROXY protocol: every header whole and in pieces, and everything else refused in one way."""

import doctest
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import RemoteProtocolError
from penstock.wire import proxy_protocol as module
from penstock.wire.proxy_protocol import ProxyHeader, ProxyReader

# hypothesis compares octets with numbers while it shrinks, which `python -bb` forbids us, not it.
pytestmark = pytest.mark.filterwarnings("ignore::BytesWarning:hypothesis.*")

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\n\r\n"
INET = IPv4Address("192.0.2.1").packed + IPv4Address("192.0.2.2").packed + b"\xdc\x04\x01\xbb"
INET6 = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + b"\xdc\x04\x01\xbb"
UNIX = b"/run/a.sock".ljust(108, b"\0") + b"/run/b.sock".ljust(108, b"\0")


def version_2(command: int, family: int, block: bytes = b"") -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + len(block).to_bytes(2, "big") + block


def tlv(type_: int, value: bytes) -> bytes:
    return bytes([type_]) + len(value).to_bytes(2, "big") + value


def read(octets: bytes, *cuts: int) -> ProxyHeader | None:
    """Feed the octets cut at these places; what comes behind the header belongs to `rest`."""
    reader = ProxyReader()
    places = [0, *sorted(cuts), len(octets)]
    for start, stop in pairwise(places):
        header = reader.feed(octets[start:stop])
        if header is not None:
            return header._replace(rest=header.rest + octets[stop:])
    return None


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


V4 = ("192.0.2.1", 56324), ("192.0.2.2", 443)
V6 = ("2001:db8::1", 56324), ("2001:db8::2", 443)
LONGEST = b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

HEADERS = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", *V4, ()),
    (
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        ("255.255.255.255", 65535),
        ("255.255.255.255", 65535),
        (),
    ),
    (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ("0.0.0.0", 0), ("0.0.0.0", 0), ()),
    (b"PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 56324 443\r\n", *V6, ()),
    (
        b"PROXY TCP6 %b %b 65535 65535\r\n" % (LONGEST, LONGEST),
        (LONGEST.decode(), 65535),
        (LONGEST.decode(), 65535),
        (),
    ),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 56324 443\r\n", *V4, ()),
    (b"PROXY UNKNOWN\r\n", None, None, ()),
    (b"PROXY UNKNOWN what \xff\x00 ever\r\n", None, None, ()),
    (b"PROXY UNKNOWN %b %b 65535 65535\r\n" % (LONGEST, LONGEST), None, None, ()),
    (version_2(0, 0), None, None, ()),
    (version_2(0, 0x11, INET), None, None, ()),
    (version_2(0, 0xFF, b"\xff" * 9), None, None, ()),  # LOCAL: family and block are ignored
    (version_2(1, 0x11, INET), *V4, ()),
    (version_2(1, 0x21, INET6), *V6, ()),
    (
        version_2(
            1,
            0x21,
            IPv6Address("::ffff:192.0.2.1").packed + IPv6Address("::ffff:192.0.2.2").packed + INET[8:],
        ),
        *V4,
        (),
    ),
    (version_2(1, 0x31, UNIX), b"/run/a.sock", b"/run/b.sock", ()),
    (version_2(1, 0x31, b"a" * 216), b"a" * 108, b"a" * 108, ()),
    (version_2(1, 0x31, bytes(216)), b"", b"", ()),
    (version_2(1, 0x00), None, None, ()),
    (version_2(1, 0x00, b"\xff" * 9), None, None, ()),
    (version_2(1, 0x12, INET), None, None, ()),  # datagrams: not this connection
    (version_2(1, 0x10, INET), None, None, ()),
    (version_2(1, 0x01, b""), None, None, ()),
    (
        version_2(1, 0x11, INET + tlv(4, b"") + tlv(2, b"example.org") + tlv(0xE0, b"\0\r\n")),
        *V4,
        ((4, b""), (2, b"example.org"), (0xE0, b"\0\r\n")),
    ),
    (version_2(1, 0x11, INET + tlv(4, bytes(4_096 - 16 - 12 - 3))), *V4, ((4, bytes(4_065)),)),
]


@pytest.mark.parametrize(("octets", "source", "destination", "tlvs"), HEADERS)
@pytest.mark.parametrize("rest", [b"", GET, SIGNATURE, b"PROXY UNKNOWN\r\n"])
def test_a_header_cut_anywhere(octets, source, destination, tlvs, rest) -> None:
    expected = ProxyHeader(source, destination, tlvs, rest)
    whole = octets + rest

    assert read(whole) == expected
    assert read(whole, *range(1, len(whole))) == expected
    for cut in range(1, min(len(whole), 300)):
        assert read(whole, cut) == expected


@pytest.mark.parametrize("octets", [header[0] for header in HEADERS])
def test_a_header_without_its_end_is_none(octets: bytes) -> None:
    for end in range(min(len(octets), 300)):
        assert read(octets[:end]) is None


@pytest.mark.parametrize(
    "octets",
    [
        GET,
        b"\x00",
        b"\x16\x03\x01",  # TLS
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b" PROXY UNKNOWN\r\n",
        b"\r\nPROXY UNKNOWN\r\n",
        b"PROPFIND / HTTP/1.1\r\n",
        b"PROXY\tTCP4",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
        b"PROXY UNKNOWN a\rb\r\n",
        b"PROXY UNKNOWN a\nb\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 [::1] [::2] 1 2\r\n",
        b"PROXY TCP6 ::1%eth0 ::2 1 2\r\n",
        b"PROXY TCP6 :::1 ::2 1 2\r\n",
        b"PROXY TCP6 g::1 ::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 00 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1_0 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 \xd9\xa1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 100000 2\r\n",
        b"PROXY UNKNOWN " + b"a" * 92 + b"\r\n",  # 108 octets
        b"PROXY UNKNOWN" + b" " * 94,
        SIGNATURE[:-1] + b"\x00",
        SIGNATURE[:4] + b"GET",
        version_2(2, 0x11, INET),
        version_2(0xF, 0x11, INET),
        SIGNATURE + b"\x11\x11\x00\x0c" + INET,  # version 1 in binary
        SIGNATURE + b"\x31\x11\x00\x0c" + INET,
        SIGNATURE + b"\x31",  # told at once
        version_2(1, 0x41, INET),
        version_2(1, 0xF1, INET),
        version_2(1, 0x13, INET),
        version_2(1, 0x03),
        version_2(1, 0x11, INET[:-1]),
        version_2(1, 0x11),
        version_2(1, 0x21, INET6[:-1]),
        version_2(1, 0x31, UNIX[:-1]),
        version_2(1, 0x11, INET + b"\x04"),
        version_2(1, 0x11, INET + b"\x04\x00"),
        version_2(1, 0x11, INET + b"\x04\x00\x01"),
        version_2(1, 0x11, INET + tlv(4, b"ab")[:-1]),
        version_2(1, 0x11, INET + tlv(4, b"") + b"\x04"),
        version_2(1, 0x11, INET + b"\x04\xff\xff"),
        version_2(1, 0x11, INET + tlv(3, b"\0\0\0\0")),  # a wrong checksum
        version_2(1, 0x11, INET + tlv(3, b"")),
        version_2(1, 0x11, INET + tlv(3, bytes(5))),
        SIGNATURE + b"\x21\x11\x0f\xf1",  # one octet more than 4096
        SIGNATURE + b"\x20\x00\xff\xff",
    ],
)
def test_anything_else_is_refused(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as whole:
        read(octets)
    with pytest.raises(RemoteProtocolError) as in_pieces:
        read(octets, *range(1, len(octets)))

    assert whole.value.status == in_pieces.value.status == 400


def test_what_is_no_header_is_refused_at_its_first_octet() -> None:
    for octet in range(256):
        if octet in b"P\r":
            continue
        with pytest.raises(RemoteProtocolError):
            ProxyReader().feed(bytes([octet]))


def test_the_limit_can_be_set() -> None:
    octets = version_2(1, 0x11, INET + tlv(4, bytes(5_000)))

    with pytest.raises(RemoteProtocolError, match="the limit is 4096"):
        ProxyReader().feed(octets)
    assert ProxyReader(8_192).feed(octets) is not None


def with_checksum(before: bytes = b"", behind: bytes = b"") -> bytes:
    blank = version_2(1, 0x11, INET + before + tlv(3, bytes(4)) + behind)
    at = 16 + 12 + len(before) + 3
    return blank[:at] + module._crc32c(blank).to_bytes(4, "big") + blank[at + 4 :]


def test_a_checksum_holds_for_the_whole_header() -> None:
    octets = with_checksum(tlv(2, b"example.org"), tlv(4, b"x"))

    header = read(octets + GET)

    assert header is not None
    assert header.source == V4[0] and header.rest == GET
    type_at = 16 + len(INET) + len(tlv(2, b"example.org"))
    for at in range(16, len(octets)):
        if at == type_at:  # of another type it is no checksum
            continue
        changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
        with pytest.raises(RemoteProtocolError):
            read(changed + GET)


@pytest.mark.parametrize(
    ("octets", "crc"),
    [  # RFC 3720 appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_known_checksums(octets: bytes, crc: int) -> None:
    assert module._crc32c(octets) == crc


PORTS = st.integers(0, 65535)
PAIRS = st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)) | st.tuples(
    st.ip_addresses(v=6), st.ip_addresses(v=6)
)
TLVS = st.lists(
    st.tuples(st.integers(0, 255).filter(lambda type_: type_ != 3), st.binary(max_size=20)), max_size=4
)


def plain(address: IPv4Address | IPv6Address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


@settings(deadline=None)
@given(PAIRS, PORTS, PORTS, TLVS, st.binary(max_size=20), st.lists(st.integers(0, 150), max_size=4))
def test_a_header_survives_rendering_in_both_versions(
    pair, source_port, destination_port, tlvs, rest, cuts
) -> None:
    source, destination = pair
    expected = (plain(source), source_port), (plain(destination), destination_port)
    line = f"PROXY TCP{source.version} {source} {destination} {source_port} {destination_port}\r\n".encode()
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
    block = source.packed + destination.packed + ports + b"".join(tlv(*each) for each in tlvs)
    binary = version_2(1, 0x11 if source.version == 4 else 0x21, block)

    assert read(line + rest, *(cut for cut in cuts if cut <= len(line + rest))) == (*expected, (), rest)
    assert read(binary + rest, *(cut for cut in cuts if cut <= len(binary + rest))) == (
        *expected,
        tuple(tlvs),
        rest,
    )


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.binary(max_size=60).map(SIGNATURE.__add__)
    | st.binary(max_size=60).map((SIGNATURE + b"\x21\x11\x00\x10").__add__)
    | st.binary(max_size=120).map(b"PROXY ".__add__)
    | st.text("TCP46UNKNOW 0123456789.:abcf\r\n", max_size=110).map(lambda text: b"PROXY " + text.encode()),
    st.data(),
)
def test_noise_is_a_header_or_refused_and_the_cut_never_matters(octets: bytes, data: st.DataObject) -> None:
    def verdict(*cuts: int) -> object:
        try:
            return read(octets, *cuts)
        except RemoteProtocolError as error:
            return error.status

    whole = verdict()

    assert verdict(*range(1, len(octets))) == whole
    assert verdict(data.draw(st.integers(0, len(octets)))) == whole
    if isinstance(whole, ProxyHeader) and isinstance(whole.source, tuple):
        assert str(ip_address(whole.source[0])) == whole.source[0]
