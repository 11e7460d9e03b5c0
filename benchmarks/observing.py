"""What being observed costs: hello through an App with everything off, with figures and trace ids as they are
by default, and with an access log in JSON to a file as well; beside it uvicorn with its access log to a file.

As in `servers` each runs alone on one processor, the load on another, in interleaved rounds. CPU time is that
of all threads: that of the thread that writes the log is in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.load import has_wrk
from benchmarks.report import Options, Report
from benchmarks.servers import NO_WRK, Round, run_round
from benchmarks.subject import free_port, serving
from benchmarks.subjects import HELLO, Candidate, candidates, make_command, make_environment, select_present
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUNDS = 7
_SECONDS = 3
_WARM_UP_S = 1

_OFF = ("--no-access-log", "--no-metrics", "--slow-request", "0", "--blocked-loop", "0")
_LOG = ("--access-log-file", "{folder}/access.log")


def _cases(peers: Path | None) -> Mapping[str, Candidate]:
    ours = (sys.executable, "-m", "penstock", "run", "--port", "{port}", "penstock_apps:on_loop")
    uvicorn = candidates(peers)["uvicorn"]
    logging = [part for part in uvicorn.command if part not in ("--no-access-log", "--log-level", "error")]
    hello = frozenset({HELLO})
    return {
        "all off": Candidate((*ours, *_OFF), hello),
        "figures and traces": Candidate((*ours, "--no-access-log"), hello),
        "and JSON access log": Candidate((*ours, *_LOG), hello),
        "uvicorn, access log": Candidate(tuple(logging), hello, uvicorn.needs),
    }


def measure(options: Options) -> Report:
    """Run each case in turn, several times."""
    cases = _cases(options.peers)
    present, left_out = select_present(["uvicorn"], options.peers)
    if options.is_quick:
        left_out = ["peers: not with --quick"]
    if not has_wrk():
        left_out.append(NO_WRK)
    names = [name for name in cases if "uvicorn" not in name or (present and not options.is_quick)]
    rounds: dict[str, list[Round]] = {name: [] for name in names}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in names:
            rounds[name].append(_run(cases[name], is_quick=options.is_quick))
    figures: list[Figure] = []
    for name, done in rounds.items():
        figures.append(summarise("hello", name, [one.rate_per_s for one in done], "req/s"))
        figures.append(summarise("hello", name, [one.cpu_us for one in done], "us CPU/req"))
    return Report(figures, left_out)


def _run(candidate: Candidate, *, is_quick: bool) -> Round:
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        command = make_command(candidate, port, folder)
        with serving(command, port, make_environment(), folder) as subject:
            return run_round(subject, HELLO, 1 if is_quick else _SECONDS, 0 if is_quick else _WARM_UP_S)


if __name__ == "__main__":
    sys.exit(main(["observing"]))
