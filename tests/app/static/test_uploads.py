"""Uploads over real sockets: whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import threading
from html import unescape
from urllib.parse import quote, unquote

import pytest

from penstock.app.static import uploads
from tests.app.static.site import TEXT, make_folder, serving_app, serving_site, without_rights
from tests.server.harness import request, wait_until


@pytest.fixture
def root(tmp_path):
    return make_folder(tmp_path)


def put(running, target, body, *fields, method="PUT"):
    with running.connect() as client:
        return client.ask(target, method, *fields, body=body)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_put_makes_and_replaces(root):
    with serving_site(root, uploads=True) as running:
        made = put(running, "/sub/new%20file.txt", b"one")
        assert made.status == 201 and (root / "sub" / "new file.txt").read_bytes() == b"one"
        with running.connect() as client:
            assert client.ask("/sub/new%20file.txt").get("etag") == made.get("etag")
        assert put(running, "/sub/new%20file.txt", b"two").status == 204
        assert (root / "sub" / "new file.txt").read_bytes() == b"two"


def test_who_puts_a_cached_file_reads_the_new_one(root):
    with serving_site(root, uploads=True, check_interval_s=60) as running, running.connect() as client:
        assert client.ask("/text.txt").content == client.ask("/text.txt").content == TEXT
        assert client.ask("/text.txt", "PUT", body=b"new").status == 204
        assert client.ask("/text.txt").content == b"new"


def test_post_only_makes(root):
    with serving_site(root, uploads=True) as running:
        assert put(running, "/new.txt", b"one", method="POST").status == 201
        assert put(running, "/new.txt", b"two", method="POST").status == 409
        assert (root / "new.txt").read_bytes() == b"one"


def test_uploads_below_a_mount(root):
    with serving_app(root, "/files", uploads=True) as running:
        assert put(running, "/files/sub/x.txt", b"x").status == 201
        assert (root / "sub" / "x.txt").read_bytes() == b"x"
        assert put(running, "/files/..%2fx.txt", b"x").status == 409
        assert put(running, "/hello", b"x").status == 405


def test_a_large_upload_arrives_whole(root):
    content = os.urandom(5_000_000)
    with serving_site(root, uploads=True) as running:
        assert put(running, "/big.bin", content).status == 201
        assert (root / "big.bin").read_bytes() == content
        assert put(running, "/empty.bin", b"").status == 201
        assert (root / "empty.bin").read_bytes() == b""


def test_chunked_uploads_arrive_whole(root):
    with serving_site(root, uploads=True) as running, running.connect() as client:
        client.send(
            b"PUT /c.txt HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert client.take("PUT").status == 201
        assert (root / "c.txt").read_bytes() == b"abcde"


@pytest.mark.parametrize(
    "target",
    [
        "/..%2fx.txt",
        "/.env",
        "/.new",
        "/sub/.x",
        "/nowhere/x.txt",
        "/text.txt/x",
        "/x%00",
        "/a%5cb",
        "/sub",
        "//x",
        "/" + "n" * 300,
        "/out/x.txt",
        "/pipe",
    ],
)
def test_places_that_take_no_file(root, target):
    (root / "out").symlink_to(root.parent)
    os.mkfifo(root / "pipe")
    before = (names_in(root), names_in(root.parent), (root / ".env").read_bytes())
    with serving_site(root, uploads=True) as running:
        assert put(running, target, b"evil").status == 409
    assert (names_in(root), names_in(root.parent), (root / ".env").read_bytes()) == before


def test_a_directory_takes_no_content(root):
    with serving_site(root, uploads=True) as running:
        assert put(running, "/sub/", b"x").status == 405
        assert put(running, "/", b"x").status == 405


def test_a_link_is_replaced_and_not_followed(root):
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    with serving_site(root, uploads=True) as running:
        assert put(running, "/link.txt", b"mine").status == 204
    assert (root.parent / "secret.txt").read_bytes() == b"secret"
    assert not (root / "link.txt").is_symlink() and (root / "link.txt").read_bytes() == b"mine"


def test_conditions_guard_an_upload(root):
    with serving_site(root, uploads=True) as running:
        with running.connect() as client:
            tag = client.ask("/text.txt").get("etag")
        assert put(running, "/text.txt", b"x", "If-None-Match: *").status == 412
        assert put(running, "/text.txt", b"x", 'If-Match: "other"').status == 412
        assert put(running, "/new.txt", b"x", "If-Match: *").status == 412
        assert put(running, "/text.txt", b"x", f"If-Match: {tag}").status == 204
        assert put(running, "/new.txt", b"x", "If-None-Match: *").status == 201
        assert put(running, "/new.txt", b"x", "Content-Range: bytes 0-0/2").status == 400


def test_coded_content_is_refused_and_told_why(root):
    with serving_site(root, uploads=True) as running:
        reply = put(running, "/new.js", b"\x1f\x8b", "Content-Encoding: gzip")
        assert (reply.status, reply.get("accept-encoding")) == (415, "identity")
        assert not (root / "new.js").exists()
        assert put(running, "/new.js", b"x", "Content-Encoding: identity").status == 201


def test_an_upload_beyond_the_limit_leaves_nothing(root):
    before = names_in(root)
    with serving_site(root, uploads=True, upload_limit_bytes=100_000) as running:
        assert put(running, "/big.bin", bytes(100_001)).status == 413
        with running.connect() as client:
            client.send(b"PUT /big.bin HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(b"186A1\r\n" + bytes(100_001) + b"\r\n0\r\n\r\n")
            assert client.take("PUT").status == 413
        assert put(running, "/fits.bin", bytes(100_000)).status == 201
        assert names_in(root) == sorted([*before, "fits.bin"])


def test_a_client_that_leaves_leaves_nothing(root):
    before = names_in(root)
    with serving_site(root, uploads=True) as running:
        for ends in (True, False):
            with running.connect() as client:
                client.send(request("/gone.bin", "PUT", "Content-Length: 1000000") + bytes(400_000))
                wait_until(lambda: names_in(root) != before, "the upload begins")
                assert not (root / "gone.bin").exists()
                client.end() if ends else client.reset()
            wait_until(lambda: names_in(root) == before, "the upload is cleaned up")


@pytest.mark.parametrize("where", ["write", "fsync", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_507_and_leaves_nothing(root, where, number, monkeypatch):
    def fail(*args, **options):
        if where == "open" and not (len(args) > 1 and args[1] & os.O_CREAT):
            return real(*args, **options)
        raise OSError(number, "full")

    real = getattr(os, where)
    before = names_in(root)

    class FullDisk:
        def __getattr__(self, name):
            return fail if name == where else getattr(os, name)

    monkeypatch.setattr(uploads, "os", FullDisk())
    with serving_site(root, uploads=True) as running:
        assert put(running, "/new.bin", bytes(600_000)).status == 507
        assert put(running, "/text.txt", bytes(600_000)).status == 507
        assert names_in(root) == before and (root / "text.txt").read_bytes() == TEXT


def test_two_uploads_of_one_name_leave_one_of_them_whole(root):
    contents = [bytes([number]) * 700_000 for number in range(8)]
    with serving_site(root, uploads=True) as running:
        statuses = []
        threads = [
            threading.Thread(target=lambda body=body: statuses.append(put(running, "/same.bin", body).status))
            for body in contents
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {201, 204} and len(statuses) == 8
        assert (root / "same.bin").read_bytes() in contents
        assert [name for name in names_in(root) if name.startswith(".penstock")] == []


def test_of_two_posts_to_one_name_one_makes_the_file(root):
    with serving_site(root, uploads=True) as running:
        clients = [
            running.connect(request("/same.bin", "POST", "Content-Length: 2") + b"%d" % n) for n in range(6)
        ]
        wait_until(lambda: sum(name.startswith(".penstock") for name in names_in(root)) == 6, "all began")
        for client in clients:
            client.send(b"x")
        statuses = [client.take("POST").status for client in clients]

        assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
        assert (root / "same.bin").read_bytes() == b"%dx" % statuses.index(201)
        assert [name for name in names_in(root) if name.startswith(".penstock")] == []


def test_who_may_not_write_is_refused(shared_root):
    before = names_in(shared_root)
    shared_root.chmod(0o555)
    with serving_site(shared_root, uploads=True) as running, without_rights(running):
        assert put(running, "/new.bin", b"x").status == 403
        assert put(running, "/text.txt", b"x").status == 403
        assert put(running, "/text.txt", b"x", method="POST").status == 409
    assert names_in(shared_root) == before and (shared_root / "text.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    "name",
    [
        "a b+c.txt",
        "100%.txt",
        "%2e%2e.txt",
        "-rf",
        "~",
        "a;b&c=d?e#f",
        "'\"<>|*$`!.txt",
        "line\nbreak\r.txt",
        "tab\t\x01\x1b[31m\x7f.txt",
        "naïve — 文件 🦊.txt",
        "e\u0301.txt",
        "CON.",
        "x" * 255,
    ],
)
def test_any_name_a_file_may_have_can_be_stored_listed_and_read(root, name):
    target = "/sub/" + quote(name, safe="")
    (root / "sub" / "index.html").unlink()
    with serving_site(root, uploads=True, listing=True) as running:
        assert put(running, target, b"odd").status == 201
        assert (root / "sub" / name).read_bytes() == b"odd"
        with running.connect() as client:
            assert client.ask(target).content == client.ask(target).content == b"odd"
            page = client.ask("/sub/").content.decode()
        links = [unescape(link) for link in re.findall(r'href="\./([^"]+)"', page)]
        assert name in [unquote(link) for link in links]


def test_slow_uploads_hold_no_thread(root):
    with serving_site(root, uploads=True, settings={"threads": 2}) as running:
        slow = [
            running.connect(request(f"/slow{n}.bin", "PUT", "Content-Length: 10") + b"x") for n in range(10)
        ]
        wait_until(lambda: sum(name.startswith(".penstock") for name in names_in(root)) == 10, "ten began")

        assert put(running, "/quick.txt", b"quick").status == 201
        for client in slow:
            client.send(b"y" * 9)
            assert client.take("PUT").status == 201
        assert (root / "slow9.bin").read_bytes() == b"x" + b"y" * 9


def test_a_stop_in_the_middle_of_an_upload_leaves_nothing(root):
    before = names_in(root)
    with serving_site(root, uploads=True, settings={"drain_timeout_s": 0.2}) as running:
        running.connect(request("/gone.bin", "PUT", "Content-Length: 1000") + b"x")
        wait_until(lambda: names_in(root) != before, "the upload begins")
        running.stop()
    assert names_in(root) == before
