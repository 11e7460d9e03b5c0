"""What is sent of a file, over real sockets: conditions, ranges, codings, and changes seen."""

from __future__ import annotations

import gzip
import os
import time

import pytest

from penstock.app.static.files import StaticFiles
from penstock.app.static.site import StaticSite
from tests.app.static.site import LARGE, SCRIPT, TEXT, make_folder, serving_site, settle
from tests.codings import decode, need_coding
from tests.server.harness import serve


@pytest.fixture
def root(tmp_path):
    return make_folder(tmp_path)


def get(running, target, *fields, method="GET"):
    with running.connect() as client:
        return client.ask(target, method, *fields)


# -- conditions and ranges


@pytest.mark.parametrize("target", ["/text.txt", "/large.bin"])
def test_conditions(root, target):
    with serving_site(root) as running:
        for _ in range(2):
            whole = get(running, target)
            etag, modified = whole.get("etag"), whole.get("last-modified")
            early = "Thu, 01 Jan 1970 00:00:00 GMT"
            for field, status in [
                (f"If-None-Match: {etag}", 304),
                (f'If-None-Match: "x", W/{etag}', 304),
                ("If-None-Match: *", 304),
                ('If-None-Match: "x"', 200),
                (f"If-Modified-Since: {modified}", 304),
                (f"If-Modified-Since: {early}", 200),
                (f"If-Match: {etag}", 200),
                (f"If-Match: W/{etag}", 412),
                ('If-Match: "x"', 412),
                (f"If-Unmodified-Since: {modified}", 200),
                (f"If-Unmodified-Since: {early}", 412),
            ]:
                reply = get(running, target, field)
                assert reply.status == status, field
                if status == 304:
                    assert reply.content == b"" and reply.get("etag") == etag
                    assert reply.get("content-type") is None
                if status == 200:
                    assert reply.content == whole.content


@pytest.mark.parametrize("target", ["/text.txt", "/large.bin"])
def test_ranges(root, target):
    content = {"/text.txt": TEXT, "/large.bin": LARGE}[target]
    size = len(content)
    with serving_site(root) as running:
        for _ in range(2):
            for asked, start, stop in [
                ("0-0", 0, 1),
                ("5-9", 5, 10),
                ("-7", size - 7, size),
                (f"{size - 3}-", size - 3, size),
                ("10-99999999", 10, size),
            ]:
                reply = get(running, target, f"Range: bytes={asked}")
                assert (reply.status, reply.content) == (206, content[start:stop])
                assert reply.get("content-range") == f"bytes {start}-{stop - 1}/{size}"
            reply = get(running, target, f"Range: bytes={size}-")
            assert (reply.status, reply.get("content-range")) == (416, f"bytes */{size}")
            assert get(running, target, "Range: lines=1-2").content == content
            assert get(running, target, "Range: bytes=1-2", method="HEAD").status == 200


@pytest.mark.parametrize("target", ["/text.txt", "/large.bin"])
def test_several_ranges(root, target):
    content = {"/text.txt": TEXT, "/large.bin": LARGE}[target]
    with serving_site(root) as running:
        reply = get(running, target, "Range: bytes=0-1, 100-103, -2")

        kind, boundary = reply.get("content-type").split("; boundary=")
        parts = reply.content.split(f"--{boundary}".encode())
        assert (reply.status, kind) == (206, "multipart/byteranges")
        assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts[1:-1]] == [
            content[:2],
            content[100:104],
            content[-2:],
        ]
        assert parts[-1] == b"--\r\n"
        assert reply.get("content-length") == str(len(reply.content))


@pytest.mark.parametrize("target", ["/text.txt", "/large.bin"])
def test_if_range(root, target):
    with serving_site(root) as running:
        whole = get(running, target)
        for condition, status in [
            (whole.get("etag"), 206),
            (f"W/{whole.get('etag')}", 200),
            ('"x"', 200),
            (whole.get("last-modified"), 206),
        ]:
            reply = get(running, target, "Range: bytes=0-1", f"If-Range: {condition}")
            assert reply.status == status, condition


# -- codings


def test_gzip_is_made_for_who_takes_it(root):
    with serving_site(root) as running:
        plain = get(running, "/app.js")
        for accepted in ("gzip", "x-gzip;q=0.5", "deflate, gzip;q=0.1", "br;q=0, zstd;q=0, *"):
            for _ in range(2):
                reply = get(running, "/app.js", f"Accept-Encoding: {accepted}")
                assert reply.get("content-encoding") == "gzip", accepted
                assert gzip.decompress(reply.content) == SCRIPT
                assert reply.get("vary") == "Accept-Encoding" == plain.get("vary")
                assert reply.get("etag") != plain.get("etag")
        for accepted in (
            "gzip;q=0",
            "deflate",
            "identity",
            "*;q=0, identity",
            "gzip;q=0.1, identity;q=0.5",
            "",
        ):
            reply = get(running, "/app.js", f"Accept-Encoding: {accepted}")
            assert (reply.get("content-encoding"), reply.content) == (None, SCRIPT), accepted
        assert get(running, "/app.js", "Accept-Encoding: identity;q=0, deflate").status == 406
        tag = get(running, "/app.js", "Accept-Encoding: gzip").get("etag")
        assert get(running, "/app.js", "Accept-Encoding: gzip", f"If-None-Match: {tag}").status == 304
        assert get(running, "/app.js", f"If-None-Match: {tag}").status == 200


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
def test_each_coding_is_made_once_and_is_a_representation_of_its_own(root, coding):
    need_coding(coding)
    with serving_site(root) as running:
        tags = {get(running, "/app.js").get("etag")}
        for accepted in (coding, f"{coding}, *;q=0.1", f"gzip;q=0.5, {coding};q=0.6"):
            for _ in range(2):
                reply = get(running, "/app.js", f"Accept-Encoding: {accepted}")
                assert reply.get("content-encoding") == coding, accepted
                assert decode(coding, reply.content) == SCRIPT
                tags.add(reply.get("etag"))
        refused = get(running, "/app.js", f"Accept-Encoding: {coding};q=0, identity")
        part = get(running, "/app.js", f"Accept-Encoding: {coding}", "Range: bytes=0-3")

    assert len(tags) == 2
    assert (refused.get("content-encoding"), refused.content) == (None, SCRIPT)
    assert (part.status, part.get("content-encoding"), len(part.content)) == (206, coding, 4)


def test_what_was_made_ahead_goes_before_what_is_made_here(root):
    (root / "app.js.gz").write_bytes(b"ahead")
    settle(root)
    with serving_site(root) as running:
        reply = get(running, "/app.js", "Accept-Encoding: gzip, br, zstd")

    assert (reply.get("content-encoding"), reply.content) == ("gzip", b"ahead")


def test_gzip_is_not_made_where_it_gains_nothing(root):
    (root / "small.js").write_bytes(b"x" * 100)
    (root / "noise.css").write_bytes(os.urandom(4000))
    (root / "image.png").write_bytes(b"x" * 4000)
    settle(root)
    with serving_site(root) as running:
        for target in ("/small.js", "/noise.css", "/image.png"):
            for _ in range(2):
                assert get(running, target, "Accept-Encoding: gzip").get("content-encoding") is None
    with serving_site(root, compress=False) as running:
        assert get(running, "/app.js", "Accept-Encoding: gzip").get("content-encoding") is None


def test_precompressed_siblings_are_served(root):
    for ending in ("zst", "br", "gz"):
        (root / f"app.js.{ending}").write_bytes(ending.encode() * 10)
        (root / f"large.bin.{ending}").write_bytes(ending.encode() * 200_000)
    settle(root)
    with serving_site(root) as running:
        for target in ("/app.js", "/large.bin"):
            for accepted, coding, ending in [
                ("zstd, br, gzip", "zstd", b"zst"),
                ("br, gzip", "br", b"br"),
                ("gzip", "gzip", b"gz"),
                ("br;q=0.5, gzip;q=0.9", "gzip", b"gz"),
                ("zstd;q=0, *", "br", b"br"),
            ]:
                for _ in range(2):
                    reply = get(running, target, f"Accept-Encoding: {accepted}")
                    assert reply.get("content-encoding") == coding
                    assert reply.content == ending * (10 if target == "/app.js" else 200_000)
                    assert reply.get("vary") == "Accept-Encoding"
            assert get(running, target).get("content-encoding") is None
        part = get(running, "/large.bin", "Accept-Encoding: br", "Range: bytes=0-3")
        assert (part.status, part.content, part.get("content-encoding")) == (206, b"brbr", "br")
    with serving_site(root, precompressed=False) as running:
        assert get(running, "/large.bin", "Accept-Encoding: br").content == LARGE


def test_a_sibling_that_is_stale_or_leads_out_is_passed_over(root):
    (root / "app.js.br").write_bytes(b"stale")
    os.utime(root / "app.js.br", (0, 0))
    (root / "text.txt.br").symlink_to(root.parent / "secret.txt")
    with serving_site(root) as running:
        for target, content in (("/app.js", SCRIPT), ("/text.txt", TEXT)):
            reply = get(running, target, "Accept-Encoding: br")
            assert decode(reply.get("content-encoding"), reply.content) == content


# -- changes


def test_a_changed_file_is_seen_within_the_interval(root):
    with serving_site(root, check_interval_s=0.2) as running:
        old = get(running, "/text.txt")
        assert get(running, "/text.txt", "Accept-Encoding: gzip").status == 200
        (root / "text.txt").write_bytes(b"new content")

        end = time.monotonic() + 20
        while (reply := get(running, "/text.txt")).content == TEXT:
            assert time.monotonic() < end
        assert reply.content == b"new content" and reply.get("etag") != old.get("etag")
        (root / "text.txt").unlink()
        while get(running, "/text.txt").status != 404:
            assert time.monotonic() < end


def test_without_an_interval_every_change_is_seen_at_once(root):
    with serving_site(root, check_interval_s=0) as running, running.connect() as client:
        for number in range(100):
            content = b"version %d" % (number % 10)  # the size stays
            (root / "text.txt").write_bytes(content)
            assert client.ask("/text.txt").content == content
            assert client.ask("/text.txt").content == content


def test_siblings_that_come_and_go_are_seen(root):
    with serving_site(root, check_interval_s=0) as running:
        reply = get(running, "/app.js", "Accept-Encoding: br, gzip")
        assert decode(reply.get("content-encoding"), reply.content) == SCRIPT
        (root / "app.js.br").write_bytes(b"brotli")
        assert get(running, "/app.js", "Accept-Encoding: br, gzip").content == b"brotli"
        (root / "app.js.br").unlink()
        reply = get(running, "/app.js", "Accept-Encoding: br, gzip")
        assert decode(reply.get("content-encoding"), reply.content) == SCRIPT


def test_the_cache_is_bounded(root):
    for number in range(200):
        (root / f"{number}.txt").write_bytes(b"%04d" % number * 1000)
    settle(root)
    files = StaticFiles(root, cache_bytes=200_000)
    with serve(StaticSite(files)) as running, running.connect() as client:
        for number in [*range(200), *range(200)]:
            assert (
                client.ask(f"/{number}.txt", "GET", "Accept-Encoding: gzip" if number % 2 else "X: y").status
                == 200
            )
            assert files._cache.held_bytes <= 200_000
        held = sum(entry.size for entry in files.entries.values())
        assert 0 < len(files.entries) < 100
        assert files._cache.held_bytes == held


def test_one_file_has_one_place_in_the_cache_however_it_is_spelled(root):
    files = StaticFiles(root)
    with serve(StaticSite(files)) as running, running.connect() as client:
        for target in (
            "/text.txt",
            "/tex%74.txt",
            "/%74ext.txt",
            "/sub/../text.txt",
            "/text.txt?a",
            "/sub/a%20b.txt",
        ):
            assert client.ask(target).status == 200
        assert set(files.entries) == {b"/text.txt", b"/sub/a%20b.txt"}
