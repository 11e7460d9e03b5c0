"""`http-benchmark serve` in a process of its own, and what it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3] / "src"
WAIT_S = 60


def wait_until(condition):
    limit = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Serving:
    """A command that serves, with a folder for its temporary files."""

    def __init__(self, folder, *flags):
        self._place = tempfile.TemporaryDirectory()  # short, for the paths of sockets
        self.temporary = Path(self._place.name)
        self._log = folder / "stderr"
        self._told = self._log.open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-bb", "-m", "http_benchmark", "serve", "--port", "0", *flags],
            env=os.environ
            | {"PYTHONPATH": str(SOURCE), "TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(folder)},
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
        )
        self.url = self.process.stdout.readline().strip().rstrip("/")
        self.certificate = Path(folder, "penstock", "self-signed.pem")
        self.started = self.children()
        self.has_ended = False
        self.left = [""]
        """In that folder, at the end."""
        if not self.url:
            self.end(signal.SIGTERM)
            raise AssertionError(self.log)

    @property
    def log(self):
        return self._log.read_text("utf-8")

    def children(self):
        """Process ids of all that have come of it, by the words they were started with."""
        found, ask = {}, [self.process.pid]
        while ask:
            for task in Path(f"/proc/{ask.pop()}/task").glob("*/children"):
                for pid in map(int, task.read_text("ascii").split()):
                    found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    ask.append(pid)
        return found

    def instances(self):
        return sorted(pid for pid, words in self.children().items() if "penstock run" in words)

    def end(self, number):
        """Send a signal and return the exit code, once it and all it started are gone. Once."""
        if self.has_ended:
            return self.process.returncode
        self.has_ended = True
        started = {**self.started, **self.children()}
        self.process.send_signal(number)
        code = self.process.wait(WAIT_S)
        self.process.stdout.close()
        self._told.close()
        wait_until(lambda: not any(is_alive(pid) for pid in started))
        self.left = sorted(each.name for each in self.temporary.iterdir())
        self._place.cleanup()
        return code
