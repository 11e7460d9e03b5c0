"""The PROXY protocol, versions 1 and 2, receiving (doc/proxy-protocol.txt of haproxy).

A proxy that passes a TCP connection on puts one header before its first octet, which says who connected to
it. The reader takes octets until the header is complete and hands back what follows. Whether a peer has to
send one is configuration, never a guess: a client that may choose could claim any address (§5 there).

Every octet is checked and nothing is skipped to find a header. Absent on purpose: writing headers, and the
meaning of type-length-values but for the checksum, which a receiver has to verify.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple, TypeAlias

from penstock.errors import RemoteProtocolError
from penstock.wire.grammar import parse_digits

Address: TypeAlias = tuple[str, int] | bytes
"""Host and port, or the path of a unix socket."""

_START = b"PROXY "
_LINE_BYTES = 107  # version 1, with its CR LF: what the specification calls always enough
_PORT = rb"(0|[1-9][0-9]{0,4}+)"
_TCP4 = re.compile(rb"PROXY TCP4 ([0-9.]{7,15}+) ([0-9.]{7,15}+) " + _PORT + rb" " + _PORT + rb"\r\n")
_TCP6 = re.compile(rb"PROXY TCP6 ([0-9A-Fa-f:.]{2,39}+) ([0-9A-Fa-f:.]{2,39}+) %b %b\r\n" % (_PORT, _PORT))
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*+)?+\r\n")

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED_BYTES = 16  # signature, version and command, family and protocol, length of the rest
_HEADER_BYTES = 4_096  # version 2, all of it; nginx 4096
_LOCAL, _PROXY = 0x20, 0x21  # version 2 and its two commands
_UNSPEC, _INET, _INET6, _UNIX = range(4)
_STREAM = 1
_ADDRESSES_BYTES = {_INET: 12, _INET6: 36, _UNIX: 216}
_PATH_BYTES = 108
_CRC32C = 0x03  # a type; the value is a checksum over the header with this value as zeros


class ProxyHeader(NamedTuple):
    """What the proxy said, and the octets behind it, which are the client's.

    Addresses are None where it speaks for itself (a health check) or cannot tell: use the connection's own.
    """

    source: Address | None
    destination: Address | None
    tlvs: tuple[tuple[int, bytes], ...]
    """Type and value of each, in order; version 2 only."""
    rest: bytes


class ProxyReader:
    r"""Reads the header of one connection; done when `feed` returns it.

    >>> reader = ProxyReader()
    >>> reader.feed(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324")
    >>> reader.feed(b" 443\r\nGET /")
    ProxyHeader(source=('192.0.2.1', 56324), destination=('192.0.2.2', 443), tlvs=(), rest=b'GET /')
    """

    __slots__ = ("_held", "_limit_bytes")

    def __init__(self, limit_bytes: int = _HEADER_BYTES) -> None:
        self._held = b""  # what came so far; never more than one header and one read
        self._limit_bytes = limit_bytes

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Return the header, or None: more octets wanted. RemoteProtocolError for anything but a header."""
        self._held += data
        held = self._held
        if held.startswith(_SIGNATURE):
            return self._read_version_2(held)
        if held.startswith(_START):
            return _read_version_1(held)
        if _SIGNATURE.startswith(held) or _START.startswith(held):
            return None
        raise RemoteProtocolError(400, f"expected a PROXY protocol header, not {held[:16]!r}")

    def _read_version_2(self, held: bytes) -> ProxyHeader | None:
        if len(held) > len(_SIGNATURE) and held[12] not in (_LOCAL, _PROXY):
            raise RemoteProtocolError(400, f"PROXY protocol: version and command 0x{held[12]:02x}")
        if len(held) < _FIXED_BYTES:
            return None
        size = _FIXED_BYTES + int.from_bytes(held[14:16], "big")
        if size > self._limit_bytes:
            limit = f"the limit is {self._limit_bytes}"
            raise RemoteProtocolError(400, f"PROXY protocol: a header of {size} octets; {limit}")
        if len(held) < size:
            return None
        header, rest = held[:size], held[size:]
        if held[12] == _LOCAL:
            return ProxyHeader(None, None, (), rest)
        return _read_addresses(header, rest)


def _read_version_1(held: bytes) -> ProxyHeader | None:
    end = held.find(b"\n", 0, _LINE_BYTES) + 1
    if not end:
        if len(held) >= _LINE_BYTES:
            raise RemoteProtocolError(400, f"PROXY protocol: no CR LF in {_LINE_BYTES} octets")
        return None
    line, rest = held[:end], held[end:]
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(None, None, (), rest)
    match = _TCP4.fullmatch(line) or _TCP6.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(400, f"PROXY protocol: malformed line {line!r}")
    source, destination, source_port, destination_port = match.groups()
    ipv6 = match.re is _TCP6
    return ProxyHeader(
        (_host(source.decode("ascii"), ipv6=ipv6), _port(source_port)),
        (_host(destination.decode("ascii"), ipv6=ipv6), _port(destination_port)),
        (),
        rest,
    )


def _read_addresses(header: bytes, rest: bytes) -> ProxyHeader:
    family, protocol = header[13] >> 4, header[13] & 0x0F
    if family > _UNIX or protocol > 2:
        raise RemoteProtocolError(400, f"PROXY protocol: family and protocol 0x{header[13]:02x}")
    if family == _UNSPEC or protocol != _STREAM:  # not of this connection: to be taken as unspecified
        return ProxyHeader(None, None, (), rest)
    at = _FIXED_BYTES
    end = at + _ADDRESSES_BYTES[family]
    if len(header) < end:
        raise RemoteProtocolError(400, f"PROXY protocol: {len(header) - at} octets of addresses")
    source: Address
    destination: Address
    if family == _UNIX:
        source = header[at : at + _PATH_BYTES].partition(b"\0")[0]
        destination = header[at + _PATH_BYTES : end].partition(b"\0")[0]
    else:
        ipv6 = family == _INET6
        ports = end - 4
        middle = (at + ports) // 2
        source = _host(header[at:middle], ipv6=ipv6), int.from_bytes(header[ports : ports + 2], "big")
        destination = _host(header[middle:ports], ipv6=ipv6), int.from_bytes(header[ports + 2 : end], "big")
    return ProxyHeader(source, destination, _read_tlvs(header, end), rest)


def _read_tlvs(header: bytes, at: int) -> tuple[tuple[int, bytes], ...]:
    """Return the type-length-values from `at` on; they fill the header, and a checksum among them holds."""
    tlvs = []
    while at < len(header):
        value = at + 3
        end = value + int.from_bytes(header[at + 1 : value], "big")
        if max(value, end) > len(header):
            raise RemoteProtocolError(400, "PROXY protocol: a value that reaches beyond the header")
        if header[at] == _CRC32C:
            zeroed = header[:value] + bytes(end - value) + header[end:]
            if header[value:end] != _crc32c(zeroed).to_bytes(4, "big"):
                raise RemoteProtocolError(400, "PROXY protocol: wrong checksum")
        tlvs.append((header[at], header[value:end]))
        at = end
    return tuple(tlvs)


def _host(address: str | bytes, *, ipv6: bool) -> str:
    """Return an address as text; IPv4 inside IPv6, as a proxy of both writes it, is IPv4."""
    from ipaddress import IPv4Address, IPv6Address

    try:
        if not ipv6:
            return str(IPv4Address(address))
        parsed = IPv6Address(address)
    except ValueError:
        raise RemoteProtocolError(400, f"PROXY protocol: not an address: {address!r}") from None
    return str(parsed.ipv4_mapped or parsed)


def _port(digits: bytes) -> int:
    port = parse_digits(digits, "port")
    if port > 65_535:
        raise RemoteProtocolError(400, f"PROXY protocol: no such port: {port}")
    return port


def _crc32c(octets: bytes) -> int:
    """Return the checksum of RFC 4960 appendix B.

    >>> hex(_crc32c(b"123456789"))
    '0xe3069283'
    """
    table = _crc32c_table()
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = crc >> 8 ^ table[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF


@cache
def _crc32c_table() -> list[int]:
    table = []
    for index in range(256):
        entry = index
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
        table.append(entry)
    return table
