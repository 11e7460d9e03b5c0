"""Files over real sockets: what is found, what is refused, conditions, ranges, codings, changes."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from penstock.app.static.files import StaticFiles
from penstock.errors import ApplicationError
from tests.app.static.site import LARGE, TEXT, make_folder, serving_app, serving_site, without_rights


@pytest.fixture
def root(tmp_path):
    return make_folder(tmp_path)


@pytest.fixture(params=["site", "app"])
def ask(request, root):
    """`ask(target, method, *fields)` of a site at the root, or mounted in an application."""
    prefix = "" if request.param == "site" else "/s"
    with serving_site(root) if not prefix else serving_app(root, prefix) as running:
        yield lambda target, method: get(running, prefix + target, method=method)


def get(running, target, *fields, method="GET"):
    with running.connect() as client:
        return client.ask(target, method, *fields)


# -- what is found


def test_a_file_is_sent_with_its_type_and_validators(root):
    with serving_site(root) as running:
        for _ in range(3):  # from the file, then from the cache
            reply = get(running, "/text.txt")

            assert (reply.status, reply.content) == (200, TEXT)
            assert reply.get("content-type") == "text/plain; charset=utf-8"
            assert reply.get("content-length") == str(len(TEXT))
            assert reply.get("accept-ranges") == "bytes"
            assert reply.get("etag").startswith('"') and reply.get("last-modified").endswith("GMT")


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("/", b"<h1>home</h1>"),
        ("/index.html", b"<h1>home</h1>"),
        ("/text.txt?v=1", TEXT),
        ("/t%65xt.txt", TEXT),
        ("/sub/", b"sub"),
        ("/sub/a%20b.txt", b"spaced"),
        ("/sub/deep/x.txt", b"deep"),
        ("/sub/../text.txt", TEXT),
        ("/empty.txt", b""),
        ("/large.bin", LARGE),
    ],
)
def test_paths_that_are_served(ask, target, content):
    for _ in range(2):
        reply = ask(target, "GET")

        assert (reply.status, reply.content) == (200, content)


def test_head_has_the_fields_and_no_content(root):
    with serving_site(root) as running:
        for target, size in (("/text.txt", len(TEXT)), ("/large.bin", len(LARGE))):
            for _ in range(2):
                with running.connect() as client:
                    reply = client.ask(target, "HEAD")
                    assert (reply.status, reply.get("content-length")) == (200, str(size))
                    assert client.ask("/index.html").content == b"<h1>home</h1>"  # nothing was left between


def test_a_directory_is_redirected_to_its_slash(ask):
    reply = ask("/sub?x=1", "GET")

    assert reply.status == 307
    assert reply.get("location").endswith("/sub/?x=1")
    assert not reply.get("location").startswith("//")


def test_a_mount_is_redirected_to_its_slash(root):
    with serving_app(root, "/static") as running:
        assert get(running, "/static").get("location") == "/static/"
        assert get(running, "/static/").content == b"<h1>home</h1>"
        assert get(running, "/hello").content == b"hello"


def test_pipelined_files_come_in_order(root):
    with serving_site(root) as running, running.connect() as client:
        head = b" HTTP/1.1\r\nHost: t\r\n\r\n"
        targets = [
            b"GET /text.txt",
            b"GET /large.bin",
            b"HEAD /large.bin",
            b"GET /nope",
            b"GET /text.txt",
        ] * 3
        client.send(b"".join(target + head for target in targets))

        for target in targets:
            method, _, path = target.decode().partition(" ")
            reply = client.take(method)
            expected = {"/text.txt": TEXT, "/large.bin": LARGE}.get(path)
            assert reply.status == (404 if expected is None else 200)
            if method == "GET" and expected is not None:
                assert reply.content == expected


# -- what is refused


@pytest.mark.parametrize(
    "target",
    [
        "/nope",
        "/text.txt/",
        "/text.txt/x",
        "/sub/deep/",
        "/.env",
        "/.git/config",
        "/.git/",
        "/.git",
        "//text.txt",
        "//etc/passwd",
        "/sub//index.html",
        "/..%2fsecret.txt",
        "/..%2Fwww2%2Fsecret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/%2fetc/passwd",
        "/%2Fetc%2Fpasswd",
        "/sub%2findex.html",
        "/..%5csecret.txt",
        "/%5c..%5csecret.txt",
        "/text.txt%00",
        "/text.txt%00.html",
        "/%00",
        "/...",
        "/" + "a" * 300,
        "/" + "a/" * 1000,
    ],
)
def test_what_must_not_be_had_is_not_found(ask, target):
    reply = ask(target, "GET")

    assert reply.status == 404
    assert b"secret" not in reply.content


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E./secret.txt",
        "/.%2e/secret.txt",
        "/sub/../../secret.txt",
        "/sub/%2e%2e/../www2/secret.txt",
    ],
)
def test_dot_segments_lead_nowhere_above_the_root(root, target):
    with serving_site(root) as running:
        assert get(running, target).status == 400
    with serving_app(root, "/s") as running:
        reply = get(running, "/s" + target)
        assert reply.status in (400, 404) and b"secret" not in reply.content


@pytest.mark.parametrize("target", ["/%ff.txt", "/%c0%ae%c0%ae/secret.txt"])
def test_a_path_that_is_not_utf8_is_refused(ask, target):
    assert ask(target, "GET").status == 400


def test_links_out_are_refused_and_links_inside_followed(root):
    (root / "out.txt").symlink_to(root.parent / "secret.txt")
    (root / "outdir").symlink_to(root.parent)
    (root / "sibling").symlink_to(root.parent / "www2")  # a name that begins like the root's
    (root / "in.txt").symlink_to("text.txt")
    (root / "indir").symlink_to(root / "sub")
    (root / "hidden.txt").symlink_to(".env")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")

    with serving_site(root, listing=True) as running:
        for target in (
            "/out.txt",
            "/outdir/secret.txt",
            "/outdir/",
            "/outdir",
            "/sibling/secret.txt",
            "/hidden.txt",
            "/loop",
            "/loop/x",
            "/dangling",
        ):
            reply = get(running, target)
            assert reply.status == 404, target
        for target, content in (("/in.txt", TEXT), ("/indir/deep/x.txt", b"deep"), ("/indir/", b"sub")):
            assert get(running, target).content == content
        (root / "sub" / "index.html").unlink()
        page = get(running, "/sub/../").content
        assert page == b"<h1>home</h1>"
    with serving_site(root, links_outside=True) as running:
        assert get(running, "/out.txt").content == b"secret"
        assert get(running, "/outdir/secret.txt").content == b"secret"
        assert get(running, "/hidden.txt").status == 404


def test_a_file_replaced_by_a_link_out_is_refused_from_then_on(root):
    with serving_site(root, check_interval_s=0) as running:
        assert get(running, "/sub/deep/x.txt").content == b"deep"
        assert get(running, "/text.txt").content == TEXT

        (root / "text.txt").unlink()
        (root / "text.txt").symlink_to(root.parent / "secret.txt")
        (root / "sub" / "deep").rename(root / "elsewhere")
        (root / "sub" / "deep").symlink_to(root.parent)
        (root.parent / "x.txt").write_bytes(b"secret")

        assert get(running, "/text.txt").status == 404
        assert get(running, "/sub/deep/x.txt").status == 404


def test_a_swap_of_folder_and_link_never_shows_what_is_outside(root):
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "x.txt").write_bytes(b"secret")
    (root / "door").mkdir()
    (root / "door" / "x.txt").write_bytes(b"public")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            (root / "door").rename(root / "kept")
            (root / "door").symlink_to(outside)
            (root / "door").unlink()
            (root / "kept").rename(root / "door")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        with serving_site(root, check_interval_s=0, cache_bytes=0) as running, running.connect() as client:
            seen = {client.ask("/door/x.txt").content for _ in range(400)}
    finally:
        stop.set()
        swapper.join()

    assert not any(b"secret" in content for content in seen)


def test_devices_and_pipes_are_refused_at_once(root):
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/null")
    with serving_site(root, links_outside=True) as running:
        assert get(running, "/pipe").status == 404
        assert get(running, "/null").status == 404
        assert get(running, "/text.txt").status == 200


def test_what_may_not_be_read_is_not_found(shared_root):
    (shared_root / "text.txt").chmod(0)
    (shared_root / "sub").chmod(0)
    with serving_site(shared_root, listing=True) as running, without_rights(running):
        assert get(running, "/text.txt").status == 404
        assert get(running, "/sub/").status == 404
        assert get(running, "/sub/deep/x.txt").status == 404
        assert get(running, "/app.js").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(ask, method):
    reply = ask("/text.txt", method)

    assert reply.status == 405
    assert {"GET", "HEAD"} <= set(reply.get("allow").split(", "))


def test_options_names_the_methods(ask):
    assert set(ask("/text.txt", "OPTIONS").get("allow").split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_dotfiles_are_served_by_option(root):
    with serving_site(root, dotfiles=True) as running:
        assert get(running, "/.env").content == b"PASSWORD=secret"


def test_a_directory_that_is_none_is_refused_at_the_start(tmp_path):
    with pytest.raises(ApplicationError, match="is not a directory"):
        StaticFiles(tmp_path / "nowhere")


# -- options


def test_listing_is_escaped_and_hides_what_is_not_served(root):
    (root / "sub" / "index.html").unlink()
    evil = '<script>alert("1")</script>&\'.txt'.replace("/", "_")
    (root / "sub" / evil).write_bytes(b"x")
    (root / "sub" / "javascript:alert(1)").write_bytes(b"x")
    (root / "sub" / ".hidden").write_bytes(b"x")
    (root / "sub" / "out").symlink_to(root.parent)
    os.mkfifo(root / "sub" / "pipe")
    Path(os.fsdecode(os.fsencode(root / "sub") + b"/\xff.txt")).touch()
    with serving_site(root) as running:
        assert get(running, "/sub/").status == 404
    with serving_site(root, listing=True) as running:
        reply = get(running, "/sub/")
        page = reply.content.decode()

        assert reply.get("content-type") == "text/html; charset=utf-8"
        assert "<script>" not in page and 'href="javascript' not in page
        assert "&lt;script&gt;" in page and "default-src 'none'" in reply.get("content-security-policy")
        assert 'href="./a%20b.txt"' in page and 'href="./deep/"' in page and 'href="../"' in page
        for hidden in (".hidden", "pipe", "out", "ÿ"):
            assert f">{hidden}" not in page
        assert b"home" in get(running, "/").content  # the index comes first
        import re
        from html import unescape

        for link in re.findall(r'href="(\./[^"]+)"', page):
            assert get(running, "/sub/" + unescape(link)[2:]).status in (200, 307), link


def test_fallback_answers_paths_without_a_point(root):
    with serving_site(root, fallback="index.html") as running:
        for target in ("/users/7", "/nope", "/sub/nope/", "/text.txt/x"):
            for _ in range(2):
                assert get(running, target).content == b"<h1>home</h1>", target
        assert get(running, "/nope.js").status == 404
        assert get(running, "/text.txt").content == TEXT
        tag = get(running, "/users/7").get("etag")
        assert get(running, "/users/8", f"If-None-Match: {tag}").status == 304


@pytest.mark.parametrize("fallback", ["../secret.txt", "", "a//b"])
def test_a_fallback_outside_is_refused_at_the_start(root, fallback):
    with pytest.raises(ApplicationError, match="fallback"):
        StaticFiles(root, fallback=fallback)


def test_cache_control_by_rule(root):
    rules = {"sub/*": "public, max-age=31536000, immutable", "*.html": "no-cache"}
    with serving_site(root, cache_control=rules) as running:
        assert get(running, "/").get("cache-control") == "no-cache"
        assert get(running, "/sub/").get("cache-control").endswith("immutable")
        assert get(running, "/sub/deep/x.txt").get("cache-control").endswith("immutable")
        assert get(running, "/text.txt").get("cache-control") is None
        tag = get(running, "/").get("etag")
        assert get(running, "/", f"If-None-Match: {tag}").get("cache-control") == "no-cache"
    with pytest.raises(ApplicationError, match="Cache-Control"):
        StaticFiles(root, cache_control={"*": "a\r\nX: y"})


def test_other_index_names(root):
    (root / "sub" / "main.htm").write_bytes(b"main")
    with serving_site(root, index=["main.htm", "index.html"]) as running:
        assert get(running, "/sub/").content == b"main"
        assert get(running, "/").content == b"<h1>home</h1>"


def test_hooks_of_an_application_see_and_change_each_response(root):
    from penstock.app.application import App
    from tests.server.harness import serve

    app = App()
    app.mount("/s", StaticFiles(root))

    @app.after
    def mark(request, response):
        response.headers.append("X-Mark", "1")

    with serve(app) as running:
        for target in ("/s/text.txt", "/s/large.bin", "/s/nope"):
            for _ in range(3):
                reply = get(running, target)
                assert [value for name, value in reply.fields if name.lower() == "x-mark"] == ["1"]


def test_a_mounted_folder_under_another_server_sends_every_field(root):
    from penstock.app.application import App

    app = App()
    app.mount("/s", StaticFiles(root))

    async def ask(method):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": "/s/text.txt",
                "raw_path": b"/s/text.txt",
                "query_string": b"",
                "headers": [(b"host", b"t")],
                "client": None,
                "server": None,
            },
            receive,
            send,
        )
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    for _ in range(2):  # from the file, then from the cache
        status, fields, content = asyncio.run(ask("GET"))
        assert (status, content) == (200, TEXT)
        assert fields[b"etag"] and fields[b"last-modified"] and fields[b"accept-ranges"] == b"bytes"
        assert fields[b"content-length"] == str(len(TEXT)).encode()
        assert asyncio.run(ask("HEAD")) == (200, fields, b"")


def test_no_descriptor_stays_open(root):
    (root / "out").symlink_to(root.parent)
    with serving_site(root, listing=True, fallback="index.html") as running:
        before = None
        for number in range(12):
            with running.connect() as client:
                for target in (
                    "/text.txt",
                    "/large.bin",
                    "/sub/",
                    "/sub",
                    "/nope",
                    "/out/x",
                    "/.git/config",
                    "/sub/deep/",
                ):
                    client.ask(target)
                    client.ask(target, "HEAD")
                    client.ask(target, "GET", "Range: bytes=0-0,5-6")
                    client.ask(target, "GET", "If-None-Match: *")
                client.send(b"GET /large.bin HTTP/1.1\r\nHost: t\r\n\r\n")
                client.receive(1000)
                client.reset()
            running.wait_idle()
            if number == 3:
                before = len(list(Path("/proc/self/fd").iterdir()))
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
