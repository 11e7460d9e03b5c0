"""Adding one area to another: a process that is no more to the past, or what came before there was a server.

Counts and durations are added, gauges of the dead are gone. What the target has no room for counts under
"other", as it would have in its process.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Final

from penstock.observe.metrics.memory import BEGUN, COUNTER, FAMILY, GAUGE

if TYPE_CHECKING:
    from penstock.observe.metrics.memory import Area, Entry

_COUNTER: Final = struct.Struct("<Qd")


def add_area(target: Area, source: Area, *, with_gauges: bool = False) -> None:
    """Add what `source` holds to `target`, which this process writes."""
    # By kind too: after a reload a name may mean something else.
    known = {(entry.kind, entry.key): entry for entry in target.entries()}
    for entry in source.entries():
        if entry.kind == FAMILY:
            if (FAMILY, entry.key) not in known:
                target.append(FAMILY, entry.key, 0)
        elif entry.kind != GAUGE or with_gauges:
            octets = source.read(entry)
            place = known.get((entry.kind, entry.key)) or _make(target, known, entry)
            if place is not None:
                target.write(place.first, add_words(entry.kind, target.read(place), octets))
    target.head[BEGUN] += source.head[BEGUN]


def _make(target: Area, known: dict[tuple[int, bytes], Entry], entry: Entry) -> Entry | None:
    first = target.append(entry.kind, entry.key, entry.size)
    key = entry.key
    if first < 0:
        name, *values = json.loads(key)
        key = json.dumps([name, *["other"] * len(values)], separators=(",", ":")).encode()
        if (entry.kind, key) in known:
            return known[entry.kind, key]
        first = target.append(entry.kind, key, entry.size, is_reserved=True)
        if first < 0:
            return None
    made = known[entry.kind, key] = entry._replace(key=key, first=first)
    return made


def add_words(kind: int, ours: bytes, theirs: bytes) -> bytes:
    """Return the words of two series of the same kind as one."""
    if kind == COUNTER:
        whole, part = _COUNTER.unpack(ours)
        more, rest = _COUNTER.unpack(theirs)
        return _COUNTER.pack(whole + more, part + rest)
    if kind == GAUGE:
        return theirs
    total = int.from_bytes(ours, "little") + int.from_bytes(theirs, "little")
    return total.to_bytes(len(ours), "little")
