"""`http-benchmark servers`: servers beside each other, each started, checked, loaded and ended in turns."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.cli.interruption import stopping
from http_benchmark.errors import NothingMeasured, UsageError
from http_benchmark.servers.definitions import read_definitions
from http_benchmark.servers.launch import Launch, default_cpus, parse_cpus, write_static
from http_benchmark.servers.load_process import Load
from http_benchmark.servers.output import STDOUT, check_paths, write_all
from http_benchmark.servers.presence import Presence, find_python, interpreter_of, versions
from http_benchmark.servers.rounds import Measured, Plan, measure_servers
from http_benchmark.servers.selection import find_definitions, select_servers, select_workloads
from http_benchmark.servers.table import left_out
from http_benchmark.settings import read_settings
from http_benchmark.statistics.machine import look_at_machine, machine_warnings
from http_benchmark.storage.environment import look_at_environment

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Sequence

    from http_benchmark.measurement.round import Round
    from http_benchmark.servers.definitions import Definitions, Server, Workload
    from http_benchmark.servers.rounds import MakeLoad


_PLACES: Final = {"--peers": "DIR", "--python": "PYTHON"}
_FILES: Final = ("--json", "--csv", "--markdown", "--output")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="servers, the first of which the others are set against; all"
    )
    parser.add_argument(
        "--list", action="store_true", help="say which servers there are, and what is missing"
    )
    where = parser.add_argument_group("which servers")
    where.add_argument(
        "--definitions", type=Path, metavar="FILE", help="TOML; servers.toml or benchmarks/servers.toml"
    )
    where.add_argument(
        "--peers", type=Path, metavar="DIR", help="virtual environment that has the peers; this one"
    )
    where.add_argument("--python", metavar="PATH", help="interpreter that has Penstock; this one")
    where.add_argument(
        "--workload",
        action="append",
        default=[],
        metavar="NAME",
        help="what they are asked; may be given again; the first of the file",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--connections", type=int, default=64, metavar="N", help="64")
    how.add_argument("--rounds", type=int, default=5, metavar="N", help="5")
    how.add_argument(
        "--duration",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="measured of each server, in all its rounds together: 10",
    )
    how.add_argument(
        "--warmup", type=float, default=1.0, metavar="SECONDS", help="before each round, not measured: 1"
    )
    how.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="of each request: 30")
    how.add_argument(
        "--server-cpus", metavar="LIST", help="processors of the server, such as 0 or 0,2-3; the first of two"
    )
    how.add_argument("--load-cpus", metavar="LIST", help="processors of the load; the second of two")
    how.add_argument(
        "--generator",
        choices=("load", "wrk"),
        default="load",
        help="what makes the load: our own, or wrk as a cross-check",
    )
    out = parser.add_argument_group("the results")
    out.add_argument(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="PATH",
        help="as JSON, on stdout in place of the table or into a file",
    )
    out.add_argument("--csv", nargs="?", const=STDOUT, metavar="PATH", help="as --json, in CSV")
    out.add_argument(
        "--markdown",
        nargs="?",
        const=STDOUT,
        metavar="PATH",
        help="as --json, a table in Markdown with machine, versions, date and command",
    )
    out.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help="put those tables into a page, between the comments of each workload",
    )
    out.add_argument("--output", metavar="PATH", help="database that keeps the results")


def run(options: argparse.Namespace) -> int:
    """Measure and return the exit code."""
    definitions = read_definitions(find_definitions(options.definitions))
    python = find_python(options.python)
    peers = interpreter_of(options.peers)
    if options.list:
        return _list(definitions, python, peers)
    workloads = select_workloads(definitions, options.workload)
    servers = select_servers(definitions, options.names, workloads)
    _check(options, workloads)
    load = _load_of(options)
    presence = Presence(python, peers, servers)
    found: dict[str, list[Measured]] = {}
    machine = look_at_machine()
    with stopping() as stop, tempfile.TemporaryDirectory(prefix="http-benchmark-") as made:
        for workload in workloads:
            if stop.is_set():
                break
            write_static(workload, Path(made))
            launch = Launch(
                here=definitions.file.absolute().parent,
                static=Path(made),
                python=python,
                peers=peers,
                cpus=_server_cpus(options),
            )
            plan = Plan(
                workload=workload,
                launch=launch,
                load=load,
                rounds=options.rounds,
                make_load=_generator(options.generator),
            )
            able = [server for server in servers if workload.name in server.workloads]
            found[workload.name] = _measure(able, plan, presence, stop)
    if not any(measured.rounds for each in found.values() for measured in each):
        for each in found.values():
            print(*(f"left out: {line}" for line in left_out(each)), sep="\n", file=sys.stderr)
        raise NothingMeasured("no server could be measured")
    environment = look_at_environment()
    environment["libraries"] = versions(
        python, peers, [one.server for each in found.values() for one in each if one.rounds]
    )
    warnings = machine_warnings(machine, look_at_machine())
    return write_all(
        found, load, options, command=_command(options.words), environment=environment, warnings=warnings
    )


def _command(asked: Sequence[str]) -> str:
    """Return how this was called, for whoever calls it elsewhere: without paths and files of this machine."""
    given, words = list(asked), ["http-benchmark"]
    while given:
        word = given.pop(0)
        flag, equals, _ = word.partition("=")
        has_value = not equals and bool(given) and not given[0].startswith("-")
        if flag in _FILES:
            if has_value:
                given.pop(0)
        elif flag in _PLACES:
            words += [f"{flag}={_PLACES[flag]}"] if equals else [flag, _PLACES[flag]]
            if has_value:
                given.pop(0)
        else:
            words.append(word)
    return shlex.join(words)


def _measure(
    servers: Sequence[Server], plan: Plan, presence: Presence, stop: threading.Event
) -> list[Measured]:
    """Measure those that are there; the others are left out."""
    missing = {server.name: presence.missing(server) for server in servers}
    present = [server for server in servers if not missing[server.name]]
    done = {
        measured.server.name: measured
        for measured in measure_servers(present, plan, watch=lambda *told: _tell(plan, *told), stop=stop)
    }
    return [
        done.get(server.name) or Measured(server, plan.workload, left_out=missing[server.name])
        for server in servers
    ]


def _tell(plan: Plan, server: Server, done: Round) -> None:
    used = f", {done.server.cpu_s * 1e6 / done.requests:.1f} us CPU a request" if done.server else ""
    errors = f", {done.error_count} errors" if done.error_count else ""
    print(
        f"{plan.workload.name}, round {done.number + 1} of {plan.rounds}: "
        f"{server.name} {done.rate_per_s:,.0f}/s{used}{errors}",
        file=sys.stderr,
        flush=True,
    )


def _list(definitions: Definitions, python: str, peers: str) -> int:
    presence = Presence(python, peers, definitions.servers.values())
    width = max(map(len, definitions.servers))
    for server in definitions.servers.values():
        missing = presence.missing(server)
        print(f"{server.name:{width}}  {', '.join(server.workloads)}" + (f"  ({missing})" if missing else ""))
    return 0


def _check(options: argparse.Namespace, workloads: Sequence[Workload]) -> None:
    """Say what is wrong before anything is started."""
    if options.rounds < 1:
        raise UsageError(f"--rounds is {options.rounds}, but must be a whole number above 0")
    check_paths(options)
    if options.update is not None:
        from http_benchmark.servers.page import check_page

        check_page(options.update, [workload.name for workload in workloads])


def _load_of(options: argparse.Namespace) -> Load:
    from http_benchmark.load.options import LoadOptions

    LoadOptions(  # says what is wrong with them
        connections=options.connections,
        duration_s=options.duration,
        warm_up_s=options.warmup,
        timeout_s=options.timeout,
    )
    return Load(
        connections=options.connections,
        duration_s=options.duration / options.rounds,
        warm_up_s=options.warmup,
        timeout_s=options.timeout,
        cpus=default_cpus()[1] if options.load_cpus is None else parse_cpus(options.load_cpus),
        interval_s=read_settings().resource_monitoring_interval,
    )


def _server_cpus(options: argparse.Namespace) -> tuple[int, ...]:
    return default_cpus()[0] if options.server_cpus is None else parse_cpus(options.server_cpus)


def _generator(name: str) -> MakeLoad:
    if name == "wrk":
        from http_benchmark.servers import wrk

        wrk.find()
        return wrk.load_round
    from http_benchmark.servers.load_process import load_round

    return load_round
