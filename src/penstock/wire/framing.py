"""Which octets after a head are content, and whether the connection outlives it (RFC 9112 §6.3, §9.3).

Decided from the raw field section, once: the reader keeps the verdict with the section, and equal sections
share it. Whatever two readers could understand differently is refused here, never repaired.
"""

from __future__ import annotations

import re

from penstock.errors import RemoteProtocolError
from penstock.http.framing import Framing
from penstock.wire.grammar import parse_digits
from penstock.wire.target import check_host

PLAIN = Framing()
"""No content, persistent: the framing of most requests, always this instance."""

_NOTHING_ELSE: tuple[list[tuple[bytes, bytes]], ...] = ([], [(b"connection", b"keep-alive")])

# Every field that frames, names a host or decides about the connection. PERF: one pass, 0.6 us for 40 octets,
# 1.4 for 700; six searches take 2.8 and 4.2.
_find_fields = re.compile(
    rb"\n(host|content-length|transfer-encoding|connection|expect|upgrade):[ \t]*+([^\r]*+)"
).findall


def frame(section: bytes, version: bytes) -> Framing:
    """Return the framing a valid field section asks for. `version` is the minor digit. RemoteProtocolError:
    400, 413, 417, 501.
    """
    found = _find_fields(b"\n" + section.lower())
    # PERF: Host, and perhaps keep-alive behind it, is what most say; 0.4 us less.
    if version == b"1" and found and found[0][0] == b"host" and found[1:] in _NOTHING_ELSE:
        check_host(found[0][1].rstrip(b" \t"))
        return PLAIN
    fields: dict[bytes, list[bytes]] = {}
    for name, value in found:
        fields.setdefault(name, []).append(value.rstrip(b" \t"))
    _check_hosts(fields.pop(b"host", []), version)
    lengths = fields.get(b"content-length", [])
    codings = fields.get(b"transfer-encoding", [])
    chunked = bool(codings) and _is_chunked(codings, version, has_length=bool(lengths))
    connection = fields.get(b"connection", [])
    options = {option.strip(b" \t") for value in connection for option in value.split(b",")}
    framing = Framing(
        _content_length(lengths) if lengths else None,
        chunked,
        b"close" not in options and (version == b"1" or b"keep-alive" in options),
        _expects_continue(fields.get(b"expect", []), version),
        _upgrade(fields.get(b"upgrade", []), version) if b"upgrade" in options else None,
    )
    return PLAIN if framing == PLAIN else framing


def _check_hosts(hosts: list[bytes], version: bytes) -> None:
    # RFC 9112 §3.2: a 1.1 request without Host, any request with two or a malformed one: 400.
    if len(hosts) > 1:
        raise RemoteProtocolError(400, "more than one Host field")
    if hosts:
        check_host(hosts[0])
    elif version == b"1":
        raise RemoteProtocolError(400, "no Host field; HTTP/1.1 needs exactly one")


def _content_length(lengths: list[bytes]) -> int:
    # RFC 9112 §6.3 step 5: unequal values are a fault; equal ones are one. A list in one field is not digits.
    values = {parse_digits(length, "Content-Length") for length in lengths}
    if len(values) > 1:
        raise RemoteProtocolError(400, "unequal Content-Length fields")
    return values.pop()


def _is_chunked(codings: list[bytes], version: bytes, *, has_length: bool) -> bool:
    # RFC 9112 §6.1 and §6.3 steps 3 and 4: the classic ways to smuggle a request, all refused.
    if version == b"0":
        raise RemoteProtocolError(400, "Transfer-Encoding in an HTTP/1.0 request")
    if has_length:
        raise RemoteProtocolError(400, "both Transfer-Encoding and Content-Length")
    names = [coding.strip(b" \t") for value in codings for coding in value.split(b",")]
    if b"" in names:
        raise RemoteProtocolError(400, "an empty element in Transfer-Encoding")
    if names[-1] != b"chunked":
        raise RemoteProtocolError(400, "the last transfer coding must be chunked")
    if b"chunked" in names[:-1]:
        raise RemoteProtocolError(400, "chunked applied twice")
    if len(names) > 1:
        raise RemoteProtocolError(
            501, f"transfer coding {names[0][:40].decode('latin-1')!r} is not known here"
        )
    return True


def _expects_continue(expectations: list[bytes], version: bytes) -> bool:
    # RFC 9110 §10.1.1: ignored in HTTP/1.0, 417 for anything but 100-continue.
    if not expectations or version == b"0":
        return False
    if any(value != b"100-continue" for value in expectations):
        raise RemoteProtocolError(417, "the only expectation known is 100-continue")
    return True


def _upgrade(protocols: list[bytes], version: bytes) -> str | None:
    # RFC 9110 §7.8: ignored in HTTP/1.0.
    return b", ".join(protocols).decode("latin-1") if protocols and version == b"1" else None
