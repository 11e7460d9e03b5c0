"""A folder to serve, and a server for it: alone (`penstock static`) or mounted in an application."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from penstock.app.application import App
from penstock.app.static.files import StaticFiles
from penstock.app.static.site import StaticSite
from tests.server.harness import serve

TEXT = b"0123456789" * 300
SCRIPT = b"let answer = 42;\n" * 200
_NOBODY = 65534
LARGE = bytes(range(256)) * 4096  # 1 MiB


def make_folder(tmp_path):
    """www/ with what a site has, and things beside and in it that nobody may get."""
    root = tmp_path / "www"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "index.html").write_bytes(b"<h1>home</h1>")
    (root / "text.txt").write_bytes(TEXT)
    (root / "app.js").write_bytes(SCRIPT)
    (root / "large.bin").write_bytes(LARGE)
    (root / "empty.txt").write_bytes(b"")
    (root / "sub" / "index.html").write_bytes(b"sub")
    (root / "sub" / "a b.txt").write_bytes(b"spaced")
    (root / "sub" / "deep" / "x.txt").write_bytes(b"deep")
    (root / ".env").write_bytes(b"PASSWORD=secret")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"secret")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "www2").mkdir()
    (tmp_path / "www2" / "secret.txt").write_bytes(b"secret")
    settle(root)
    return root


def settle(root):
    """Make everything as old as what a cache may keep."""
    then = time.time() - 100
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (then, then))


@contextmanager
def serving_site(root, *, faults=False, settings=None, **options):
    with serve(StaticSite(StaticFiles(root, **options)), faults=faults, **(settings or {})) as running:
        yield running


@contextmanager
def serving_app(root, prefix="/static", **options):
    app = App()
    app.mount(prefix, StaticFiles(root, **options))

    @app.get("/hello", run="inline")
    def hello() -> str:
        return "hello"

    with serve(app) as running:
        yield running


@contextmanager
def without_rights(running):
    """As another user, when this one is root, whom no mode stops. All threads change at once, the server's, too."""
    running.ask("/nowhere")  # imports what refusals need while this user may read it
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
