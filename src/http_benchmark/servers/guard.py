"""The process between us and a server: it starts the server and ends it with all that came of it.

It lives in a session of its own, so that Ctrl-C does not reach it, and gives the server another. Its standard
input is a pipe from us: when that closes, because we want the server to end or because we are gone, by kill
-9 as well, it sends SIGTERM to the server, waits, and kills whatever is left of its session and descendants.

    stdin    one line of JSON: command, environment, working_folder, log, cpus, stop_timeout_s; then nothing
    stdout   "started PID" or "failed WHY"; "ended CODE" when the server ends by itself
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from http_benchmark.monitor.reader import find_reader

_LOOK_S: Final = 0.02
_LOOKS: Final = 50
"""How often one looks for what is left: what is killed may just have started something."""


class Guard:
    """Of one server."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._has_ended = threading.Event()
        self._is_told = threading.Event()
        self._server = _start(asked)

    def run(self) -> None:
        """Until standard input closes."""
        print(f"started {self._server.pid}", flush=True)
        threading.Thread(target=self._wait, daemon=True).start()
        sys.stdin.read()
        self._is_told.set()
        self._end()

    def _wait(self) -> None:
        code = self._server.wait()
        self._has_ended.set()
        if not self._is_told.is_set():
            with suppress(OSError):  # nobody may listen any more
                print(f"ended {code}", flush=True)

    def _end(self) -> None:
        """Ask it to end, then kill whatever is left."""
        reader, root = find_reader(), self._server.pid
        strays = _Handles(reader.members([root]) - {root})
        if not self._has_ended.is_set():
            _signal(root, signal.SIGTERM)
            if not self._has_ended.wait(self._asked["stop_timeout_s"]):
                strays.add(reader.members([root]) - {root})
                _signal(root, signal.SIGKILL)
        for _ in range(_LOOKS):
            strays.kill()
            left = [pid for pid in _session(root) if pid != root or not self._has_ended.is_set()]
            if not left:
                break
            for pid in left:
                _signal(pid, signal.SIGKILL)
            time.sleep(_LOOK_S)
        self._has_ended.wait()


class _Handles:
    """Descendants of a server, held so that no other process with their number is ever meant; those that
    stayed in its session are found there as well.
    """

    def __init__(self, pids: set[int]) -> None:
        self._files: dict[int, int] = {}
        self.add(pids)

    def add(self, pids: set[int]) -> None:
        for pid in pids - set(self._files):
            with suppress(OSError, AttributeError):  # it has ended; this system has no such thing
                self._files[pid] = os.pidfd_open(pid)

    def kill(self) -> None:
        for file in self._files.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(file, signal.SIGKILL)


def _start(asked: dict[str, Any]) -> subprocess.Popen[bytes]:
    cpus = asked["cpus"]

    def pin() -> None:
        os.sched_setaffinity(0, cpus)

    with Path(asked["log"]).open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - the command of a definition
            asked["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=asked["working_folder"],
            env=asked["environment"],
            start_new_session=True,
            preexec_fn=pin if cpus else None,  # noqa: PLW1509 - there is no other thread yet
        )


def _session(leader: int) -> list[int]:
    """Return the processes of a session that live: an ended one nobody waits for is none."""
    found = []
    for pid in find_reader().members([leader]):
        with suppress(OSError):
            if os.getsid(pid) == leader and not _is_zombie(pid):
                found.append(pid)
    return found


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(") ")[2][:1] == "Z"
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def main() -> int:
    """Guard one server."""
    try:
        guard = Guard(json.loads(sys.stdin.readline()))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"failed {error}", flush=True)
        return 1
    guard.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
