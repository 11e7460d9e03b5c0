"""Properties of the chunked coding: what is encoded is decoded, and noise is refused in one way only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError, RemoteProtocolError
from penstock.wire.chunked import ChunkedDecoder, encode_chunk, encode_last_chunk
from penstock.wire.limits import Limits
from tests.property.messages import chunks, cuts, field_lines, trailers


def decode(pieces: list[bytes]) -> tuple[bytes, bytes | None, list[tuple[str, str]] | None]:
    """Content, what follows its end (None: no end), trailers."""
    decoder = ChunkedDecoder(Limits())
    content = b""
    for at, piece in enumerate(pieces):
        data, rest = decoder.feed(piece)
        content += data
        if rest is not None:
            assert decoder.trailers is not None
            return content, rest + b"".join(pieces[at + 1 :]), list(decoder.trailers.items())
    return content, None, None


@given(st.lists(st.binary(max_size=50), max_size=6), trailers, st.binary(max_size=9), st.data())
def test_what_we_encode_is_decoded(
    parts: list[bytes], section: list[tuple[str, str]], behind: bytes, data: st.DataObject
):
    octets = b"".join(map(encode_chunk, parts)) + encode_last_chunk(section)

    content, rest, decoded = decode(data.draw(cuts(octets + behind)))

    assert content == b"".join(parts)
    assert rest == behind
    assert decoded == [(name.lower(), value) for name, value in section]


@given(st.binary(max_size=80), trailers, st.data())
def test_what_others_may_encode_is_decoded(
    content: bytes, section: list[tuple[str, str]], data: st.DataObject
):
    octets = data.draw(chunks(content)) + data.draw(field_lines(section)) + b"\r\n"

    assert decode(data.draw(cuts(octets))) == (
        content,
        b"",
        [(name.lower(), value) for name, value in section],
    )


@given(st.binary(min_size=1, max_size=40), st.data())
def test_content_without_its_end_is_never_complete(content: bytes, data: st.DataObject):
    octets = encode_chunk(content) + encode_last_chunk()

    decoded, rest, _ = decode([octets[: data.draw(st.integers(0, len(octets) - 1))]])

    assert rest is None
    assert content.startswith(decoded)


@given(
    st.data(), st.binary(max_size=60) | st.text('0123456789abcdefg;="\r\n -+_x', max_size=60).map(str.encode)
)
def test_noise_is_decoded_or_refused_and_the_cut_never_matters(data: st.DataObject, octets: bytes):
    def verdict(pieces: list[bytes]) -> object:
        try:
            return decode(pieces)
        except RemoteProtocolError as error:
            return error.status

    whole = verdict([octets])

    assert verdict(data.draw(cuts(octets))) == whole
    assert verdict([octets[at : at + 1] for at in range(len(octets))]) == whole


any_text = st.text(st.characters(max_codepoint=0x17F), max_size=12)


@given(st.lists(st.tuples(any_text, any_text), min_size=1, max_size=3))
def test_trailers_we_render_never_carry_another_line(section: list[tuple[str, str]]):
    try:
        octets = encode_last_chunk(section)
    except LocalProtocolError:
        return

    content, rest, decoded = decode([octets])

    assert (content, rest) == (b"", b"")
    assert decoded == [(name.lower(), value.strip(" \t")) for name, value in section]
