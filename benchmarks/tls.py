"""Whole servers over TLS: requests per second and CPU time per request over 64 kept connections, GET / as
text.

Each server has the same certificate, of an elliptic curve and made for the occasion by openssl, and its own
defaults otherwise; it runs alone on one processor, the load on another, in interleaved rounds. Handshakes are
over before the time begins. The load is wrk: Python would be measured in place of the server.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import has_wrk, load
from benchmarks.report import Options, Report
from benchmarks.servers import NO_WRK, Round
from benchmarks.subject import free_port, serving
from benchmarks.subjects import HELLO, WORKLOADS, candidates, make_command, make_environment, select_present
from benchmarks.timing import summarise

if TYPE_CHECKING:
    from benchmarks.subject import Subject

_CONNECTIONS = 64
_ROUNDS = 3
_SECONDS = 2
_WARM_UP_S = 1
NO_OPENSSL = "openssl: not on PATH; it makes the certificate: install the package openssl"


class Flags(NamedTuple):
    """How a server is told its certificate."""

    certificate: str
    key: str


SERVERS = {
    "penstock": Flags("--tls-cert", "--tls-key"),
    "penstock-inline": Flags("--tls-cert", "--tls-key"),
    "uvicorn": Flags("--ssl-certfile", "--ssl-keyfile"),
}


def make_certificate(folder: Path) -> None:
    """Write `cert.pem` and `key.pem` for 127.0.0.1."""
    words = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *words.split(), *files], cwd=folder, check=True, capture_output=True)


def check(subject: Subject, folder: Path) -> None:
    """Stop unless the server gives the right answer over TLS that is verified."""
    path, right = WORKLOADS[HELLO]
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    try:
        with urllib.request.urlopen(
            f"https://127.0.0.1:{subject.port}{path}", timeout=10, context=context
        ) as reply:
            content = reply.read()
    except OSError as error:
        raise SystemExit(f"no answer: {error}") from None
    if content != right:
        raise SystemExit(f"wrong answer {content[:120]!r}")


def run_round(subject: Subject, folder: Path, seconds: int, warm_up_s: int) -> Round:
    """Load a server that is up."""
    path, _ = WORKLOADS[HELLO]
    check(subject, folder)
    if warm_up_s:
        load(subject.port, path, connections=_CONNECTIONS, seconds=warm_up_s, scheme="https")
    before = subject.usage()
    done = load(subject.port, path, connections=_CONNECTIONS, seconds=seconds, scheme="https")
    after = subject.usage()
    if done.errors or not done.requests:
        raise SystemExit(f"{done.errors} errors in {done.requests} requests")
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    return Round(done.requests / done.seconds, used_s * 1e6 / done.requests)


def measure(options: Options) -> Report:
    """Run every server that is present."""
    missing = ([] if has_wrk() else [NO_WRK]) + ([] if shutil.which("openssl") else [NO_OPENSSL])
    if missing:
        return Report([], missing)
    names = [name for name in SERVERS if not options.is_quick or name.startswith("penstock")]
    present, left_out = select_present(names, options.peers)
    rounds: dict[str, list[Round]] = {name: [] for name in present}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in present:
            try:
                rounds[name].append(_start_and_run(name, options))
            except SystemExit as error:
                left_out.append(f"{name}: {error}")
    figures = []
    for unit, column in (("req/s", 0), ("us CPU/req", 1)):
        figures += [
            summarise("hello over TLS", name, [one[column] for one in done], unit)
            for name, done in rounds.items()
            if done
        ]
    return Report(figures, left_out)


def _start_and_run(name: str, options: Options) -> Round:
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_certificate(folder)
        flags = SERVERS[name]
        command = [
            *make_command(candidates(options.peers)[name], port, folder),
            *(flags.certificate, str(folder / "cert.pem"), flags.key, str(folder / "key.pem")),
        ]
        with serving(command, port, make_environment(), folder) as subject:
            seconds, warm_up_s = (1, 0) if options.is_quick else (_SECONDS, _WARM_UP_S)
            return run_round(subject, folder, seconds, warm_up_s)


if __name__ == "__main__":
    sys.exit(main(["tls"]))
