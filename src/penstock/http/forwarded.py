"""What trusted proxies say of the client: Forwarded (RFC 7239), or the older X-Forwarded-* fields.

Whoever connects to us can send these fields; only what a trusted proxy wrote is believed. A proxy adds to the
right, so both are read from the right: the peer of the connection vouches for the last element, the address
in it, if trusted, for the one before, and so on. The first address that is not trusted is the client. At an
element that breaks the grammar, names nobody, or is one too many, reading ends with what is known by then.

One family by configuration, never both: a proxy that writes one passes the other through as the client sent
it. Every proxy on the way must write the family or remove it. Nothing here raises for what a peer sent.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ipaddress import IPv4Address, IPv6Address

    from penstock.http.headers import Headers, MutableHeaders

Family = Literal["x-forwarded", "forwarded"]
_Item = TypeVar("_Item")

_ELEMENTS = 32  # count; each is a proxy on the way, and nobody has as many
_PARAMETERS = 16  # count, of one element; RFC 7239 defines four

_TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# RFC 7239 §4, and the spaces round ";" that proxies write. What we read needs no "\" in quotes: none there.
_PAIR = re.compile(rf'({_TCHARS})=(?:({_TCHARS})|"([^"\\]*+)")(?:[ \t]*+;[ \t;]*+|\Z)')
# RFC 7239 §6: an address, IPv6 in brackets, and perhaps a port, which may be a name of its own (_x) as well
_NODE_PORT = r"(?::(?:([0-9]{1,5}+)|_[0-9A-Za-z._-]++))?+"
_IPV6 = r"(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{2,45}+"  # what `ipaddress` then decides about
_NODE = re.compile(rf"(?:([0-9.]{{7,15}}+)|\[({_IPV6})\]){_NODE_PORT}")
_NODE_WITHOUT_ADDRESS = re.compile(rf"(?:[Uu][Nn][Kk][Nn][Oo][Ww][Nn]|_[0-9A-Za-z._-]++){_NODE_PORT}")
_BARE_IPV6 = re.compile(_IPV6)  # how X-Forwarded-For has it
# Nothing that means something else in a URL, a log or a comparison.
_HOST = re.compile(rf"(?:[0-9A-Za-z._~-]{{1,255}}+|\[({_IPV6})\])(?::([0-9]{{1,5}}+))?+")
_PORT = re.compile(r"[0-9]{1,5}")
# Whole segments; no dot segments, encoded or not, and no "//", which a browser takes for another host.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[0-9A-Za-z._~!$&'()*+;=:@-]++)*+/?")
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_CACHED_LENGTH = 256


class Forwarding(NamedTuple):
    """What the proxies said; None is what they did not."""

    client: tuple[str, int] | None = None
    """Address and port, port 0 when not told."""
    scheme: str | None = None
    host: str | None = None
    """As a Host field has it: a port may follow."""
    port: int | None = None
    prefix: str | None = None
    """Path the proxy took away: "", or begins with "/" and ends without."""


NOTHING = Forwarding()
_NOBODY = ("", 0)  # a node that is `unknown` or goes by a name of its proxy's own


class TrustedProxies:
    """The addresses whose word is taken: addresses, networks, `unix` for unix sockets, `*` for everybody.

    ConfigError for anything else. The set never changes.

    >>> trusted = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    >>> trusted.trusts("10.1.2.3"), trusted.trusts("::ffff:10.1.2.3"), trusted.trusts("192.0.2.1")
    (True, True, False)
    >>> trusted.trusts(None), TrustedProxies(["unix"]).trusts(None)
    (False, True)
    """

    __slots__ = ("_contain", "_everybody", "_networks", "_unix")

    def __init__(self, sources: Iterable[str]) -> None:
        from ipaddress import ip_network

        sources = [source.strip() for source in sources]
        self._everybody = "*" in sources
        self._unix = self._everybody or "unix" in sources
        self._networks = []
        for source in sources:
            if source in ("*", "unix"):
                continue
            try:
                self._networks.append(ip_network(source))
            except ValueError as error:
                expected = "an address, a network such as 10.0.0.0/8, unix or *"
                raise ConfigError(f"trusted proxy {source!r}: expected {expected} ({error})") from None
        # PERF: the same few proxies ask again and again; 0.1 us instead of 5
        self._contain = lru_cache(1024)(self._look_up)

    def trusts(self, address: str | None) -> bool:
        """Say whether the word of this address is taken; None is the peer of a unix socket."""
        return self._unix if address is None else self._everybody or self._contain(address)

    def _look_up(self, address: str) -> bool:
        parsed = _parse_address(address.partition("%")[0])  # a zone names our interface, not the peer
        return parsed is not None and any(parsed in network for network in self._networks)


def read_forwarding(
    headers: Headers | MutableHeaders,
    peer: str | None,
    trusted: TrustedProxies,
    *,
    family: Family = "x-forwarded",
) -> Forwarding:
    """Return what trusted proxies say of the client; all None when the peer is not one of them.

    `peer` is the address at the other end of the connection, None for a unix socket.

    >>> from penstock.http.headers import Headers
    >>> asked = Headers.from_pairs([
    ...     ("X-Forwarded-For", "198.51.100.7, 203.0.113.9, 10.0.0.2"), ("X-Forwarded-Proto", "https")])
    >>> read_forwarding(asked, "10.0.0.1", TrustedProxies(["10.0.0.0/8"]))
    Forwarding(client=('203.0.113.9', 0), scheme='https', host=None, port=None, prefix=None)
    >>> read_forwarding(asked, "203.0.113.9", TrustedProxies(["10.0.0.0/8"])) == NOTHING
    True
    """
    if not trusted.trusts(peer):
        return NOTHING
    if family == "forwarded":
        value = headers.get("forwarded", "")
        return (_cached_forwarded if len(value) <= _CACHED_LENGTH else _read_forwarded)(value, trusted)
    get = headers.get
    values = (
        get("x-forwarded-for", ""),
        get("x-forwarded-proto", ""),
        get("x-forwarded-host", ""),
        get("x-forwarded-port", ""),
        get("x-forwarded-prefix", ""),
    )
    short = len("".join(values)) <= _CACHED_LENGTH
    return (_cached_x_forwarded if short else _read_x_forwarded)(values, trusted)


def parse_element(text: str) -> dict[str, str] | None:
    """Return the parameters of one element of Forwarded (RFC 7239 §4), names in lower case; None if broken.

    >>> parse_element('For="[2001:db8::1]:4711";proto=https')
    {'for': '[2001:db8::1]:4711', 'proto': 'https'}
    """
    text = text.strip(" \t;")
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or match[1].lower() in pairs or len(pairs) == _PARAMETERS:
            return None
        pairs[match[1].lower()] = match[3] if match[2] is None else match[2]
        at = match.end()
    return pairs


def _read_forwarded(value: str, trusted: TrustedProxies) -> Forwarding:
    client = scheme = host = None
    for text in _from_the_right(value):
        pairs = parse_element(text)
        if pairs is None:
            break
        node = _parse_node(pairs["for"]) if "for" in pairs else _NOBODY
        own_scheme = _parse_scheme(pairs["proto"]) if "proto" in pairs else scheme
        own_host = _parse_host(pairs["host"]) if "host" in pairs else host
        if node is None or ("proto" in pairs and not own_scheme) or ("host" in pairs and not own_host):
            break
        scheme, host = own_scheme, own_host
        if node is _NOBODY:
            break
        client = node
        if not trusted.trusts(client[0]):
            break
    return Forwarding(client, scheme, host)


def _read_x_forwarded(values: tuple[str, str, str, str, str], trusted: TrustedProxies) -> Forwarding:
    chain, scheme, host, port, prefix = values
    client = None
    hops = 0  # proxies whose word was taken
    for text in _from_the_right(chain):
        node = _parse_node(text, bare=True)
        if node is None:
            break
        hops += 1
        if node is _NOBODY:
            break
        client = node
        if not trusted.trusts(client[0]):
            break
    hops = max(hops, 1)
    return Forwarding(
        client,
        _outermost(scheme, hops, _parse_scheme),
        _outermost(host, hops, _parse_host),
        _outermost(port, hops, _parse_port),
        _outermost(prefix, hops, parse_prefix),
    )


# PERF: 2 us instead of 15 while the same clients and hosts come again. The length bounds what is kept.
_cached_forwarded = lru_cache(1024)(_read_forwarded)
_cached_x_forwarded = lru_cache(1024)(_read_x_forwarded)


def _outermost(value: str, hops: int, parse: Callable[[str], _Item | None]) -> _Item | None:
    """Return what the proxy nearest to the client said; one that replaces the list leaves one element."""
    found = None
    for text in islice(_from_the_right(value), hops):
        item = parse(text)
        if item is None:
            break
        found = item
    return found


def _from_the_right(value: str) -> Iterator[str]:
    """Yield the elements of a list, last first, empty ones passed over, 32 at most.

    Only what stands to its right can decide where an element begins: a quote the client left open on the
    left swallows nothing. A comma is in quotes when an odd number of them follows.
    """
    pieces = value.rsplit(",", _ELEMENTS)
    held = ""
    for piece in reversed(pieces[-_ELEMENTS:]):
        held = f"{piece},{held}" if held else piece
        if held.count('"') % 2:
            continue
        if text := held.strip(" \t"):
            yield text
        held = ""


def _parse_node(text: str, *, bare: bool = False) -> tuple[str, int] | None:
    """Return address and port, `_NOBODY` for a node without address, or None for what is no node."""
    match = _NODE.fullmatch(text)
    if match is not None:
        address = _parse_address(match[1] or match[2])
        port = _parse_port(match[3]) if match[3] else 0
    elif bare and _BARE_IPV6.fullmatch(text):
        address, port = _parse_address(text), 0
    else:
        return _NOBODY if _NODE_WITHOUT_ADDRESS.fullmatch(text) else None
    return None if address is None or port is None else (str(address), port)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address; IPv4 inside IPv6, as sockets for both give it, is IPv4."""
    from ipaddress import ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _parse_scheme(text: str) -> str | None:
    return _SCHEMES.get(text.lower())


def _parse_host(text: str) -> str | None:
    match = _HOST.fullmatch(text)
    if match is None or (match[1] and _parse_address(match[1]) is None):
        return None
    return None if match[2] and _parse_port(match[2]) is None else text


def _parse_port(text: str) -> int | None:
    port = int(text) if _PORT.fullmatch(text) else 0
    return port if 0 < port <= 65_535 else None


def parse_prefix(text: str) -> str | None:
    """Return the path of an X-Forwarded-Prefix without a "/" at its end; None when it is no plain path.

    >>> parse_prefix("/shop/"), parse_prefix("/"), parse_prefix("/a/../b"), parse_prefix("shop")
    ('/shop', '', None, None)
    """
    return text.removesuffix("/") if _PREFIX.fullmatch(text) else None
