"""What becomes of the processes behind `run="process"` when the server ends, in whichever way."""

from __future__ import annotations

import signal
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.serving import WAIT_S, Serving


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and only not yet reaped


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_of_the_pool_outlives_the_server(number: int):
    server = Serving("examples.processes:app")
    urllib.request.urlopen(f"{server.url}/primes/100", timeout=WAIT_S).close()
    own = server.process.pid
    children = [
        int(child)
        for task in Path(f"/proc/{own}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    assert children

    server.process.send_signal(number)

    end = time.monotonic() + WAIT_S
    while any(map(is_running, children)):
        assert time.monotonic() < end, f"left behind: {[pid for pid in children if is_running(pid)]}"
        time.sleep(0.01)
    server.wait()
