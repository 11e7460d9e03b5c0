"""Content of every kind a client may have to understand: `/json`, `/html`, `/xml`, `/gzip`, `/deflate`,
`/encoding/utf8`, `/base64/{value}`, `/image`, `/robots.txt` and `/deny`.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import struct
import zlib
from typing import Any, Final

from http_benchmark.targets.httpbin.told import headers_of, origin_of
from penstock import BadRequest, HTMLResponse, JSONResponse, Request, Response, Router, TextResponse
from penstock.http.json import dumps
from penstock.http.negotiation import choose_media_type

router = Router(tags=["documents"])

_SLIDESHOW: Final = {
    "slideshow": {
        "author": "Penstock",
        "date": "date of publication",
        "slides": [
            {"title": "From the reservoir", "type": "all"},
            {"title": "To the turbine", "type": "all", "items": ["A <em>pipe</em>", "A gate to control it"]},
        ],
        "title": "Sample Slide Show",
    }
}
_PARAGRAPH: Final = (
    "A penstock is the pipe that takes water from the reservoir to the turbine. A gate at its upper end "
    "controls how much of it flows, and a surge tank on the way takes the blow when the gate is closed fast. "
)
_PAGE: Final = (
    "<!DOCTYPE html>\n<html>\n<head><meta charset='utf-8'><title>Sample page</title></head>\n<body>\n"
    f"<h1>The penstock</h1>\n<div>\n{''.join(f'<p>{_PARAGRAPH * 3}</p>{chr(10)}' for _ in range(5))}</div>\n"
    "</body>\n</html>\n"
)
_XML: Final = (
    "<?xml version='1.0' encoding='us-ascii'?>\n<slideshow title='Sample Slide Show' author='Penstock'>\n"
    "  <slide type='all'><title>From the reservoir</title></slide>\n"
    "  <slide type='all'><title>To the turbine</title><item>A gate to control it</item></slide>\n"
    "</slideshow>\n"
)
_UTF8: Final = (
    "<h1>Unicode</h1>\n<pre>\n"
    "Latin: àéîõü ß æ ø\nGreek: Οὐχὶ ταὐτὰ παρίσταταί μοι\nCyrillic: Съешь ещё этих\n"
    "Hebrew: שלום עולם\nArabic: مرحبا بالعالم\nDevanagari: नमस्ते दुनिया\nThai: สวัสดีชาวโลก\n"
    "Chinese: 你好，世界\nJapanese: こんにちは世界\nKorean: 안녕 세상\n"
    "Symbols: ∮ E⋅da = Q, ∀x∈ℝ, ⌈x⌉ = −⌊−x⌋\n"
    "Beyond the first plane: 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🚰\n</pre>\n"
)
_SVG: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">'
    b'<rect width="100" height="100" fill="#0b7285"/></svg>\n'
)
_ROBOTS: Final = "User-agent: *\nDisallow: /deny\n"


@router.get("/json", run="inline", cached=3600)
def a_json() -> dict[str, Any]:
    """A small JSON document."""
    return _SLIDESHOW


@router.get("/html", run="inline")
def a_page() -> HTMLResponse:
    """A page of HTML."""
    return HTMLResponse(_PAGE)


@router.get("/xml", run="inline")
def an_xml() -> Response:
    """A small XML document."""
    return Response(_XML, media_type="application/xml")


@router.get("/gzip", run="inline")
def gzipped(request: Request) -> Response:
    """What the request was, in gzip, whether it was asked for or not."""
    content = gzip.compress(_told(request, "gzipped"), mtime=0)
    return Response(content, headers={"Content-Encoding": "gzip"}, media_type="application/json")


@router.get("/deflate", run="inline")
def deflated(request: Request) -> Response:
    """What the request was, in deflate (RFC 9110 §8.4.1.2: the zlib format)."""
    content = zlib.compress(_told(request, "deflated"))
    return Response(content, headers={"Content-Encoding": "deflate"}, media_type="application/json")


def _told(request: Request, coding: str) -> bytes:
    told = {coding: True, "headers": headers_of(request), "method": request.method}
    return dumps({**told, "origin": origin_of(request)})


@router.get("/encoding/utf8", run="inline")
def utf8() -> HTMLResponse:
    """Text of many scripts in UTF-8."""
    return HTMLResponse(_UTF8)


@router.get("/base64/{value}", run="inline")
def from_base64(value: str) -> TextResponse:
    """The text that base64url (or base64) `value` stands for."""
    given = value.replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(given + "=" * (-len(given) % 4), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise BadRequest("not base64 of UTF-8 text, such as SFRUUEJJTiBpcyBhd2Vzb21l") from None
    return TextResponse(text)


def _make_png() -> bytes:
    """100 x 100, one colour, one bit a pixel (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(13)) * 100
    parts = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 1, 3, 0, 0, 0)),
        chunk(b"PLTE", bytes.fromhex("0b7285")),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


_PNG: Final = _make_png()


@router.get("/image/png", run="inline")
def png() -> Response:
    """A picture."""
    return Response(_PNG, media_type="image/png")


@router.get("/image/svg", run="inline")
def svg() -> Response:
    """A drawing."""
    return Response(_SVG, media_type="image/svg+xml")


@router.get("/image", run="inline")
def image(request: Request) -> Response:
    """A picture of a kind that `Accept` names."""
    chosen = choose_media_type(request.headers.get("accept", "*/*"), ["image/png", "image/svg+xml"])
    if chosen is None:
        told = {
            "message": "Client did not request a supported media type.",
            "accept": ["image/png", "image/svg+xml"],
        }
        return JSONResponse(told, 406)
    return png() if chosen == "image/png" else svg()


@router.get("/robots.txt", run="inline")
def robots() -> TextResponse:
    """What robots are to leave alone."""
    return TextResponse(_ROBOTS)


@router.get("/deny", run="inline")
def deny() -> TextResponse:
    """What they are to leave alone."""
    return TextResponse("You should not be here.\n")
