"""examples/demo.py, /files: what is read and written, and that nothing outside the folder ever is."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.serving import serving
from tests.examples.conftest import Site

SECRET = b"the secret\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`files/` is served; `outside/` beside it is not."""
    base = tmp_path_factory.mktemp("base")
    folder, outside = base / "files", base / "outside"
    (folder / "below").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    (base / "files-too").mkdir()
    (base / "files-too" / "secret.txt").write_bytes(SECRET)
    (folder / "plain.txt").write_bytes(b"plain\n")
    (folder / "below" / "page.html").write_bytes(b"<p>page</p>")
    (folder / ".hidden").write_bytes(SECRET)
    (folder / "link-out").symlink_to(outside)
    (folder / "link-to-file").symlink_to(outside / "secret.txt")
    (folder / "link-within").symlink_to(folder / "plain.txt")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(outside / "new.txt")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture(scope="module")
def site(folder):
    with serving("examples.demo:app", DEMO_FILES=str(folder)) as server:
        yield Site(server)


def send_raw(site, method, target, content=b""):
    """The status of a request no client library would send; `target` is put on the wire as it is."""
    with socket.create_connection(("127.0.0.1", site.server.port), 30) as client:
        head = f"{method} {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        client.sendall(head.encode("latin-1") + content)
        received = b""
        while piece := client.recv(65_536):
            received += piece
    return int(received.split()[1]), received


def seen_outside(folder):
    return sorted(
        str(path.relative_to(folder.parent))
        for path in folder.parent.rglob("*")
        if folder not in path.parents
    )


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("target", "media_type", "content"),
    [
        ("/files/plain.txt", "text/plain", b"plain\n"),
        ("/files/below/page.html", "text/html", b"<p>page</p>"),
        ("/files/below/../plain.txt", "text/plain", b"plain\n"),
        ("/files/./plain.txt", "text/plain", b"plain\n"),
        ("/files/link-within", "text/plain", b"plain\n"),
    ],
)
def test_file_is_read(site, target, media_type, content):
    reply = site.get(target)

    assert (reply.status, reply.media_type, reply.content) == (200, media_type, content)


def test_file_cannot_run_as_a_page_of_the_site(site):
    reply = site.get("/files/below/page.html")

    assert reply.headers["content-security-policy"] == "sandbox"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_head_of_a_file(site):
    reply = site.ask("HEAD", "/files/plain.txt")

    assert (reply.status, reply.headers["content-length"], reply.content) == (200, "6", b"")


@pytest.mark.parametrize(
    "target", ["/files/none", "/files/below", "/files/plain.txt/x", "/files/", "/files", "/files/pipe"]
)
def test_what_is_no_file_is_not_found(site, target):
    assert site.get(target).status == 404


# ----------------------------------------------------------------------------------------------------------- traversal

OUTSIDE = [
    "/files/../outside/secret.txt",
    "/files/../../../../../../../../etc/passwd",
    "/files/%2e%2e/outside/secret.txt",
    "/files/%2E%2E/%2E%2E/etc/passwd",
    "/files/.%2e/outside/secret.txt",
    "/files/..%2foutside%2fsecret.txt",
    "/files/..%2Foutside%2Fsecret.txt",
    "/files/%2e%2e%2foutside%2fsecret.txt",
    "/files/below/..%2f..%2foutside%2fsecret.txt",
    "/files/below%2f..%2f..%2foutside%2fsecret.txt",
    "/files/%252e%252e/outside/secret.txt",
    "/files/..%5coutside%5csecret.txt",
    "/files/..\\outside\\secret.txt",
    "/files//etc/passwd",
    "/files/%2fetc%2fpasswd",
    "/files/%2Fetc/passwd",
    "/files/%2f%2fetc/passwd",
    "/files/..;/outside/secret.txt",
    "/files/.../outside/secret.txt",
    "/files/..%2ffiles-too/secret.txt",
    "/files/../files-too/secret.txt",
    "/files/link-out/secret.txt",
    "/files/link-out%2fsecret.txt",
    "/files/link-out/../secret.txt",
    "/files/link-to-file",
    "/files/.hidden",
    "/files/%2ehidden",
    "/files/below/../.hidden",
    "/files/plain.txt%00",
    "/files/plain.txt%00.html",
    "/files/%00",
    "/files/..%00/outside/secret.txt",
    "/files/%c0%ae%c0%ae/outside/secret.txt",
    "/files/%ff",
    "/files/..%c0%afoutside",
    "/files/%uff0e%uff0e/outside",
    "/files/~root/.profile",
    "/files/loop",
    "/files/file:%2f%2f%2fetc%2fpasswd",
    "/files/below//page.html",
    "/files/" + "a" * 300,
    "/files/" + "a/" * 1000 + "b",
    "/files/" + "%2e%2e%2f" * 100 + "etc/passwd",
]


@pytest.mark.parametrize("target", OUTSIDE, ids=lambda target: target[:60])
def test_nothing_outside_is_read(site, target):
    status, received = send_raw(site, "GET", target)

    assert status in (400, 403, 404)
    assert SECRET not in received
    assert b"root:" not in received


@pytest.mark.parametrize("target", OUTSIDE, ids=lambda target: target[:60])
def test_nothing_outside_is_written(site, folder, target):
    before = seen_outside(folder)

    status, _ = send_raw(site, "POST", target, b"overwritten")

    assert status in (201, 400, 403, 404, 405, 409)
    assert seen_outside(folder) == before
    for place in ("outside", "files-too"):
        assert (folder.parent / place / "secret.txt").read_bytes() == SECRET
    assert (folder / ".hidden").read_bytes() == SECRET


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/files/..%2foutside%2fsecret.txt", 403),
        ("/files/link-out/secret.txt", 403),
        ("/files/.hidden", 403),
        ("/files/%2fetc%2fpasswd", 400),
        ("/files/plain.txt%00", 400),
        ("/files/%ff", 400),
        ("/files/../../etc/passwd", 400),
        ("/files/" + "a" * 300, 400),
        ("/files/none", 404),
    ],
)
def test_refusal_says_which_kind_it_is(site, target, status):
    assert send_raw(site, "GET", target)[0] == status


def test_dangling_symlink_is_not_written_through(site, folder):
    status, _ = send_raw(site, "POST", "/files/dangling", b"x")

    assert status == 403
    assert not (folder.parent / "outside" / "new.txt").exists()


# ------------------------------------------------------------------------------------------------------------- writing


def test_file_is_written_and_read_again(site, folder):
    content = bytes(range(256)) * 16

    created = site.ask("POST", "/files/new/deep/data.bin", content)

    assert (created.status, created.headers["location"], created.content) == (
        201,
        "/files/new/deep/data.bin",
        b"",
    )
    assert site.get("/files/new/deep/data.bin").content == content
    assert (folder / "new" / "deep" / "data.bin").read_bytes() == content


@pytest.mark.parametrize("name", ["%C3%BCmlaut.txt", "a%20b", "semi;colon", "100%25", "%3Cb%3E"])
def test_location_of_a_written_file_leads_to_it(site, name):
    created = site.ask("POST", f"/files/{name}", b"content")

    assert created.status == 201
    assert site.get(created.headers["location"]).content == b"content"


def test_file_is_replaced(site):
    site.ask("POST", "/files/twice", b"a long first version")
    site.ask("POST", "/files/twice", b"second")

    assert site.get("/files/twice").content == b"second"


def test_empty_file_and_the_largest(site):
    assert site.ask("POST", "/files/empty", b"").status == 201
    assert site.get("/files/empty").content == b""
    assert site.ask("POST", "/files/large", b"x" * 2**20).status == 201
    assert len(site.get("/files/large").content) == 2**20


def test_file_beyond_the_limit_is_refused(site, folder):
    status, _ = send_raw(site, "POST", "/files/larger", b"x" * (2**20 + 1))

    assert status == 413
    assert not (folder / "larger").exists()


@pytest.mark.parametrize("target", ["/files/below", "/files/plain.txt/below"])
def test_name_that_is_taken_is_a_conflict(site, target):
    assert site.ask("POST", target, b"x").status == 409


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(site, method):
    assert site.ask(method, "/files/plain.txt").status == 405


def test_reader_never_sees_half_a_file(site):
    versions = [bytes([digit]) * 200_000 for digit in b"0123456789"]
    site.ask("POST", "/files/contested", versions[0])

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(site.ask, "POST", "/files/contested", version) for version in versions * 3]
        reads = [pool.submit(site.get, "/files/contested") for _ in range(60)]

    assert {write.result().status for write in writes} == {201}
    assert all(read.result().content in versions for read in reads)


def test_no_temporary_file_is_left(site, folder):
    site.ask("POST", "/files/tidy/one", b"1")
    site.ask("POST", "/files/tidy/one", b"2")

    assert [path.name for path in (folder / "tidy").iterdir()] == ["one"]
