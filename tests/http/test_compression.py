"""The rules of compression: what is coded for whom, and what then changes in a response."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http.compression import Compression
from penstock.http.file_response import FileResponse
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint
from penstock.http.kept_response import KeptResponse
from penstock.http.request import Request
from penstock.http.response import JSONResponse, Response, StreamResponse, TextResponse
from tests.codings import CODINGS, Decoder, decode, need_coding

LONG = "a long text. " * 1000
ROWS = [{"n": number, "name": f"row {number}"} for number in range(300)]


def ask(accepted: str | None = "gzip", method: str = "GET", *more: tuple[str, str]) -> Request:
    fields = [("host", "test"), *more]
    if accepted is not None:
        fields.append(("Accept-Encoding", accepted))
    return Request.build(method, headers=fields)


def apply(response: Response, request: Request | None = None, **options: Any) -> Response:
    options.setdefault("codings", ["gzip"])
    return Compression(**options).apply(request or ask(), response)


def coding_of(response: Response) -> str | None:
    return response.headers.get("content-encoding")


@pytest.mark.parametrize("coding", CODINGS)
def test_json_is_coded_for_who_accepts_it(coding: str):
    need_coding(coding)
    response = JSONResponse(ROWS, headers={"X-Own": "1"})

    coded = Compression().apply(ask(coding), response)

    assert coding_of(coded) == coding
    assert decode(coding, coded.body) == response.body
    assert coded.headers["vary"] == "Accept-Encoding"
    assert coded.headers["x-own"] == "1"
    assert (coded.status, coded.media_type) == (200, "application/json")


def test_the_response_itself_stays_as_it_was():
    response = TextResponse(LONG, headers={"ETag": '"1"', "Vary": "Origin", "Accept-Ranges": "bytes"})
    before = response.headers.lines().copy()

    for accepted in ("gzip", None, "gzip"):
        apply(response, ask(accepted))

    assert response.body == LONG.encode()
    assert response.headers.lines() == before


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("br, *;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", None),
        ("gzip;q=0.5, identity;q=0.6", None),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("identity;q=0", None),  # nothing is left, and the work is done: it is sent as it is
        ("identity;q=0, gzip", "gzip"),
        ("deflate", None),
    ],
)
def test_the_client_decides(accepted: str | None, coding: str | None):
    response = apply(TextResponse(LONG), ask(accepted))

    assert coding_of(response) == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert decode(coding, response.body) == LONG.encode()


def test_the_order_of_codings_decides_between_what_the_client_likes_equally():
    need_coding("br")
    request = ask("gzip, br")

    assert coding_of(apply(TextResponse(LONG), request, codings=["br", "gzip"])) == "br"
    assert coding_of(apply(TextResponse(LONG), request, codings=["gzip", "br"])) == "gzip"


@pytest.mark.parametrize(
    "response",
    [
        TextResponse("short"),
        Response(b"x" * 5000, media_type="image/png"),
        Response(b"x" * 5000, media_type="application/zip"),
        Response(b"x" * 5000),
        Response(b"x" * 5000, headers={"Content-Type": "video/mp4"}, media_type="text/plain"),
        TextResponse(LONG, headers={"Content-Encoding": "br"}),
        TextResponse(LONG, headers={"Content-Encoding": "identity"}),
        TextResponse(LONG, headers={"Cache-Control": "public, No-Transform"}),
        TextResponse(LONG, headers={"Content-Digest": "sha-256=:x:"}),
        TextResponse(LONG, 206, headers={"Content-Range": "bytes 0-12999/26000"}),
        TextResponse(LONG, 206, media_type="multipart/byteranges; boundary=x"),
        TextResponse(LONG, 204),
        TextResponse(LONG, 205),
        TextResponse(LONG, 304),
        Response(b""),
        Response(b"", media_type="text/plain"),
        KeptResponse(TextResponse(LONG)),
        StreamResponse(iter([b"x"]), media_type="image/png"),
        StreamResponse(iter([b"x"]), headers={"Content-Length": "10"}, media_type="text/plain"),
        FileResponse(__file__),
    ],
    ids=lambda response: f"{response!r}{[*response.headers.items()][:1]}",
)
def test_what_does_not_gain_or_is_settled_is_left_alone(response: Response):
    assert apply(response) is response


@pytest.mark.parametrize("status", [200, 201, 404, 422, 500])
def test_errors_are_coded_as_well(status: int):
    response = JSONResponse(ROWS, status, media_type="application/problem+json")

    assert coding_of(apply(response)) == "gzip"


def test_content_that_does_not_become_shorter_is_sent_as_it_is():
    noise = random.Random(1).randbytes(1100)
    response = apply(Response(noise, media_type="text/plain"))

    assert (coding_of(response), response.body) == (None, noise)
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("content", [b"x", b"x" * 5000])
def test_who_refuses_identity_gets_another_coding_whatever_it_gains(content: bytes):
    response = apply(Response(content, media_type="image/png"), ask("gzip, identity;q=0"))

    assert coding_of(response) == "gzip"
    assert decode("gzip", response.body) == content


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "Accept-Encoding"),
        ([("Vary", "Origin")], "Origin, Accept-Encoding"),
        ([("Vary", "Origin"), ("Vary", "Cookie")], "Origin, Cookie, Accept-Encoding"),
        ([("Vary", "accept-encoding")], "accept-encoding"),
        ([("Vary", "*")], "*"),
    ],
)
@pytest.mark.parametrize("accepted", ["gzip", None])
def test_vary_is_there_whoever_asks(before: list[tuple[str, str]], after: str, accepted: str | None):
    response = apply(TextResponse(LONG, headers=[*before, ("X-Own", "1")]), ask(accepted))

    assert response.headers["vary"] == after


@pytest.mark.parametrize(("before", "after"), [('"1"', 'W/"1"'), ('W/"1"', 'W/"1"')])
def test_a_coded_response_has_a_weak_etag_and_no_ranges_and_no_length_of_another(before: str, after: str):
    fields = {"ETag": before, "Accept-Ranges": "bytes", "Content-Length": str(len(LONG))}

    coded = apply(TextResponse(LONG, headers=fields))
    plain = apply(TextResponse(LONG, headers=fields), ask(None))

    assert coded.headers["etag"] == after
    assert "accept-ranges" not in coded.headers
    assert "content-length" not in coded.headers
    assert plain.headers["etag"] == before
    assert plain.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ('W/"1"', 'W/"1"'),
        ('"0", W/"1"', 'W/"1"'),
        ('"1"', '"1"'),
        ('"1", W/"1"', '"1"'),
        ("*", '"1"'),
        (None, '"1"'),
    ],
)
def test_a_304_has_the_etag_its_client_knows(asked: str | None, after: str):
    more = [("If-None-Match", asked)] if asked is not None else []

    response = apply(Response(b"", 304, {"ETag": '"1"'}), ask("gzip", "GET", *more))

    assert response.headers["etag"] == after
    assert response.headers.get("vary") == ("Accept-Encoding" if after == 'W/"1"' else None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TextResponse(LONG, headers={"ETag": '"1"'}),
        lambda: StreamResponse(iter([LONG]), headers={"ETag": '"1"'}, media_type="text/plain"),
    ],
)
def test_head_has_the_fields_of_get(make: Any):
    get, head = apply(make()), apply(make(), ask(method="HEAD"))

    assert head.headers.items() == get.headers.items()
    assert head.media_type == get.media_type
    assert head.body == get.body


def test_head_without_its_content_still_says_how_get_is_coded():
    response = Response(b"", 200, {"Content-Length": "5000", "ETag": '"1"'})
    response.media_type = "text/html"

    head = apply(response, ask(method="HEAD"))

    assert head.headers.items() == [
        ("etag", 'W/"1"'),
        ("content-encoding", "gzip"),
        ("vary", "Accept-Encoding"),
    ]
    assert head.media_type == "text/html"
    assert head.is_stream, "its length is not known"


def test_types_and_size_may_be_chosen():
    options = {"minimum_bytes": 3, "types": ["application/x-own", "Image/*"]}

    for media_type in ("application/x-own; a=b", "image/png"):
        assert coding_of(apply(Response(b"x" * 500, media_type=media_type), **options)) == "gzip"
    assert coding_of(apply(TextResponse(LONG), **options)) is None


def test_levels_may_be_chosen():
    prose = " ".join(f"{number * 7919 % 1009} words of {number % 97}" for number in range(3000))
    sizes = [len(apply(TextResponse(prose), levels={"gzip": level}).body) for level in (1, 9)]

    assert sizes[0] > sizes[1]


@pytest.mark.parametrize(
    "options",
    [
        {"minimum_bytes": -1},
        {"codings": ["lzma"]},
        {"levels": {"gzip": 11}},
        {"levels": {"lzma": 1}},
        {"types": "text/*"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]):
    with pytest.raises((ValueError, TypeError)):
        Compression(**options)


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize(("length", "words"), [("4", "more content"), ("40", "Content-Length is 40")])
def test_a_declared_length_that_is_not_kept_is_still_a_fault(form: str, length: str, words: str):
    async def later() -> Any:
        yield b"eight..."

    content = later() if form == "async" else iter([b"eight..."])
    response = StreamResponse(content, headers={"Content-Length": length}, media_type="text/plain")
    coded: Any = apply(response, minimum_bytes=1)

    async def read() -> None:
        async for _ in coded.content:
            pass

    with pytest.raises(LocalProtocolError, match=words):
        asyncio.run(read()) if form == "async" else list(coded.content)


def test_a_stream_keeps_what_belongs_to_it():
    response = StreamResponse(
        ["a", b"", bytearray(b"b"), memoryview(b"c")], 201, media_type="text/plain", trailers=[("X", "1")]
    )  # type: ignore[list-item]

    coded: Any = apply(response)

    assert (coded.status, coded.media_type, coded.trailers) == (201, "text/plain", [("X", "1")])
    assert coded.context is response.context
    assert decode("gzip", b"".join(coded.content)) == b"abc"


def test_a_piece_that_is_no_octets_is_a_fault():
    coded: Any = apply(StreamResponse([5], media_type="text/plain"))  # type: ignore[list-item]

    with pytest.raises(TypeError, match="bytes or str, not int"):
        list(coded.content)


@pytest.mark.parametrize("run", [INLINE, TASK, THREAD])
@pytest.mark.parametrize("answers_later", [False, True])
def test_it_is_put_round_whatever_makes_a_response(run: int, answers_later: bool):
    async def later() -> Response:
        return TextResponse(LONG)

    def call(request: Request) -> Any:
        return later() if answers_later or run == TASK else TextResponse(LONG)

    answer: Any = Compression(codings=["gzip"]).put_round(call, run)(ask())

    async def finish() -> Response:
        return await answer if hasattr(answer, "__await__") else answer

    assert coding_of(asyncio.run(finish())) == "gzip"


def test_an_endpoint_with_another_call_is_otherwise_the_same():
    after = print
    one = Endpoint(
        lambda request: Response(), THREAD, body_limit=1, streams_body=True, route="/x", after=after
    )

    other = one.with_call(lambda request: Response(b"other"))

    assert other.call is not one.call
    for name in Endpoint.__slots__:
        assert name == "call" or getattr(other, name) == getattr(one, name)


@pytest.mark.parametrize("form", ["sync", "async"])
@given(pieces=st.lists(st.binary(max_size=300), max_size=12))
def test_whatever_is_streamed_comes_back_piece_by_piece(form: str, pieces: list[bytes]):
    async def later() -> Any:
        for piece in pieces:
            yield piece

    coded: Any = apply(StreamResponse(later() if form == "async" else iter(pieces), media_type="text/plain"))

    async def read() -> list[bytes]:
        return [octets async for octets in coded.content]

    arrived = asyncio.run(read()) if form == "async" else list(coded.content)
    decoder = Decoder("gzip")
    assert [decoder.decode(octets) for octets in arrived] == [*filter(None, pieces), b""]
    assert decoder.is_over
