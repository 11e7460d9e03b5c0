"""What a server does with frames, right and wrong: case families 1 to 7, 9, 10, 12 and 13 of the Autobahn test suite,
as octets over real sockets to a handler that echoes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from penstock.app.application import App
from penstock.app.websocket.socket import WebSocket
from tests.server.harness import Running, serve
from tests.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Deflater,
    Frame,
    Peer,
    close_frame,
    frame,
    handshake,
)

LIMIT = 1024 * 1024
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    app = App()

    @app.websocket("/")
    async def echo(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    with serve(app) as running:
        yield running


class Case(NamedTuple):
    name: str
    octets: bytes
    frames: list[Any]
    """What comes back: a message, a Frame, or at last the code of a close."""

    def holds(self, found: list[Frame]) -> bool:
        return [_shown(one, wanted) for one, wanted in zip(found, self.frames, strict=True)] == self.frames


def _shown(found: Frame, wanted: Any) -> Any:
    if isinstance(wanted, int):
        return found.code if found.opcode == CLOSE else found
    if isinstance(wanted, str):
        return found.data.decode() if found.opcode == TEXT else found
    return found.data if isinstance(wanted, bytes) and found.opcode == BINARY else found


def pong(data: bytes = b"") -> Frame:
    return Frame(PONG, data)


BYE = close_frame()
WORDS = "Hello-µ@ßöäüàá-UTF-8!!"
UTF8 = WORDS.encode()
SIZES = (0, 1, 125, 126, 127, 128, 65_535, 65_536)

FRAMING = [
    *[Case(f"1.1 text of {n}", frame(TEXT, b"*" * n) + BYE, ["*" * n, 1000]) for n in SIZES],
    *[Case(f"1.2 binary of {n}", frame(BINARY, b"\xfe" * n) + BYE, [b"\xfe" * n, 1000]) for n in SIZES],
    Case(
        "a length in more octets than it needs",
        frame(TEXT, b"abc", size=2) + frame(TEXT, b"d", size=8) + BYE,
        ["abc", "d", 1000],
    ),
    Case("a mask of zeros", frame(TEXT, b"abc", mask=b"\0\0\0\0") + BYE, ["abc", 1000]),
    Case("no mask", frame(TEXT, b"abc", mask=None), [1002]),
    Case("no mask on a ping", frame(PING, b"abc", mask=None), [1002]),
    Case(
        "a good message before one without a mask",
        frame(TEXT, b"abc") + frame(TEXT, b"abc", mask=None),
        ["abc", 1002],
    ),
    Case("a message of 2^63 octets", frame(BINARY, b"", length=2**63), [1009]),
    Case("one octet too many", frame(BINARY, b"", length=LIMIT + 1), [1009]),
]

PINGS = [
    Case("2.1 empty", frame(PING) + BYE, [pong(), 1000]),
    Case("2.2 text", frame(PING, b"Hello") + BYE, [pong(b"Hello"), 1000]),
    Case("2.3 binary", frame(PING, b"\0\xff\xfe") + BYE, [pong(b"\0\xff\xfe"), 1000]),
    Case("2.4 of 125", frame(PING, b"\xfe" * 125) + BYE, [pong(b"\xfe" * 125), 1000]),
    Case("2.5 of 126", frame(PING, b"\xfe" * 126), [1002]),
    Case("2.7 unsolicited pong", frame(PONG) + frame(PONG, b"unasked") + BYE, [1000]),
    Case("2.9 pong, then ping", frame(PONG, b"a") + frame(PING, b"b") + BYE, [pong(b"b"), 1000]),
    Case(
        "2.10 ten",
        b"".join(frame(PING, b"%d" % n) for n in range(10)) + BYE,
        [*(pong(b"%d" % n) for n in range(10)), 1000],
    ),
    Case("pong of 126", frame(PONG, b"x" * 126), [1002]),
]

RESERVED = [
    *[
        Case(f"3 reserved bits {rsv}", frame(TEXT, b"a") + frame(TEXT, b"b", rsv=rsv), ["a", 1002])
        for rsv in range(1, 8)
    ],
    *[
        Case(f"3 reserved bits {rsv} on {op}", frame(op, b"", rsv=rsv), [1002])
        for rsv in (1, 4)
        for op in (BINARY, PING, CLOSE)
    ],
    *[
        Case(f"4 opcode {op}", frame(TEXT, b"a") + frame(op, data) + frame(PING), ["a", 1002])
        for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        for data in (b"", b"x")
    ],
]

FRAGMENTS = [
    Case("5.1 ping in fragments", frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"), [1002]),
    Case("5.2 pong in fragments", frame(PONG, b"a", fin=False) + frame(CONTINUATION, b"b"), [1002]),
    Case("5.3 text in two", frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + BYE, ["ab", 1000]),
    Case(
        "5.6 a ping between",
        frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"b") + BYE,
        [pong(b"p"), "ab", 1000],
    ),
    Case("5.9 continuation of nothing", frame(CONTINUATION, b"a") + frame(TEXT, b"b"), [1002]),
    Case("5.10 continuation of nothing, not the last", frame(CONTINUATION, b"a", fin=False), [1002]),
    Case(
        "5.15 continuation after the end",
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"),
        ["ab", 1002],
    ),
    Case("5.18 text inside text", frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), [1002]),
    Case("binary inside text", frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), [1002]),
    Case(
        "5.19 pings between",
        frame(TEXT, b"1", fin=False)
        + frame(CONTINUATION, b"2", fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, b"3", fin=False)
        + frame(PING, b"q")
        + frame(CONTINUATION, b"4")
        + BYE,
        [pong(b"p"), pong(b"q"), "1234", 1000],
    ),
    Case(
        "empty fragments",
        frame(TEXT, b"", fin=False)
        + frame(CONTINUATION, b"", fin=False) * 50
        + frame(CONTINUATION, b"")
        + BYE,
        ["", 1000],
    ),
    Case(
        "binary in octets",
        frame(BINARY, b"", fin=False)
        + frame(CONTINUATION, b"x", fin=False) * 300
        + frame(CONTINUATION)
        + BYE,
        [b"x" * 300, 1000],
    ),
    Case(
        "a fault inside",
        frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(TEXT, b"b", fin=False),
        [pong(b"p"), 1002],
    ),
    Case("a close inside", frame(TEXT, b"a", fin=False) + BYE, [1002]),
    Case(
        "fragments beyond the limit",
        frame(BINARY, bytes(LIMIT), fin=False) + frame(CONTINUATION, b"x", fin=False),
        [1009],
    ),
    Case(
        "fragments up to the limit",
        frame(BINARY, bytes(LIMIT - 1), fin=False) + frame(CONTINUATION, b"\0") + BYE,
        [bytes(LIMIT), 1000],
    ),
]

GOOD_TEXT = [
    "κόσμε",
    "\U00010000",
    "\u0080\u07ff\u0800\uffff\U0010ffff",
    "\ud7ff\ue000\ufffd\ufffe\uffff",
    "\0",
    "\ufeff",
    "",
]
BAD_TEXT = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    *[
        bytes([octet])
        for octet in (0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xEF, 0xF0, 0xF4, 0xF5, 0xFE, 0xFF)
    ],
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf8\x88\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xad\xbf\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"a\xe2\x82",
    b"\xe2\x28\xa1",
]


def _in_octets(data: bytes) -> bytes:
    pieces = [frame(TEXT, data[:1], fin=False)]
    pieces += [frame(CONTINUATION, data[i : i + 1], fin=False) for i in range(1, len(data))]
    return b"".join([*pieces, frame(CONTINUATION)])


TEXTS = [
    *[Case(f"6.2 {text!r}", frame(TEXT, text.encode()) + BYE, [text, 1000]) for text in (WORDS, *GOOD_TEXT)],
    *[
        Case(f"6.2 in octets {text!r}", _in_octets(text.encode()) + BYE, [text, 1000])
        for text in (WORDS, *GOOD_TEXT)
    ],
    *[Case(f"6.3 {data!r}", frame(TEXT, data) + frame(TEXT, b"unread"), [1007]) for data in BAD_TEXT],
    *[Case(f"6.3 in octets {data!r}", _in_octets(data), [1007]) for data in BAD_TEXT],
    Case("a fault behind which nothing is looked at", frame(TEXT, b"\xff") + BYE, [1007]),
    *[
        Case(
            f"6.4 cut at {cut}",
            frame(TEXT, UTF8[:cut], fin=False) + frame(CONTINUATION, UTF8[cut:]) + BYE,
            [WORDS, 1000],
        )
        for cut in range(len(UTF8) + 1)
    ],
    Case("bad UTF-8 is told before the last fragment", frame(TEXT, b"\xce\xba\xf4\x90", fin=False), [1007]),
    Case(
        "no UTF-8 in binary",
        frame(BINARY, b"\xff", fin=False) + frame(CONTINUATION, b"\xc0") + BYE,
        [b"\xff\xc0", 1000],
    ),
    Case(
        "text after binary in fragments",
        frame(BINARY, b"\xff", fin=False) + frame(CONTINUATION) + _in_octets(b"\xff"),
        [1007],
    ),
]

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)

CLOSES = [
    Case("7.1.1 message, then close", frame(TEXT, b"a") + BYE, ["a", 1000]),
    Case("7.1.2 twice", BYE + BYE, [1000]),
    Case("7.1.3 ping behind", BYE + frame(PING), [1000]),
    Case("7.1.4 text behind", BYE + frame(TEXT, b"a"), [1000]),
    Case("7.1.5 fragment, close, the rest", frame(TEXT, b"a", fin=False) + BYE + frame(CONTINUATION, b"b"), [1002]),
    Case("7.3.1 empty", close_frame(None), [1005]),
    Case("7.3.2 of one octet", frame(CLOSE, b"a"), [1002]),
    Case("7.3.4 with a reason", close_frame(1000, b"Hello"), [Frame(CLOSE, b"\x03\xe8Hello")]),
    Case("7.3.5 with the longest", close_frame(1000, b"*" * 123), [Frame(CLOSE, b"\x03\xe8" + b"*" * 123)]),
    Case("7.3.6 with one too long", close_frame(1000, b"*" * 124), [1002]),
    Case("7.5.1 with bad UTF-8", close_frame(1000, b"\xce\xba\xed\xa0\x80"), [1007]),
    *[Case(f"7.7 code {code}", close_frame(code), [code]) for code in GOOD_CODES],
    *[Case(f"7.9 code {code}", close_frame(code), [1002]) for code in BAD_CODES],
    Case("in fragments", frame(CLOSE, b"\x03\xe8", fin=False), [1002]),
]  # fmt: skip

BIG = bytes(range(256)) * (LIMIT // 256)
SENT_IN_PIECES = [
    Case(
        f"9 {LIMIT // size} fragments of {size}",
        b"".join(
            frame(BINARY if at == 0 else CONTINUATION, BIG[at : at + size], fin=at + size == LIMIT)
            for at in range(0, LIMIT, size)
        )
        + BYE,
        [BIG, 1000],
    )
    for size in (1024, 16_384, 262_144, LIMIT)
]

CASES = [*FRAMING, *PINGS, *RESERVED, *FRAGMENTS, *TEXTS, *CLOSES]


def talk(server: Running, octets: bytes, *fields: str) -> list[Frame]:
    """All that comes back for these octets."""
    with Peer(server.port, "/", *fields) as peer:
        peer.send(octets)
        return peer.take_all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:40])
def test_whole(server: Running, case: Case):
    found = talk(server, case.octets)
    assert case.holds(found), [one._replace(data=one.data[:80]) for one in found]


@pytest.mark.parametrize(
    "case", [case for case in CASES if "bits 4" not in case.name][::2], ids=lambda case: case.name[:40]
)
def test_with_deflate_agreed_to_and_not_used_by_the_client(server: Running, case: Case):
    deflater = Deflater()
    found = [
        one._replace(data=deflater.inflate(one.data), rsv=0) if one.rsv == 4 else one
        for one in talk(server, case.octets, DEFLATE)
    ]
    assert case.holds(found), [one._replace(data=one.data[:80]) for one in found]


SHORT = [case for case in CASES if len(case.octets) < 60]


@pytest.mark.parametrize("case", SHORT[::3], ids=lambda case: case.name[:40])
def test_octet_by_octet(server: Running, case: Case):
    with Peer(server.port) as peer:
        for octet in case.octets:
            try:
                peer.send(bytes([octet]))
            except ConnectionError:  # it has heard enough
                break
        assert case.holds(peer.take_all())


def test_cut_at_every_point_together_with_the_handshake(server: Running):
    octets = (
        handshake()
        + frame(TEXT, b"t", fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, b"wo")
        + frame(TEXT, b"one")
        + BYE
    )
    for cut in range(1, len(octets)):
        with Peer(server.port, shake=False) as peer:
            peer.send(octets[:cut])
            peer.send(octets[cut:])
            peer.take_head()
            assert [one.data for one in peer.take_all()] == [b"p", b"two", b"one", b"\x03\xe8"], cut


@pytest.mark.parametrize("case", SENT_IN_PIECES, ids=lambda case: case.name)
def test_large_messages(server: Running, case: Case):
    with Peer(server.port) as peer:
        peer.send(case.octets)
        assert case.holds(peer.take_all())


@pytest.mark.parametrize("size", [64, 1300, 65_536])
def test_a_large_message_in_segments_of_any_size(server: Running, size: int):
    octets = frame(BINARY, BIG[:262_144]) + BYE
    with Peer(server.port) as peer:
        for at in range(0, len(octets), size):
            peer.send(octets[at : at + size])
        assert [one.data for one in peer.take_all()] == [BIG[:262_144], b"\x03\xe8"]


# ------------------------------------------------------------------------------------------------- permessage-deflate


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12",
        ),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        (
            "permessage-deflate; unknown, permessage-deflate",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        ("x-webkit-deflate-frame", None),
    ],
)
def test_what_is_offered_and_agreed_to(server: Running, offer: str, agreed: str | None):
    with Peer(server.port, "/", f"Sec-WebSocket-Extensions: {offer}") as peer:
        found = peer.field("sec-websocket-extensions")
        assert agreed is None or found is not None
        if agreed is None:
            assert found is None
        else:
            assert found is not None
            parts = {part.strip() for part in found.split(";")}
            wanted = {part.strip() for part in agreed.split(";")}
            # A client that does not say it knows client_max_window_bits must not be told (RFC 7692 §7.1.2.2).
            if "client_max_window_bits" not in offer:
                wanted = {part for part in wanted if not part.startswith("client_max")}
            assert parts == wanted


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("size", [0, 1, 16, 1024, 65_536, 500_000])
def test_deflated_messages_come_and_go(server: Running, size: int, *, fresh: bool):
    offer = DEFLATE + ("; client_no_context_takeover" if fresh else "")
    deflater = Deflater(no_context_takeover=fresh)
    with Peer(server.port, "/", offer) as peer:
        for number in range(4):
            data = (b"%d words and words " % number * (size // 10 + 1))[:size]
            deflated = deflater.deflate(data)
            cut = len(deflated) // 2
            if number % 2:
                peer.send(
                    frame(TEXT, deflated[:cut], fin=False, rsv=4),
                    frame(PING),
                    frame(CONTINUATION, deflated[cut:]),
                )
                assert peer.take() == pong()
            else:
                peer.send(frame(TEXT, deflated, rsv=4))
            found = peer.take()
            assert found and found.rsv == 4 and deflater.inflate(found.data) == data
        peer.send(frame(BINARY, b"plain"))  # RFC 7692 §6.1: each message may be left as it is
        found = peer.take()
        assert found and deflater.inflate(found.data) == b"plain"


BOMB = Deflater().deflate(bytes(64 * LIMIT))


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (frame(TEXT, BOMB, rsv=4), 1009),
        (frame(TEXT, BOMB[:1000], rsv=4, fin=False) + frame(CONTINUATION, BOMB[1000:]), 1009),
        (b"".join(frame(TEXT if at == 0 else CONTINUATION, BOMB[at : at + 100], rsv=4 if at == 0 else 0, fin=False) for at in range(0, len(BOMB), 100)), 1009),
        (frame(BINARY, Deflater().deflate(bytes(LIMIT + 1)), rsv=4), 1009),
        (frame(TEXT, b"\xff\xff\xff", rsv=4), 1002),
        (frame(TEXT, Deflater().deflate(b"\xff"), rsv=4), 1007),
        (frame(TEXT, Deflater().deflate(b"a")[:-1], rsv=4, fin=False) + frame(CONTINUATION, b"x", rsv=4), 1002),
        (frame(PING, Deflater().deflate(b"a"), rsv=4), 1002),
        (frame(TEXT, b"a", rsv=2), 1002),
        (frame(TEXT, b"a", rsv=6), 1002),
    ],
)  # fmt: skip
def test_what_inflates_wrongly_or_too_far_is_refused(server: Running, octets: bytes, code: int):
    assert [found.code for found in talk(server, octets, DEFLATE)] == [code]


def test_the_limit_itself_may_be_reached_by_inflating(server: Running):
    with Peer(server.port, "/", DEFLATE) as peer:
        peer.send(frame(BINARY, Deflater().deflate(bytes(LIMIT)), rsv=4))
        found = peer.take()
        assert found and len(Deflater().inflate(found.data)) == LIMIT
