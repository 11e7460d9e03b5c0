"""A strict reader of responses, for tests: shares no code with the package, accepts only what a server should send."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(
    rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\r\n)*)\r\n"
)
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")


class MalformedReply(Exception):
    """The octets are no response, whatever may follow them."""


@dataclass
class Reply:
    """One response; `fields` in order with lower-case names; `closes` when it says so or has no other end."""

    status: int
    fields: list[tuple[str, str]]
    content: bytes
    closes: bool

    def get(self, name: str) -> str | None:
        """The only value of a field; MalformedReply when there are two."""
        values = [value for key, value in self.fields if key == name]
        if len(values) > 1:
            raise MalformedReply(f"{name} twice: {values}")
        return values[0] if values else None


def take_reply(octets: bytes, method: str, *, ended: bool = True) -> tuple[Reply, bytes] | None:
    """The first response in the octets, to a request of this method, and the rest; None when more octets are wanted.

    `ended` says that no more come: content that only the end of the connection delimits is then complete.
    """
    match = _HEAD.match(octets)
    if match is None:
        if b"\r\n\r\n" in octets:
            raise MalformedReply(f"no response head: {octets[:200]!r}")
        return None
    fields = []
    for line in match[3].decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        fields.append((name.lower(), value.strip(" \t")))
    status = int(match[1])
    options = [
        option.strip().lower() for key, value in fields if key == "connection" for option in value.split(",")
    ]
    reply = Reply(status, fields, b"", "close" in options)
    found = _take_content(reply, octets[match.end() :], method, ended=ended)
    return None if found is None else (reply, found)


def _take_content(reply: Reply, rest: bytes, method: str, *, ended: bool) -> bytes | None:
    """Set the content; the octets behind it, or None when more are wanted."""
    length, coding = reply.get("content-length"), reply.get("transfer-encoding")
    if length is not None and coding is not None:
        raise MalformedReply("both Content-Length and Transfer-Encoding")
    if reply.status < 200 or reply.status == 204:
        if length is not None or coding is not None:
            raise MalformedReply(f"a {reply.status} with framing")
        return rest
    if method == "HEAD" or reply.status == 304:
        return rest
    if coding is not None:
        if coding != "chunked":
            raise MalformedReply(f"transfer coding {coding!r}")
        return _take_chunks(reply, rest)
    if length is not None:
        if not re.fullmatch("[0-9]+", length):
            raise MalformedReply(f"Content-Length {length!r}")
        if len(rest) < int(length):
            return None
        reply.content = rest[: int(length)]
        return rest[int(length) :]
    if not reply.closes:
        raise MalformedReply("content without an end")
    if not ended:
        return None
    reply.content = rest
    return b""


def _take_chunks(reply: Reply, rest: bytes) -> bytes | None:
    while True:
        match = _CHUNK.match(rest)
        if match is None:
            if b"\r\n" in rest[:10] or len(rest) > 10:
                raise MalformedReply(f"no chunk-size: {rest[:20]!r}")
            return None
        size = int(match[1], 16)
        if not size:
            section, end, behind = rest[match.end() - 2 :].partition(b"\r\n\r\n")
            if not end:
                return None
            if section and not re.fullmatch(rb"(\r\n[!-9;-~]+: [\t\x20-\x7e]*)+", section):
                raise MalformedReply(f"malformed trailers {section!r}")
            return behind
        end_of_data = match.end() + size
        if len(rest) < end_of_data + 2:
            return None
        if rest[end_of_data : end_of_data + 2] != b"\r\n":
            raise MalformedReply("no CRLF behind the data of a chunk")
        reply.content += rest[match.end() : end_of_data]
        rest = rest[end_of_data + 2 :]
