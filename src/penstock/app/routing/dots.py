"""Dot segments (RFC 3986 §5.2.4): `/a/./b/../c` is `/a/c`. `%2e` is a dot, too (§6.2.2.2).

Resolved before matching, so that no rule tied to a path can be walked round. The RFC lets `..` stop at the
root; here going above it is refused, because no honest client sends it.
"""

from __future__ import annotations


def resolve_dots(raw: list[bytes], segments: list[str]) -> list[bytes] | None:
    """Return the raw segments without dot segments, or None when they lead above the root.

    `raw` and `segments` are the same path split at "/", as it came and decoded.

    >>> resolve_dots([b"a", b"%2E%2E", b"b"], ["a", "..", "b"])
    [b'b']
    """
    resolved: list[bytes] = []
    for octets, segment in zip(raw, segments, strict=True):
        if segment == "..":
            if not resolved:
                return None
            resolved.pop()
        elif segment != ".":
            resolved.append(octets)
    if segments[-1] in (".", ".."):
        resolved.append(b"")  # "/a/b/.." is "/a/", a directory
    return resolved
