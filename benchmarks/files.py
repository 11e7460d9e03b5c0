"""Files of a folder: requests per second and CPU time per request over 100 kept connections.

10 KB come from memory, 200 KiB by sendfile. `penstock-static` is `penstock static`, `penstock-mounted` the
same folder in an application; nginx runs with open_file_cache, its best case. Interleaved rounds, a server
alone on one processor and the load on another, as in `servers`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import has_wrk, load
from benchmarks.report import Options, Report
from benchmarks.servers import NO_WRK
from benchmarks.subject import free_port, serving
from benchmarks.subjects import make_environment
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.subject import Subject

SIZES = {"10k.html": 10_240, "200k.bin": 200 * 1024}
_CONNECTIONS = 100
_ROUNDS = 5
_SECONDS = 2
_PREFIX = "/files"
_LONG_AGO = 1_000_000_000  # a file that changed just now is not kept

_APPLICATION = f"""from penstock import App, StaticFiles
app = App()
app.mount({_PREFIX!r}, StaticFiles("www"))
"""

_NGINX = """{user}worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=1000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    types {{ text/html html; }}
    server {{ listen 127.0.0.1:{port}; location {prefix}/ {{ alias {folder}/www/; }} root {folder}/www; }}
}}
"""


class Round(NamedTuple):
    """One server under load, once."""

    rate_per_s: float
    cpu_us: float


def names_present() -> tuple[list[str], list[str]]:
    """Return the servers that can be started, and what is missing for the others."""
    ours = ["penstock-static", "penstock-mounted"]
    if shutil.which("nginx") is None:
        return ours, ["nginx: not on PATH; install the package of that name"]
    return [*ours, "nginx-cache"], []


@contextmanager
def serving_folder(name: str, sizes: dict[str, int]) -> Iterator[tuple[Subject, str]]:
    """A server for files of these sizes, and the prefix of their paths."""
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        for file, size in sizes.items():
            with (folder / "www" / file).open("wb") as out:
                block = os.urandom(min(size, 2**20))
                for _ in range(size // len(block)):
                    out.write(block)
            os.utime(folder / "www" / file, (_LONG_AGO, _LONG_AGO))
        command = _command(name, folder, port)
        with serving(command, port, make_environment(), folder) as subject:
            yield subject, _PREFIX if name == "penstock-mounted" else ""


def _command(name: str, folder: Path, port: int) -> list[str]:
    ours = ["--port", str(port), "--no-access-log", "--log-level", "error"]
    if name == "penstock-static":
        return [sys.executable, "-m", "penstock", "static", "www", *ours]
    if name == "penstock-mounted":
        (folder / "mounted.py").write_text(_APPLICATION)
        return [sys.executable, "-m", "penstock", "run", "mounted:app", *ours]
    user = "user root; " if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(user=user, folder=folder, port=port, prefix=_PREFIX))
    return ["nginx", "-c", f"{folder}/nginx.conf"]


def measure(options: Options) -> Report:
    """Run every server that is present with each size."""
    names, left_out = names_present()
    if not has_wrk():
        left_out.append(NO_WRK)
    if options.is_quick:
        names = names[:2]
    rounds: dict[tuple[str, str], list[Round]] = {(file, name): [] for file in SIZES for name in names}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in names:
            with serving_folder(name, SIZES) as (subject, prefix):
                for file, size in SIZES.items():
                    _check(subject.port, f"{prefix}/{file}", size)
                    rounds[file, name].append(_run(subject, f"{prefix}/{file}", options))
    figures: list[Figure] = []
    for (file, name), done in rounds.items():
        figures.append(summarise(file, name, [one.rate_per_s for one in done], "req/s"))
        figures.append(summarise(file, name, [one.cpu_us for one in done], "us CPU/req"))
    return Report(sorted(figures, key=lambda figure: (figure.case, figure.unit)), left_out)


def _check(port: int, path: str, size: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        if len(reply.read()) != size:
            raise SystemExit(f"{path}: wrong length")


def _run(subject: Subject, path: str, options: Options) -> Round:
    seconds = 1 if options.is_quick else _SECONDS
    if not options.is_quick:
        load(subject.port, path, connections=_CONNECTIONS, seconds=1)
    before = subject.usage()
    done = load(subject.port, path, connections=_CONNECTIONS, seconds=seconds)
    after = subject.usage()
    if done.errors or not done.requests:
        raise SystemExit(f"{done.errors} errors in {done.requests} requests")
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    return Round(done.requests / done.seconds, used_s * 1e6 / done.requests)


if __name__ == "__main__":
    sys.exit(main(["files"]))
