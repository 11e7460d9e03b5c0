"""`penstock static` as a user starts it: every flag of its own takes effect; many clients fetch a large file whole."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.cli.static import FLAGS
from tests.e2e.serving import ROOT, WAIT_S, environment
from tests.server.harness import wait_until

PAGE = b"<h1>home</h1>" * 100


@pytest.fixture
def folder(tmp_path):
    www = tmp_path / "www"
    (www / "sub").mkdir(parents=True)
    (www / "index.html").write_bytes(PAGE)
    (www / "main.htm").write_bytes(b"main")
    (www / "sub" / "file.txt").write_bytes(b"text")
    (www / ".hidden").write_bytes(b"hidden")
    (www / "data.bin.br").write_bytes(b"brotli")
    (www / "data.bin").write_bytes(b"data")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    (www / "link.txt").symlink_to(tmp_path / "outside.txt")
    for path in www.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    return www


class Site:
    def __init__(self, process, port):
        self.process = process
        self.port = port

    def ask(self, target, method="GET", body=None, **fields):
        """Status, fields and content of a reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            named = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request(method, target, body, named)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:  # noqa: PTH123
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


@contextmanager
def static(folder, *flags):
    """`penstock static` inside the block; it ends in order and has logged no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-bb", "-m", "penstock", "static", str(folder), "--port", "0", *flags],
        cwd=ROOT,
        env=environment() | {"PYTHONWARNINGS": "error"},
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    try:
        while not lines or "bounds" not in lines[-1]:
            line = process.stderr.readline()
            assert line, "".join(lines)
            lines.append(line)
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        reader.start()
        yield Site(process, int(re.search(r"http://127\.0\.0\.1:(\d+)", "".join(lines))[1]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
        reader.join(WAIT_S)
        assert "Traceback" not in "".join(lines)
        assert "(static files)" in "".join(lines)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def refused(folder, *flags):
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "static", *([str(folder)] if folder else []), *flags],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_every_flag_has_a_test():
    names = {flag[2:].replace("-", "_") for flag in FLAGS if not flag.startswith("--no-")}

    assert [name for name in names if f"test_{name}" not in globals()] == []


def test_a_folder_is_served(folder):
    with static(folder) as site:
        status, headers, content = site.ask("/")
        assert (status, content, headers["Content-Type"]) == (200, PAGE, "text/html; charset=utf-8")
        assert site.ask("/sub/file.txt")[2] == b"text"
        for refused_path in ("/.hidden", "/link.txt", "/sub/", "/nope", "/..%2foutside.txt"):
            assert site.ask(refused_path)[0] == 404
        assert site.ask("/../outside.txt")[0] == 400
        assert site.ask("/new.txt", "PUT", b"x")[0] == 405


def test_several_workers_serve_it(folder):
    with static(folder, "--workers", "2") as site:
        assert {site.ask("/sub/file.txt")[2] for _ in range(20)} == {b"text"}


def test_index(folder):
    with static(folder, "--index", "main.htm", "--index", "index.html") as site:
        assert site.ask("/")[2] == b"main"


def test_listing(folder):
    with static(folder, "--listing") as site:
        assert b'href="./file.txt"' in site.ask("/sub/")[2]


def test_fallback(folder):
    with static(folder, "--fallback", "index.html") as site:
        assert site.ask("/users/7")[2] == PAGE


def test_cache_control(folder):
    with static(folder, "--cache-control", "sub/*=max-age=60", "--cache-control", "*=no-cache") as site:
        assert site.ask("/sub/file.txt")[1]["Cache-Control"] == "max-age=60"
        assert site.ask("/")[1]["Cache-Control"] == "no-cache"
    assert "expected GLOB=VALUE" in refused(folder, "--cache-control", "nothing")


def test_compress(folder):
    with static(folder) as site:
        _, headers, content = site.ask("/", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip" and gzip.decompress(content) == PAGE
    with static(folder, "--no-compress") as site:
        assert site.ask("/", Accept_Encoding="gzip")[2] == PAGE


def test_precompressed(folder):
    with static(folder) as site:
        assert site.ask("/data.bin", Accept_Encoding="br")[2] == b"brotli"
    with static(folder, "--no-precompressed") as site:
        assert site.ask("/data.bin", Accept_Encoding="br")[2] == b"data"


def test_links_outside(folder):
    with static(folder, "--links-outside") as site:
        assert site.ask("/link.txt")[2] == b"outside"


def test_dotfiles(folder):
    with static(folder, "--dotfiles") as site:
        assert site.ask("/.hidden")[2] == b"hidden"


def test_uploads(folder):
    with static(folder, "--uploads") as site:
        assert site.ask("/new.txt", "PUT", b"new")[0] == 201
        assert site.ask("/new.txt")[2] == b"new" == (folder / "new.txt").read_bytes()


def test_upload_limit(folder):
    with static(folder, "--uploads", "--upload-limit", "1k") as site:
        assert site.ask("/a.txt", "PUT", bytes(1024))[0] == 201
        assert site.ask("/b.txt", "PUT", bytes(1025))[0] == 413


def is_cached(site, folder):
    """Whether a change is not seen at once, so the file came from memory."""
    before = site.ask("/sub/file.txt")[2]
    path = folder / "sub" / "file.txt"
    path.write_bytes(b"changed" if before == b"text" else b"text")
    return site.ask("/sub/file.txt")[2] == before


def test_check_interval(folder):
    with static(folder, "--check-interval", "60") as site:
        assert is_cached(site, folder)
    os.utime(folder / "sub" / "file.txt", (1_700_000_000, 1_700_000_000))
    with static(folder, "--check-interval", "0") as site:
        assert not is_cached(site, folder)


def test_cache_size(folder):
    with static(folder, "--check-interval", "60", "--cache-size", "0") as site:
        assert not is_cached(site, folder)


def test_cache_file_limit(folder):
    with static(folder, "--check-interval", "60", "--cache-file-limit", "3") as site:
        assert not is_cached(site, folder)


def test_open_files(folder):
    (folder / "large.bin").write_bytes(bytes(300_000))
    os.utime(folder / "large.bin", (1_700_000_000, 1_700_000_000))

    def stays_open(site):
        assert site.ask("/large.bin")[0] == site.ask("/large.bin")[0] == 200
        return any(map(leads_there, Path(f"/proc/{site.process.pid}/fd").iterdir()))

    def leads_there(link):
        try:
            return link.readlink() == folder / "large.bin"
        except FileNotFoundError:  # closed since it was listed
            return False

    with static(folder) as site:
        assert stays_open(site)
    with static(folder, "--open-files", "0") as site:
        wait_until(lambda: not stays_open(site), "the file closes")


def test_mistakes_are_one_line(folder):
    assert refused(None) == "penstock: error: static what? Name the directory: penstock static DIR\n"
    assert "is not a directory" in refused(folder / "nowhere")
    assert "--cache-size: expected bytes" in refused(folder, "--cache-size", "much")
    assert "did you mean '--listing'" in refused(folder, "--listings")
    assert "fallback" in refused(folder, "--fallback", "../x")
    assert "unknown flag" in refused(folder, "--interface", "asgi")


CLIENTS, BATCH = int(os.environ.get("STATIC_CLIENTS", "60")), int(os.environ.get("STATIC_BATCH", "20"))
LARGE_BYTES = int(os.environ.get("STATIC_BYTES", str(20 * 2**20)))


@pytest.mark.timeout(1800)
def test_many_clients_fetch_a_large_file_whole(folder):
    """Scaled down; STATIC_CLIENTS=4000 STATIC_BATCH=200 STATIC_BYTES=52428800 is the whole of it."""
    content = os.urandom(2**20) * (LARGE_BYTES // 2**20)
    (folder / "large.bin").write_bytes(content)
    expected = hashlib.blake2b(content).digest()
    failures, most_kib = [], 0

    def fetch():
        digest, received = hashlib.blake2b(), 0
        with socket.create_connection(("127.0.0.1", site.port), WAIT_S) as client:
            client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            head, _, rest = client.recv(65_536).partition(b"\r\n\r\n")
            digest.update(rest)
            received = len(rest)
            while piece := client.recv(262_144):
                digest.update(piece)
                received += len(piece)
        if (head[9:12], received, digest.digest()) != (b"200", len(content), expected):
            failures.append((head, received))

    def fetch_several(count):
        for _ in range(count):
            try:
                fetch()
            except OSError as error:
                failures.append(error)

    with static(folder, "--no-access-log") as site:
        started = time.monotonic()
        threads = [threading.Thread(target=fetch_several, args=(CLIENTS // BATCH,)) for _ in range(BATCH)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most_kib = max(most_kib, site.resident_kib())
            time.sleep(0.05)
        print(f"{CLIENTS} x {LARGE_BYTES} in {time.monotonic() - started:.1f} s, {most_kib / 1024:.0f} MiB")

    assert failures == []
    assert most_kib < 150 * 1024
