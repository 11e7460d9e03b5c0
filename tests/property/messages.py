"""Strategies: requests as values with their octets, and octets that are nearly requests."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from tests.corpus.loader import load_corpus

TCHARS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
_RESERVED = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
}
_PATH = [chr(octet) for octet in range(0x21, 0x7F) if chr(octet) not in "#?\\%"]

tokens = st.text(TCHARS, min_size=1, max_size=20)
names = tokens.filter(lambda name: name.lower() not in _RESERVED)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40
).map(lambda text: text.strip(" ")) | st.text("a\t ", max_size=5).map(lambda text: text.strip(" \t"))
encoded = st.integers(0, 255).map(lambda octet: f"%{octet:02x}") | st.integers(0, 255).map(
    lambda octet: f"%{octet:02X}"
)
paths = st.lists(st.sampled_from(_PATH) | encoded, max_size=30).map(
    lambda parts: ("/" + "".join(parts)).encode()
)
queries = st.lists(st.sampled_from([*_PATH, "?"]) | encoded, max_size=30).map(
    lambda parts: "".join(parts).encode()
)
hosts = st.sampled_from(["a", "b.example", "b.example:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:65535"])
whitespace = st.text(" \t", max_size=3)
extensions = st.lists(
    st.tuples(tokens, st.none() | tokens | st.text("ab ;=,(\t", max_size=8).map(lambda text: f'"{text}"')),
    max_size=2,
).map(lambda pairs: "".join(f";{name}" if value is None else f";{name}={value}" for name, value in pairs))
_FORBIDDEN = _RESERVED | {
    "authorization",
    "cache-control",
    "cookie",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "range",
    "set-cookie",
    "te",
    "trailer",
}
trailer_names = tokens.filter(
    lambda name: name.lower() not in _FORBIDDEN and not name.lower().startswith(("content-", "if-"))
)
fields = st.lists(st.tuples(names, values), max_size=8)
trailers = st.lists(st.tuples(trailer_names, values), max_size=4)


@dataclass(frozen=True)
class Message:
    """A valid request: what it says, and its octets."""

    method: str
    raw_path: bytes
    raw_query: bytes
    version: str
    host: str
    fields: tuple[tuple[str, str], ...]
    content: bytes
    trailers: tuple[tuple[str, str], ...]
    persistent: bool
    octets: bytes


@st.composite
def field_lines(draw: st.DrawFn, pairs: list[tuple[str, str]]) -> bytes:
    """The octets of field lines, with any whitespace the grammar allows."""
    lines = [f"{name}:{draw(whitespace)}{value}{draw(whitespace)}\r\n" for name, value in pairs]
    return "".join(lines).encode("latin-1")


@st.composite
def chunks(draw: st.DrawFn, content: bytes) -> bytes:
    """The content in chunks of any sizes, sizes written in any way, up to the last chunk's line."""
    octets = b""
    while content:
        size = draw(st.integers(1, len(content)))
        written = draw(st.sampled_from(["%x", "%X", "%04x", "%016X"])) % size
        octets += f"{written}{draw(extensions)}\r\n".encode() + content[:size] + b"\r\n"
        content = content[size:]
    return octets + draw(st.sampled_from([b"0", b"000"])) + draw(extensions).encode() + b"\r\n"


@st.composite
def messages(draw: st.DrawFn, *, persistent: bool | None = None) -> Message:
    """Any valid request, in every way this format can be written."""
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
    path, query = draw(paths), draw(st.none() | queries)
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    keeps = draw(st.booleans()) if persistent is None else persistent
    host = draw(hosts)
    said = [*draw(fields), ("Host", host)]
    if keeps != (version == "1.1"):
        said.append(
            (
                "Connection",
                draw(st.sampled_from(["keep-alive", "Keep-Alive, x"] if keeps else ["close", "x,Close"])),
            )
        )
    content = draw(st.binary(max_size=60))
    section: list[tuple[str, str]] = []
    behind = b""
    framing = draw(st.sampled_from(["none", "length", "chunked"] if version == "1.1" else ["none", "length"]))
    if framing == "none":
        content = b""
    elif framing == "length":
        said.append(("Content-Length", draw(st.sampled_from(["%d", "%04d"])) % len(content)))
        behind = content
    else:
        said.append(("Transfer-Encoding", draw(st.sampled_from(["chunked", "Chunked"]))))
        section = draw(trailers)
        behind = draw(chunks(content)) + draw(field_lines(section)) + b"\r\n"
    said = draw(st.permutations(said))
    target = path if query is None else path + b"?" + query
    line = b"%b %b HTTP/%b\r\n" % (method.encode(), target, version.encode())
    return Message(
        method,
        path,
        query or b"",
        version,
        host,
        tuple((name.lower(), value) for name, value in said),
        content,
        tuple((name.lower(), value) for name, value in section),
        keeps,
        line + draw(field_lines(said)) + b"\r\n" + behind,
    )


@st.composite
def cuts(draw: st.DrawFn, octets: bytes, *, most: int = 6) -> list[bytes]:
    """The octets in a few pieces, cut anywhere; empty pieces too."""
    points = sorted(draw(st.lists(st.integers(0, len(octets)), max_size=most)))
    return [octets[start:stop] for start, stop in zip([0, *points], [*points, len(octets)], strict=True)]


@cache
def samples() -> list[bytes]:
    """The octets of the corpus, without the cases that are long for the sake of a limit."""
    return [case.octets for case in load_corpus() if len(case.octets) < 600]


_INSERTS = st.sampled_from(
    (
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b"\r\n\r\n",
            b" ",
            b"\t",
            b"\x00",
            b":",
            b",",
            b"0",
            b";",
            b"\xff",
            b"chunked",
        ),
        *(
            b"Host: b\r\n",
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
        ),
        *(b"HTTP/1.1", b"GET / HTTP/1.1\r\n"),
    )
) | st.binary(min_size=1, max_size=4)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Octets of one or two samples with a few edits: what is nearly right finds more than noise does."""
    octets = draw(st.sampled_from(samples()))
    if draw(st.booleans()):
        octets += draw(st.sampled_from(samples()))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(octets)))
        edit = draw(st.integers(0, 3))
        if edit == 0:
            octets = octets[:at] + draw(_INSERTS) + octets[at:]
        elif edit == 1:
            octets = octets[:at] + octets[at + draw(st.integers(1, 4)) :]
        elif edit == 2:
            octets = octets[:at] + draw(st.binary(min_size=1, max_size=1)) + octets[at + 1 :]
        else:
            octets = octets[:at] + octets[max(0, at - draw(st.integers(1, 20))) :]
    return octets


nearly_requests = mutated() | st.binary(max_size=80) | messages().map(lambda message: message.octets)
