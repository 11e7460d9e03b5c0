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

# The fields that make another framing than PLAIN. PERF: 0.2 us to find none of them, 2 us to look at each.
_has_framing = re.compile(
    rb"\n(?:content-length|transfer-encoding|expect|connection(?!:[ \t]*keep-alive[ \t]*\r)):"
).search


def frame(section: bytes, version: bytes) -> Framing:
    """Return the framing a valid field section asks for. `version` is the minor digit. RemoteProtocolError:
    400, 413, 417, 501.
    """
    lowered = b"\n" + section.lower()
    _check_hosts(_values(lowered, b"\nhost:"), version)
    if version == b"1" and _has_framing(lowered) is None:
        return PLAIN
    lengths = _values(lowered, b"\ncontent-length:")
    codings = _values(lowered, b"\ntransfer-encoding:")
    chunked = bool(codings) and _is_chunked(codings, version, has_length=bool(lengths))
    connection = _values(lowered, b"\nconnection:")
    options = {option.strip(b" \t") for value in connection for option in value.split(b",")}
    framing = Framing(
        _content_length(lengths) if lengths else None,
        chunked,
        b"close" not in options and (version == b"1" or b"keep-alive" in options),
        _expects_continue(_values(lowered, b"\nexpect:"), version),
        _upgrade(_values(lowered, b"\nupgrade:"), version) if b"upgrade" in options else None,
    )
    return PLAIN if framing == PLAIN else framing


def _values(lowered: bytes, name: bytes) -> list[bytes]:
    """Return the values of the lines that begin with `name`, which includes the LF before it."""
    found = []
    at = lowered.find(name)
    while at >= 0:
        end = lowered.index(b"\r", at)
        found.append(lowered[at + len(name) : end].strip(b" \t"))
        at = lowered.find(name, end)
    return found


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
