"""WebSocket echo: messages per second and CPU time per message over 64 connections.

One message is under way on each. A server alone on one processor and the load on another, in interleaved
rounds, as in `servers`. Text of 125 octets, the most a frame holds without a longer head, and of 4 KiB;
nobody offers compression. And the time to read one whole frame, with `codec.py`'s own look at it and through
the protocol of the `websockets` package alone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.peers import find_python, how_to_get, importable
from benchmarks.report import Options, Report
from benchmarks.servers import Round
from benchmarks.subject import free_port, serving
from benchmarks.subjects import make_environment
from benchmarks.timing import Case, Figure, summarise, time_cases
from benchmarks.websocket_load import load, make_frame
from penstock.http.websocket import WebSocketSettings
from penstock.websocket.codec import Codec

if TYPE_CHECKING:
    from benchmarks.subject import Subject

SIZES = (125, 4096)
_CONNECTIONS = 64
_ROUNDS = 5
_SECONDS = 1.5


def commands(peers: Path | None) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """Return the servers by name: how each is started, and the modules it needs."""
    ours = [sys.executable, "-m", "penstock", "run", "--port", "{port}", "--no-access-log"]
    uvicorn = [find_python(peers), "-m", "uvicorn", "--port", "{port}", "--no-access-log"]
    uvicorn += ["--log-level", "error", "--loop", "uvloop", "--http", "httptools"]
    needs = ("uvicorn", "uvloop", "httptools")
    return {
        "penstock": ([*ours, "websocket_apps:native"], ()),
        "penstock-asgi": ([*ours, "websocket_apps:asgi"], ()),
        "uvicorn+websockets": (
            [*uvicorn, "--ws", "websockets", "websocket_apps:asgi"],
            (*needs, "websockets"),
        ),
        "uvicorn+websockets-sansio": (
            [*uvicorn, "--ws", "websockets-sansio", "websocket_apps:asgi"],
            (*needs, "websockets"),
        ),
        "uvicorn+wsproto": ([*uvicorn, "--ws", "wsproto", "websocket_apps:asgi"], (*needs, "wsproto")),
    }


def measure(options: Options) -> Report:
    """Run every server that is present with messages of each size."""
    known = commands(options.peers)
    if not importable(None, ["websockets"]):
        return Report([], ["penstock needs " + how_to_get("websockets")])
    there = importable(options.peers, {need for _, needs in known.values() for need in needs})
    names = [name for name, (_, needs) in known.items() if there.issuperset(needs)]
    left_out = [how_to_get(need) for _, needs in known.values() for need in needs if need not in there]
    if options.is_quick:
        names = names[:1]
    rounds: dict[tuple[int, str], list[Round]] = {(size, name): [] for size in SIZES for name in names}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in names:
            port = free_port()
            command = [part.replace("{port}", str(port)) for part in known[name][0]]
            with (
                tempfile.TemporaryDirectory() as folder,
                serving(command, port, make_environment(), Path(folder)) as subject,
            ):
                for size in SIZES:
                    rounds[size, name].append(_run(subject, size, 0.3 if options.is_quick else _SECONDS))
    figures: list[Figure] = []
    for (size, name), done in rounds.items():
        case = f"echo of {size} octets"
        figures.append(summarise(case, name, [one.rate_per_s for one in done], "msg/s"))
        figures.append(summarise(case, name, [one.cpu_us for one in done], "us CPU/msg"))
    figures = sorted(figures, key=lambda figure: (figure.case, figure.unit))
    return Report(figures + _time_reading(options), left_out)


class _AllByProtocol(Codec):
    __slots__ = ()

    def _read_plain(self, data: bytes, position: int, end: int) -> int:  # noqa: ARG002
        return 0


def _reading(kind: type[Codec], subject: str, size: int) -> Case:
    codec, (frame, data) = kind(WebSocketSettings(), []), make_frame(size)

    def read() -> str | bytes:
        codec.feed(frame)
        return codec.pop()

    if read() != data.decode():
        raise SystemExit("a wrong message")
    return Case(f"reading {size} octets", subject, read, 1)


def _time_reading(options: Options) -> list[Figure]:
    kinds = {"with a look at it": Codec, "by the protocol": _AllByProtocol}
    cases = [_reading(kind, name, size) for size in SIZES for name, kind in kinds.items()]
    return time_cases(cases, is_quick=options.is_quick)


def _run(subject: Subject, size: int, seconds: float) -> Round:
    load(subject.port, size=size, connections=_CONNECTIONS, seconds=seconds / 4)
    before = subject.usage()
    done = load(subject.port, size=size, connections=_CONNECTIONS, seconds=seconds)
    after = subject.usage()
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    return Round(done.requests / done.seconds, used_s * 1e6 / done.requests)


if __name__ == "__main__":
    sys.exit(main(["websocket"]))
