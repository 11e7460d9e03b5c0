"""Servers measured beside each other: those that work, and those that fail at some point."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from http_benchmark.errors import BenchmarkError, MissingLibrary
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Resources, Round, Sample
from http_benchmark.servers import wrk
from http_benchmark.servers.definitions import Server, Workload
from http_benchmark.servers.figures import figures_of, results_of, warnings_of
from http_benchmark.servers.launch import Launch, write_static
from http_benchmark.servers.load_process import Load, load_round
from http_benchmark.servers.rounds import Measured, Plan, measure_servers
from http_benchmark.servers.table import left_out, markdown_table, text_table
from tests.http_benchmark.servers.subjects import BEGIN, HELLO, PROGRAMS

LOAD = Load(connections=2, duration_s=0.2, warm_up_s=0.05, interval_s=0.05)


def server(name, program=None):
    command = (sys.executable, "-c", BEGIN + (PROGRAMS[name] if program is None else program), "{port}")
    return Server(name=name, command=command, workloads=("hello",), start_timeout_s=20)


def plan(tmp_path, *, rounds=1, workload=HELLO, make_load=load_round, load=LOAD):
    launch = Launch(here=tmp_path, static=tmp_path, python=sys.executable, peers=sys.executable)
    return Plan(workload=workload, launch=launch, load=load, rounds=rounds, make_load=make_load)


def test_servers_take_turns_and_each_round_says_what_was_used(tmp_path):
    told, before = [], children()

    found = measure_servers(
        [server("plain"), server("forks")],
        plan(tmp_path, rounds=2),
        watch=lambda server, done: told.append((server.name, done.number)),
    )

    assert told == [("plain", 0), ("forks", 0), ("forks", 1), ("plain", 1)]
    assert [(measured.server.name, len(measured.rounds), measured.left_out) for measured in found] == [
        ("plain", 2, ""),
        ("forks", 2, ""),
    ]
    assert children() == before
    for done in found[0].rounds:
        assert done.requests > 0
        assert done.errors == {}
        assert done.server.cpu_s > 0
        assert done.generator.cpu_s > 0
        assert done.server.rss_mb_max > 1


def test_penstock_is_measured_from_its_definition(tmp_path):
    (tmp_path / "shop.py").write_text(
        "from penstock import App\napp = App()\n@app.get('/', run='inline')\ndef home() -> str: return 'Hello, World!'\n"
    )
    ours = Server(
        name="penstock",
        command=("{python}", "-m", "penstock", "run", "--port", "{port}", "--no-access-log", "shop:app"),
        workloads=("hello",),
        environment={"PYTHONPATH": "{here}"},
    )

    (found,) = measure_servers([ours], plan(tmp_path))

    assert found.left_out == ""
    assert found.rounds[0].requests > 10


def test_one_that_fails_is_left_out_and_the_others_stay(tmp_path):
    found = measure_servers([server("exits"), server("wrong"), server("plain")], plan(tmp_path))

    assert left_out(found) == [
        "exits: it ended with exit code 1: no such module: shop",
        "wrong: wrong content 'Oops', right is 'Hello, World!'",
    ]
    assert [len(measured.rounds) for measured in found] == [0, 0, 1]


def test_one_that_is_killed_in_the_middle_of_a_round_is_left_out(tmp_path):
    """It kills itself once it has served for a while under load."""
    dying = (
        "def die():\n    time.sleep(0.1); os.kill(os.getpid(), signal.SIGKILL)\n"
        "def reply(sock, n=[0]):\n    with sock:\n        while sock.recv(65536):\n            n[0] += 1\n"
        "            if n[0] == 6: threading.Thread(target=die).start()\n"
        '            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 13\\r\\n\\r\\nHello, World!")\n'
        "serve(listen())"
    )
    load = Load(connections=2, duration_s=0.8, warm_up_s=0, timeout_s=0.5, interval_s=0.05)

    found = measure_servers([server("dies", dying)], plan(tmp_path, load=load))

    assert "it ended by signal 9" in found[0].left_out
    assert found[0].rounds == []


def test_one_that_begins_to_answer_wrongly_is_left_out(tmp_path):
    turning = (
        "def reply(sock, n=[0]):\n    with sock:\n        while sock.recv(65536):\n            n[0] += 1\n"
        '            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 13\\r\\n\\r\\n" + (b"Hello, World!" if n[0] < 5 else b"Hello, Moon!!"))\n'
        "serve(listen())"
    )

    (found,) = measure_servers([server("turns", turning)], plan(tmp_path))

    assert "wrong content 'Hello, Moon!!'" in found.left_out


def test_errors_are_beside_the_figures_and_told(tmp_path):
    failing = (
        "def reply(sock, n=[0]):\n    with sock:\n        while sock.recv(65536):\n            n[0] += 1\n"
        '            status = b"500 No" if n[0] > 2 and n[0] % 10 == 0 else b"200 OK"\n'
        '            sock.sendall(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 13\\r\\n\\r\\nHello, World!")\n'
        "serve(listen())"
    )

    found = measure_servers([server("fails", failing)], plan(tmp_path))

    if not found[0].left_out:  # the check after the round may have met the tenth
        (figures,) = figures_of(found)
        assert figures.errors["status 500"] == pytest.approx(figures.requests / 9, rel=0.2)
        assert "fails: " in warnings_of([figures])[-1]


def test_a_stop_ends_after_the_round_and_keeps_what_all_have(tmp_path):
    stop = threading.Event()
    told = []

    def watch(server, done):
        told.append(server.name)
        if len(told) == 3:
            stop.set()

    found = measure_servers(
        [server("plain"), server("forks")], plan(tmp_path, rounds=3), watch=watch, stop=stop
    )

    assert told == ["plain", "forks", "forks"]
    assert [len(measured.rounds) for measured in found] == [1, 1]


def test_a_stop_in_the_first_round_leaves_out_who_had_none(tmp_path):
    stop = threading.Event()
    stop.set()

    (found,) = measure_servers([server("plain")], plan(tmp_path), stop=stop)

    assert found.left_out == "stopped before its first round was over"


@pytest.mark.need_tool("nginx")
def test_nginx_serves_the_files_of_a_workload(tmp_path):
    from http_benchmark.servers.definitions import read_definitions

    definitions = read_definitions(Path(__file__).parents[3] / "benchmarks" / "servers.toml")
    workload = definitions.workloads["static10k"]
    write_static(workload, tmp_path)

    (found,) = measure_servers([definitions.servers["nginx"]], plan(tmp_path, workload=workload))

    assert found.left_out == ""
    assert found.rounds[0].errors == {}
    assert found.rounds[0].octets_received > 10_240 * found.rounds[0].requests


@pytest.mark.need_tool("wrk")
def test_wrk_makes_the_load_as_well(tmp_path):
    workload = Workload(
        name="post",
        path="/x?y=1",
        method="POST",
        headers={"X-One": '"1"'},
        body=b'\0"two"',
        content="Hello, World!",
    )

    (found,) = measure_servers([server("plain")], plan(tmp_path, workload=workload, make_load=wrk.load_round))

    done = found.rounds[0]
    assert found.left_out == ""
    assert done.requests > 10
    assert done.duration_s >= 1
    assert done.rate_per_s == pytest.approx(done.requests / done.duration_s)
    assert done.latency.percentile(50) > 0
    assert done.generator.cpu_s > 0


def test_wrk_that_is_absent_is_told(monkeypatch):
    monkeypatch.setattr(wrk, "find_program", lambda _name: None)

    with pytest.raises(MissingLibrary, match="wrk is not installed: install the package of that name"):
        wrk.find()


def test_a_server_that_is_gone_before_the_load_is_told():
    with pytest.raises(BenchmarkError, match=r"the load generator failed: .*cannot connect"):
        load_round("http://127.0.0.1:9", HELLO, LOAD, os.getpid())


def made(name, rates, *, generator_s=0.5, cpu_us=10.0):
    rounds = []
    for number, rate in enumerate(rates):
        done = Round(number=number, started_at=1e9, duration_s=1.0, latency=Histogram([1_000_000] * rate))
        cpu_s = rate * cpu_us / 1e6
        done.server = Resources(
            cpu_s=cpu_s, user_s=cpu_s * 0.6, system_s=cpu_s * 0.4, samples=[Sample(0.1, 50.0, 33.3)]
        )
        done.generator = Resources(cpu_s=generator_s)
        rounds.append(done)
    return Measured(server(name, ""), HELLO, rounds)


def test_figures_are_medians_and_set_against_the_first():
    first, other = figures_of(
        [made("a", [1000, 1010, 990, 1005, 995, 1000]), made("b", [500, 505, 495, 502, 498, 500], cpu_us=20)]
    )

    assert (first.rate_per_s.middle, first.rate_per_s.low, first.rate_per_s.high) == (1000, 990, 1010)
    assert first.cpu_us.middle == pytest.approx(10)
    assert (first.user_us, first.system_us) == (pytest.approx(6), pytest.approx(4))
    assert first.rss_mb == 33.3
    assert first.rate_verdict is None
    assert other.rate_verdict.ratio == pytest.approx(0.5, rel=0.01)
    assert other.rate_verdict.is_significant
    assert other.cpu_verdict.ratio == pytest.approx(2.0, rel=0.01)


def test_a_generator_without_time_left_is_told():
    figures = figures_of([made("a", [1000], generator_s=0.97)])

    assert (
        "the load generator was busy all the time with a: their rates are its limit"
        in warnings_of(figures)[0]
    )
    assert text_table(figures)[1].startswith("a *")


def test_a_rate_that_neither_side_decided_is_told():
    idle, busy = made("a", [50_000]), made("b", [90_000])

    assert warnings_of(figures_of([busy])) == []
    (said,) = warnings_of(figures_of([busy, idle]))
    assert said.startswith("neither server nor generator was busy, in % of a core: a (50 %); something else")


def test_one_left_out_is_in_no_table():
    rows = [Measured(server("x", ""), HELLO, left_out="why"), made("a", [1000, 1010, 990])]

    figures = figures_of(rows)

    assert [row.name for row in figures] == ["a"]
    assert figures[0].rate_verdict is None
    assert markdown_table(figures)[2].startswith(
        "| a | 1,000 | (990 - 1,010) | 10.0 | (6.00 + 4.00) | 33.3 | "
    )


def test_results_are_what_storage_and_export_take():
    (result,) = results_of([made("a", [1000, 1010])], LOAD, "load", {"python": "3"})

    assert (result.name, result.client_library, result.client_type) == ("a hello", "load", "load")
    assert (result.requests_count, result.concurrency_level) == (2010, 2)
    assert result.config_snapshot["server"] == "a"
    assert result.rounds[0].server.user_s > 0  # of figures made above


def children():
    """Of this process."""
    return {entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_ours(entry)}


def _is_ours(entry):
    try:
        return f"\nPPid:\t{os.getpid()}\n" in (entry / "status").read_text()
    except OSError:
        return False
