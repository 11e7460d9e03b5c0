"""Large files stay open between requests: fewer calls, the same answers, and never an old state of a file."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.app.static.files import StaticFiles
from penstock.app.static.site import StaticSite
from tests.app.static.site import LARGE, TEXT, make_folder, serving_app, serving_site, settle
from tests.server.harness import request, serve, wait_until


@pytest.fixture
def root(tmp_path):
    return make_folder(tmp_path)


def open_in(folder):
    """The files below a folder that this process holds open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith(f"{folder}/"):
            found.append(target)
    return sorted(found)


def without_date(reply):
    return [field for field in reply.fields if field[0] != "date"]


@pytest.mark.parametrize("serving", [serving_site, serving_app])
def test_a_file_that_stays_open_is_answered_as_before(root, serving):
    prefix = "/static" if serving is serving_app else ""
    target = f"{prefix}/large.bin"
    with serving(root) as running, running.connect() as client:
        first = client.ask(target)
        tag = first.get("etag")
        for _ in range(3):
            reply = client.ask(target)
            assert (reply.status, reply.content) == (200, LARGE)
            head = client.ask(target, "HEAD")
            assert (head.status, head.content) == (200, b"")
            assert without_date(head) == without_date(reply) == without_date(first)
            assert client.ask(target, "GET", f"If-None-Match: {tag}").status == 304
            assert client.ask(target, "GET", 'If-Match: "x"').status == 412
            assert client.ask(target, "GET", "Range: bytes=5-9").content == LARGE[5:10]
            assert client.ask(f"{target}?a=b").content == LARGE
            wait_until(lambda: open_in(root) == [str(root / "large.bin")], "one is open")
        client.send(request(target, version="1.0"))
        old = client.take()
        assert old.closes and old.content == LARGE and client.ends()
        with running.connect(request(target) * 3 + request(target, "GET", "Connection: close")) as another:
            assert [another.take().content == LARGE for _ in range(4)] == [True] * 4 and another.ends()
        running.wait_idle()
        wait_until(lambda: open_in(root) == [str(root / "large.bin")], "one is open")


def test_a_sibling_stays_open_for_who_accepts_it(root):
    (root / "large.bin.gz").write_bytes(b"gz" * 100_000)
    settle(root)
    with serving_site(root) as running, running.connect() as client:
        for _ in range(3):
            assert client.ask("/large.bin").content == LARGE
            coded = client.ask("/large.bin", "GET", "Accept-Encoding: gzip")
            assert (coded.content, coded.get("content-encoding")) == (b"gz" * 100_000, "gzip")
            assert coded.get("vary") == "Accept-Encoding"
        both = [str(root / "large.bin"), str(root / "large.bin.gz")]
        wait_until(lambda: open_in(root) == both, "both are open")


def write(path, content):
    path.write_bytes(content)


def touch_up(path, content):
    """As many octets, at the same time of change: only the time of the inode tells."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path, content):
    (path.parent / "new").write_bytes(content)
    (path.parent / "new").rename(path)


def recreate(path, content):
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("change", [write, touch_up, replace, recreate])
def test_a_large_file_that_changed_is_never_sent_as_it_was(root, change):
    content = bytes(reversed(LARGE))
    with serving_site(root, check_interval_s=60) as running, running.connect() as client:
        for _ in range(2):
            assert client.ask("/large.bin").content == LARGE
        change(root / "large.bin", content)

        assert client.ask("/large.bin").content == content
        assert client.ask("/large.bin").content == content


def test_a_removed_file_is_gone_and_closed(root):
    with serving_site(root, check_interval_s=60) as running, running.connect() as client:
        for _ in range(2):
            assert client.ask("/large.bin").status == 200
        (root / "large.bin").unlink()

        assert client.ask("/large.bin").status == 404
        wait_until(lambda: open_in(root) == [], "it is closed")


def test_a_link_that_moves_is_followed_after_the_interval(root):
    (root / "other.bin").write_bytes(LARGE[::-1])
    (root / "current").symlink_to("large.bin")
    settle(root)
    with serving_site(root, check_interval_s=0.2) as running, running.connect() as client:
        assert client.ask("/current").content == client.ask("/current").content == LARGE
        (root / "current").unlink()
        (root / "current").symlink_to("other.bin")

        wait_until(lambda: client.ask("/current").content == LARGE[::-1], "the link's new end is served")


def test_who_puts_a_large_file_reads_the_new_one(root):
    with serving_site(root, uploads=True, check_interval_s=60) as running, running.connect() as client:
        assert client.ask("/large.bin").content == client.ask("/large.bin").content == LARGE
        assert client.ask("/large.bin", "PUT", body=b"new").status == 204
        assert client.ask("/large.bin").content == b"new"
        wait_until(lambda: open_in(root) == [], "the old one is closed")


def test_no_more_stay_open_than_allowed(root):
    for number in range(20):
        (root / f"{number}.bin").write_bytes(b"%04d" % number * 50_000)
    settle(root)
    with serving_site(root, open_files=5) as running, running.connect() as client:
        for number in [*range(20), *range(20)]:
            assert client.ask(f"/{number}.bin").content == b"%04d" % number * 50_000
            assert client.ask("/0.bin").status == 200
        wait_until(lambda: len(open_in(root)) == 5, "five are open")
        assert str(root / "0.bin") in open_in(root)  # the one in use


def test_none_stays_open_where_none_is_wanted(root):
    with serving_site(root, open_files=0) as running, running.connect() as client:
        assert client.ask("/large.bin").content == client.ask("/large.bin").content == LARGE
        wait_until(lambda: open_in(root) == [], "none is open")


def test_what_is_not_asked_for_is_closed(root):
    (root / "other.bin").write_bytes(LARGE)
    settle(root)
    files = StaticFiles(root, check_interval_s=0.05)
    files._open_files._idle_s = 0.1
    with serve(StaticSite(files)) as running, running.connect() as client:
        assert client.ask("/large.bin").status == 200

        def only_the_other():
            assert client.ask("/other.bin").status == 200
            return open_in(root) == [str(root / "other.bin")]

        wait_until(only_the_other, "the first is closed")


@contextmanager
def no_descriptor_left():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    highest = max(int(link.name) for link in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_files_that_are_kept_open_make_room_when_descriptors_run_out(root):
    (root / "huge.bin").write_bytes(LARGE * 2)
    settle(root)
    with serving_site(root) as running, running.connect() as client:
        for target in ("/large.bin", "/huge.bin", "/text.txt"):
            assert client.ask(target).status == 200
        with no_descriptor_left():
            assert client.ask("/large.bin").content == LARGE  # open already
            refused = client.ask("/app.js")
            assert (refused.status, refused.get("retry-after")) == (503, "1")
            assert client.ask("/text.txt").content == TEXT
            assert client.ask("/app.js").status == 200  # a directory and a file, in the place of the two
        assert client.ask("/large.bin").content == LARGE
