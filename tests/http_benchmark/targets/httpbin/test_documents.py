from __future__ import annotations

import gzip
import json
import zlib
from xml.etree import ElementTree as ET

import pytest


@pytest.mark.parametrize(("coding", "member"), [("gzip", "gzipped"), ("deflate", "deflated")])
def test_content_is_coded(target, coding, member):
    reply = target.ask(f"/{coding}")

    told = json.loads(gzip.decompress(reply.content) if coding == "gzip" else zlib.decompress(reply.content))
    assert reply.headers["Content-Encoding"] == coding
    assert told[member] is True
    assert set(told) == {member, "headers", "method", "origin"}


def test_documents_are_of_their_kinds(target):
    assert target.ask("/json").json["slideshow"]["title"] == "Sample Slide Show"
    assert ET.fromstring(target.ask("/xml").content).tag == "slideshow"
    html = target.ask("/html")
    assert html.headers["Content-Type"] == "text/html; charset=utf-8"
    assert len(html.content) > 3000
    assert "こんにちは" in target.ask("/encoding/utf8").content.decode()
    assert target.ask("/robots.txt").content == b"User-agent: *\nDisallow: /deny\n"
    assert target.ask("/deny").status == 200


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVsbG8"])
def test_base64_is_decoded(target, text):
    assert target.ask(f"/base64/{text}").content == b"hello"


@pytest.mark.parametrize("text", ["!!", "_w==", "a"])
def test_what_is_no_base64_is_refused(target, text):
    assert target.ask(f"/base64/{text}").status == 400


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "image/png"),
        ("image/svg+xml, image/png;q=0.5", "image/svg+xml"),
        ("text/html", "application/json"),
    ],
    ids=["any", "drawing", "none"],
)
def test_a_picture_is_of_an_accepted_kind(target, accept, kind):
    reply = target.ask("/image", accept=accept)

    assert reply.headers["Content-Type"] == kind
    assert reply.status == (406 if kind == "application/json" else 200)


def test_the_picture_is_whole(target):
    octets = target.ask("/image/png").content

    assert octets.startswith(b"\x89PNG\r\n\x1a\n")
    start = octets.index(b"IDAT") + 4
    rows = zlib.decompress(octets[start : octets.index(b"IEND") - 8])
    assert len(rows) == 100 * 14


def test_the_page_names_every_route(target):
    page = target.ask("/").content.decode()

    for path in ("/get", "/delay/{delay}", "/bytes/{n}", "/anything/{rest}", "/basic-auth/{user}/{password}"):
        assert path in page
    assert '<a href="/uuid">/uuid</a>' in page


def test_an_unknown_path_is_404(target):
    assert target.ask("/none").status == 404
