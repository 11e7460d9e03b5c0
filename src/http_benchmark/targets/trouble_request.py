"""Requests out of octets, as far as the server of known behaviour needs them: where one ends."""

from __future__ import annotations

from typing import NamedTuple


class Request(NamedTuple):
    """One that is whole, or whose head asks whether to go on."""

    method: bytes
    target: bytes
    is_persistent: bool
    wants_continue: bool = False


def read_request(inbox: bytearray) -> Request | None:
    """Take the first request off `inbox`; None as long as it is not whole.

    One that waits for `100 Continue` is returned once with `wants_continue`, and stays.
    """
    end = inbox.find(b"\r\n\r\n")
    if end < 0:
        return None
    request_line, _, section = bytes(inbox[:end]).partition(b"\r\n")
    method, target, version = request_line.split(b" ", 2)
    lowered = section.lower()
    is_persistent = version == b"HTTP/1.1" and b"connection: close" not in lowered
    if b"expect: 100-continue" in lowered:
        at = lowered.index(b"expect: 100-continue") + len(request_line) + 2
        inbox[at : at + 20] = b"x-seen: 100-continue"
        return Request(method, target, is_persistent, wants_continue=True)
    whole = _content_end(inbox, end + 4, lowered)
    if whole is None or len(inbox) < whole:
        return None
    del inbox[:whole]
    return Request(method, target, is_persistent)


def _content_end(inbox: bytearray, start: int, lowered: bytes) -> int | None:
    """The index after the content, which may not be there yet."""
    if b"transfer-encoding:" not in lowered:
        _, found, rest = lowered.partition(b"content-length:")
        return start + int(rest.partition(b"\r\n")[0]) if found else start
    at = start
    while (line_end := inbox.find(b"\r\n", at)) >= 0:
        size = int(bytes(inbox[at:line_end]).partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if size == 0:
            return at
    return None
