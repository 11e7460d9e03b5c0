"""The process that watches, as its supervisor ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys
from penstock.server.watch import Tree
from penstock.server.watcher import Watcher

watcher = Watcher(Tree([sys.argv[1]]))
os.kill(watcher.pid, signal.SIGKILL)
os.waitpid(watcher.pid, 0)
watcher.pid = int(sys.argv[2])
watcher.stop()
"""


def test_who_got_the_number_of_a_watcher_that_ended_is_left_alone(tmp_path: Path):
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        words = [sys.executable, "-c", PROGRAM, str(tmp_path), str(bystander.pid)]
        subprocess.run(words, check=True, timeout=20, env={**os.environ, "PYTHONPATH": "src"})

        assert bystander.stdin is not None
        bystander.communicate(b"\n", timeout=20)
        assert bystander.returncode == 0, signal.Signals(-bystander.returncode)
    finally:
        bystander.kill()
        bystander.wait()
