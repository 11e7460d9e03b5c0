"""The load of one round by wrk, for those who want a second opinion of our own generator.

wrk has no figure of its own for a request that is not answered in time but a corrected distribution: it adds
what would have been asked meanwhile. So its distribution is scaled to the number of requests it counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import BenchmarkError, MissingLibrary
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Round
from http_benchmark.monitor.sampler import Sampler
from http_benchmark.servers.load_process import Interrupted
from http_benchmark.servers.presence import find_program

if TYPE_CHECKING:
    import threading

    from http_benchmark.measurement.round import Resources
    from http_benchmark.servers.definitions import Workload
    from http_benchmark.servers.load_process import Load

_LUA: Final = """
function done(summary, latency, requests)
    local parts = {}
    for i = 1, #latency do
        local value, count = latency(i)
        parts[#parts + 1] = string.format("[%d,%d]", value, count)
    end
    local e = summary.errors
    io.write(string.format('\\nFOUND {"requests":%d,"us":%d,"octets":%.0f,"connect":%d,"read":%d,'
        .. '"write":%d,"status":%d,"timeout":%d,"latency":[%s]}\\n', summary.requests, summary.duration,
        summary.bytes, e.connect, e.read, e.write, e.status, e.timeout, table.concat(parts, ",")))
end
"""
_KINDS: Final = {
    "connect": "refused",
    "read": "reset",
    "write": "reset",
    "timeout": "timeout",
    "status": "status",
}
_TOLD: Final = 300
_LOOK_S: Final = 0.02


def find() -> str:
    """Return the path of wrk; MissingLibrary when there is none."""
    found = find_program("wrk")
    if found is None:
        raise MissingLibrary("wrk", "install the package of that name, or use --generator load")
    return found


def load_round(
    url: str, workload: Workload, load: Load, server_pid: int, stop: threading.Event | None = None
) -> Round:
    """Load a server that is up; the round says what server and generator used. Interrupted after `stop`."""
    with tempfile.TemporaryDirectory(prefix="http-benchmark-wrk-") as made:
        folder = Path(made)
        script = folder / "request.lua"
        script.write_text(_script(workload), "utf-8")
        command = [find(), "-t1", f"-c{load.connections}", f"--timeout={_whole(load.timeout_s)}s"]
        command += ["-s", str(script), url + workload.path]
        if load.warm_up_s > 0:
            _run([*command, f"-d{_whole(load.warm_up_s)}s"], load, folder / "warm-up", [server_pid], stop)
        started_at = time.time()
        out = folder / "out"
        used = _run([*command, f"-d{_whole(load.duration_s)}s"], load, out, [server_pid], stop)
        done = _round(_read(out.read_text("utf-8", "replace")), started_at)
    done.server, done.generator = used
    return done


def _whole(seconds: float) -> int:
    """Return what wrk takes: whole seconds only."""
    return max(1, round(seconds))


def _run(
    command: list[str], load: Load, out: Path, server: list[int], stop: threading.Event | None
) -> tuple[Resources, Resources]:
    """Run wrk to its end; return what server and wrk used."""
    with out.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - wrk
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        if load.cpus:
            os.sched_setaffinity(process.pid, load.cpus)
        with (
            Sampler(server, load.interval_s) as watched,
            Sampler([process.pid], load.interval_s) as generator,
        ):
            _await_end(process.pid, stop)
    finally:
        with process:
            process.kill()
    if process.returncode:
        raise BenchmarkError(f"wrk failed: {out.read_text('utf-8', 'replace').strip()[-_TOLD:]}")
    return watched.resources(), generator.resources()


def _await_end(pid: int, stop: threading.Event | None) -> None:
    """Wait, and leave it to be waited for: what it used is there until then."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if stop is not None and stop.is_set():
            raise Interrupted("stopped")
        time.sleep(_LOOK_S)


def _script(workload: Workload) -> str:
    """Return the script that makes the request and hands over all wrk knows at its end."""
    lines = [f"wrk.method = {_quote(workload.method)}"]
    if workload.body:
        lines.append(f"wrk.body = {_quote(workload.body)}")
    lines += [f"wrk.headers[{_quote(name)}] = {_quote(value)}" for name, value in workload.headers.items()]
    return "\n".join(lines) + _LUA


def _quote(text: str | bytes) -> str:
    """Return a string of Lua, whatever is in it."""
    octets = text.encode() if isinstance(text, str) else text
    return '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"'


def _read(said: str) -> dict[str, Any]:
    for line in said.splitlines():
        if line.startswith("FOUND "):
            found: dict[str, Any] = json.loads(line[6:])
            return found
    raise BenchmarkError(f"wrk said {said.strip()[-_TOLD:]!r}")


def _round(found: dict[str, Any], started_at: float) -> Round:
    """Return what wrk found as a round."""
    errors: dict[str, int] = {}
    for name, kind in _KINDS.items():
        if found[name]:
            errors[kind] = errors.get(kind, 0) + found[name]
    successes = found["requests"] - found["status"]
    return Round(
        number=0,
        started_at=started_at,
        duration_s=found["us"] / 1e6,
        latency=_scaled(found["latency"], successes),
        errors=errors,
        octets_received=int(found["octets"]),
    )


def _scaled(parts: list[list[int]], total: int) -> Histogram:
    """Return the distribution with so many values: each part gets its share of them, none is lost."""
    histogram = Histogram()
    seen = given = 0
    whole = sum(count for _, count in parts)
    for value_us, count in sorted(parts):
        seen += count
        share = round(total * seen / whole) - given
        if share > 0:
            histogram.record(value_us * 1000, share)
            given += share
    return histogram
