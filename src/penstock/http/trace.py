"""Trace ids (W3C Trace Context, level 2): taken over from a valid `traceparent`, made otherwise.

What a client sends is either valid or absent; nothing is repaired. One `traceparent` counts, several are
none. Without a valid one its `tracestate` says nothing. `Trace` is what goes to places a request cannot go
to: processes, and runs that no request caused.

New ids come from a generator of our own, seeded by the system: an application that calls `random.seed` must
not make every worker give the same ids, and a forked process begins anew.
"""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from penstock.http.headers import Headers

SAMPLED: Final = 1
RANDOM: Final = 2
"""The last 56 bits of the trace id are random (level 2 §3.2.2.5.2)."""
_FLAGS = SAMPLED | RANDOM  # all others are to be sent as zero

# Version 00 has exactly four parts; later versions may add parts. An all-zero id is invalid. No comma: that
# would be a second field.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
    r"(-[\x21-\x2b\x2d-\x7e]*+)?"
)
_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}+=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS = 32
_TRACESTATE_OCTETS = 512
_LONG_MEMBER_OCTETS = 128  # these go first when the whole is too long (§3.3.1.5)

# Room for a UUID, a trace id, or an AWS id with its prefix; nothing that means something in a log or in HTML.
_REQUEST_ID = re.compile(r"[0-9A-Za-z._~:/+=@\-]{1,128}")

_random = random.Random()  # noqa: S311 - ids are no secrets; getrandbits is one call into C, so threads share it
_bits = _random.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


Ids: TypeAlias = "tuple[str, str, str, int]"
"""Where a request stands in its trace: trace_id, span_id, parent_id, trace_flags. PERF: a plain tuple, 0.1 us
less than one with names.
"""


class Trace(NamedTuple):
    """What a request is called, without the request. It can be pickled."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    trace_flags: int = _FLAGS
    tracestate: str = ""
    request_id: str = ""
    method: str = ""
    raw_path: bytes = b""
    route: str | None = None


def read_ids(traceparent: str | None) -> Ids:
    """Return the ids of a request that came with this `traceparent`; a new trace when it is absent or
    malformed.

    >>> ids = read_ids("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    >>> ids[0], len(ids[1]), ids[2], ids[3]
    ('4bf92f3577b34da6a3ce929d0e0e4736', 16, '00f067aa0ba902b7', 1)
    """
    if traceparent is not None:
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is not None:
            version, trace_id, parent_id, flags, more = match.groups()
            if version != "00" or more is None:
                return trace_id, new_span_id(), parent_id, int(flags, 16) & _FLAGS
    # PERF: one draw for both, and hex() of octets: a third of two draws and "032x".
    drawn = _bits(192).to_bytes(24, "big").hex()
    trace_id, span_id = drawn[:32], drawn[32:]
    if trace_id == "0" * 32 or span_id == "0" * 16:
        return read_ids(None)
    return trace_id, span_id, "", _FLAGS


def new_span_id() -> str:
    """Return 16 random hex digits."""
    return (_bits(64) or 1).to_bytes(8, "big").hex()


def new_request_id() -> str:
    """Return 32 random hex digits."""
    return _bits(128).to_bytes(16, "big").hex()


def new_trace() -> Trace:
    """Return a trace that begins here, for work that no request caused."""
    trace_id, span_id, _, _ = read_ids(None)
    return Trace(trace_id, span_id, request_id=trace_id)


def trace_of(traced: Any) -> Trace:
    """Return what of a request, or another `Traced`, can be sent to another process."""
    return Trace(*[getattr(traced, name) for name in Trace._fields])


def read_tracestate(headers: Headers) -> str:
    """Return the valid `tracestate` of a section, "" when there is none.

    A malformed member, or more than 32, discards all of it. Of members with one key the first counts, which
    is the newest. Beyond 512 octets the long ones go first, then the last (W3C Trace Context §3.3.1).
    """
    sent = headers.get("tracestate")  # several fields are one list, in their order
    if not sent:
        return ""
    members: dict[str, str] = {}
    count = 0
    for part in sent.split(",", 4 * _MEMBERS):  # empty members are allowed; not any number of them
        member = part.strip(" \t")
        if not member:
            continue
        count += 1
        if count > _MEMBERS or _MEMBER.fullmatch(member) is None:
            return ""
        members.setdefault(member.partition("=")[0], member)
    return _fit(list(members.values()))


def _fit(members: list[str]) -> str:
    if _length_of(members) > _TRACESTATE_OCTETS:
        members = [member for member in members if len(member) <= _LONG_MEMBER_OCTETS]
    while _length_of(members) > _TRACESTATE_OCTETS:
        members.pop()
    return ",".join(members)


def _length_of(members: list[str]) -> int:
    return sum(map(len, members)) + len(members) - 1


def find_request_id(headers: Headers) -> str | None:
    """Return the name the client gave its request in `X-Request-ID`; None without one that is valid."""
    sent = headers.get("x-request-id")
    return sent if sent and is_request_id(sent) else None


def is_request_id(name: str) -> bool:
    """Return whether a name somebody sent may be the name of a request.

    >>> is_request_id("a-1"), is_request_id(""), is_request_id("<b>")
    (True, False, False)
    """
    return _REQUEST_ID.fullmatch(name) is not None
