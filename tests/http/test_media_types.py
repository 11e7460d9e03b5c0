"""Media types: the same on every machine, text in UTF-8, and which of them are worth compressing."""

import doctest
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.http import media_types as module
from penstock.http.headers import render_fields
from penstock.http.media_types import OCTETS, TYPES, is_compressible, media_type_of


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.js.map", "application/json"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("a.woff2", "font/woff2"),
        ("a.mp4", "video/mp4"),
        ("a.pdf", "application/pdf"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("/srv/www/a.b/c.png", "image/png"),
        ("a b.png", "image/png"),
        ("é.png", "image/png"),
        ("..png", "image/png"),
    ],
)
def test_known_extensions(name: str, expected: str) -> None:
    assert media_type_of(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a",
        "a.",
        ".html",
        "dir/.html",
        "dir.html/",
        "dir.html/a",
        "a.html ",
        "a.html\x00",
        "a.htmlx",
        "a.ｈtml",
        "a.K\u0130",
        "html",
    ],
)
def test_unknown_extensions_are_octets_or_the_default(name: str) -> None:
    assert media_type_of(name) == OCTETS
    assert media_type_of(name, "text/plain") == "text/plain"


@pytest.mark.parametrize(("extension", "media_type"), TYPES.items())
def test_each_line_of_the_table_is_sound(extension: str, media_type: str) -> None:
    assert re.fullmatch(r"[0-9a-z]+", extension)
    assert re.fullmatch(
        r"(application|audio|font|image|model|text|video)/[0-9a-z.+-]+(; charset=utf-8)?", media_type
    )
    assert media_type.startswith("text/") is media_type.endswith("; charset=utf-8")


def test_the_table_holds_what_the_web_is_made_of() -> None:
    assert len(TYPES) >= 100


def test_what_is_called_compressible_is_the_type_of_something_or_known_from_elsewhere() -> None:
    essences = {media_type.partition(";")[0] for media_type in TYPES.values()}
    made_by_applications = {
        "application/javascript",
        "application/x-javascript",
        "application/x-www-form-urlencoded",
    }

    assert essences >= module._COMPRESSIBLE - made_by_applications


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/event-stream",
        "TEXT/HTML",
        "text/html;charset=utf-8",
        "application/json",
        "application/json ; x=y",
        "application/problem+json",
        "application/manifest+json",
        "application/atom+xml",
        "image/svg+xml",
        "application/wasm",
        "font/ttf",
        "image/bmp",
        "application/x-ndjson",
    ],
)
def test_what_is_worth_compressing(media_type: str) -> None:
    assert is_compressible(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text",
        "x-text/html",
        "image/png",
        "image/jpeg",
        "image/webp",
        "video/mp4",
        "audio/mpeg",
        "font/woff2",
        "application/zip",
        "application/gzip",
        "application/pdf",
        "application/octet-stream",
        "application/epub+zip",
        "image/png; x=+json",
        "multipart/byteranges; boundary=x",
    ],
)
def test_what_is_not(media_type: str) -> None:
    assert not is_compressible(media_type)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_name_has_a_type_that_can_be_sent(name: str) -> None:
    media_type = media_type_of(name)

    assert media_type == OCTETS or media_type in TYPES.values()
    assert render_fields([("Content-Type", media_type)])
    assert isinstance(is_compressible(name), bool)
