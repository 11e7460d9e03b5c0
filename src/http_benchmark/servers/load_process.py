"""The load of one round, made by `load/` in a process of its own that is pinned to its processors.

Both sides speak over its pipes: it warms the server up, says so, waits until we have begun to look at what
server and generator use, loads, says so again, and hands the round over. So what is watched is what is
measured, to a millisecond.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Final

from http_benchmark.errors import BenchmarkError
from http_benchmark.load.generator import run_load
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.monitor.sampler import Sampler
from http_benchmark.servers.subject import with_own_packages

if TYPE_CHECKING:
    import threading

    from http_benchmark.measurement.round import Round
    from http_benchmark.servers.definitions import Workload

_WARM: Final = b"warm\n"
_DONE: Final = b"done\n"
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How one round is loaded."""

    connections: int
    duration_s: float
    warm_up_s: float
    timeout_s: float = 30.0
    cpus: tuple[int, ...] = ()
    """Of the generator; none: wherever."""
    interval_s: float | None = None
    """Between looks at what is used; None: the setting."""


class Interrupted(BenchmarkError):
    """The round was to stop before it was over."""


def load_round(
    url: str, workload: Workload, load: Load, server_pid: int, stop: threading.Event | None = None
) -> Round:
    """Load a server that is up; the round says what server and generator used. Interrupted after `stop`."""
    scenario = Scenario(
        requests=(
            Request(
                url=url + workload.path,
                method=workload.method,
                headers=workload.headers,
                body=workload.body,
                expect_status=frozenset({workload.status}),
            ),
        )
    )
    options = LoadOptions(
        connections=load.connections, duration_s=load.duration_s, warm_up_s=0.0, timeout_s=load.timeout_s
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "http_benchmark.servers.load_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us
        env=with_own_packages(os.environ),
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a load without pipes")
        return _converse(
            process.stdin, process.stdout, (scenario, options, load), (server_pid, process.pid), stop
        )
    finally:
        with process:  # closes its pipes
            process.kill()


def _converse(
    to: IO[bytes],
    back: IO[bytes],
    asked: tuple[Scenario, LoadOptions, Load],
    pids: tuple[int, int],
    stop: threading.Event | None,
) -> Round:
    interval_s = asked[2].interval_s
    try:
        to.write(pickle.dumps(asked))
        to.flush()
        if _next_line(back, stop) != _WARM:
            raise _failed(back)
        with ExitStack() as watching:
            server, generator = (watching.enter_context(Sampler([pid], interval_s)) for pid in pids)
            to.write(b"\n")
            to.flush()
            if _next_line(back, stop) != _DONE:
                raise _failed(back)
        found: Round = pickle.loads(back.read())  # noqa: S301 - of our own process
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise BenchmarkError(f"the load generator ended: {error}") from None
    found.server, found.generator = server.resources(), generator.resources()
    return found


def _next_line(back: IO[bytes], stop: threading.Event | None) -> bytes:
    while not select.select([back], [], [], _LOOK_S)[0]:
        if stop is not None and stop.is_set():
            raise Interrupted("stopped")
    return back.readline()


def _failed(back: IO[bytes]) -> BenchmarkError:
    said = back.read().decode("utf-8", "replace").strip()
    return BenchmarkError(f"the load generator failed: {said or 'it ended'}")


def main() -> int:
    """Be the other process."""
    scenario, options, load = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own process
    out = sys.stdout.buffer
    try:
        if load.cpus:
            os.sched_setaffinity(0, load.cpus)
        if load.warm_up_s > 0:
            run_load(scenario, replace(options, duration_s=load.warm_up_s))
        out.write(_WARM)
        out.flush()
        sys.stdin.buffer.readline()
        found = run_load(scenario, options)
    except (BenchmarkError, OSError) as error:
        out.write(f"failed\n{error}".encode())
        return 1
    out.write(_DONE)
    out.flush()
    out.write(pickle.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
