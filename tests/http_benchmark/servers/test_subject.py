"""Servers that start, and servers that do not; none of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from http_benchmark.monitor.proc import ProcReader
from http_benchmark.servers.check import check
from http_benchmark.servers.subject import SubjectFailed, serving, with_own_packages
from tests.http_benchmark.servers.subjects import HELLO, affinity, is_alive, running

WAIT_S = 20


def gone(pids):
    """Whether all of these processes end, in their own time."""
    latest = time.monotonic() + WAIT_S
    while any(map(is_alive, pids)) and time.monotonic() < latest:
        time.sleep(0.01)
    return not any(map(is_alive, pids))


def check_until_it_fails(subject):
    latest = time.monotonic() + WAIT_S
    while time.monotonic() < latest:
        subject.check_alive()


@pytest.mark.parametrize("name", ["plain", "late"])
def test_a_server_is_up_inside_the_block_and_gone_after_it(name, tmp_path):
    with running(name, tmp_path) as subject:
        assert check(subject.port, HELLO) == 13
        subject.check_alive()

    assert not is_alive(subject.pid)


@pytest.mark.parametrize("name", ["stubborn", "leaves"])
def test_what_does_not_end_is_killed(name, tmp_path):
    with running(name, tmp_path) as subject:
        family = ProcReader().members([subject.pid])

    assert not any(map(is_alive, family))


def test_all_that_came_of_a_server_ends_with_it(tmp_path):
    with running("forks", tmp_path) as subject:
        latest = time.monotonic() + WAIT_S
        while len(family := ProcReader().members([subject.pid])) < 4 and time.monotonic() < latest:
            pass

    assert len(family) == 4
    assert not any(map(is_alive, family))


def test_a_failure_in_the_block_ends_it_too(tmp_path):
    family = set()

    def fail():
        with running("forks", tmp_path) as subject:
            family.update(ProcReader().members([subject.pid]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert not any(map(is_alive, family))


def test_it_is_pinned_to_the_processors_given(tmp_path):
    cpu = max(os.sched_getaffinity(0))

    with running("forks", tmp_path, cpus=[cpu]) as subject:
        found = {frozenset(affinity(pid)) for pid in ProcReader().members([subject.pid])}

    assert found == {frozenset({cpu})}


def test_one_that_never_listens_is_given_up(tmp_path):
    with (
        pytest.raises(SubjectFailed, match=r"does not listen on its port within 0\.3 s"),
        running("never", tmp_path, start_timeout_s=0.3),
    ):
        pass


def test_one_that_ends_says_why(tmp_path):
    with (
        pytest.raises(SubjectFailed, match="it ended with exit code 1: no such module: shop"),
        running("exits", tmp_path),
    ):
        pass


def test_a_command_that_is_none_is_told(tmp_path):
    with (
        pytest.raises(SubjectFailed, match=r"cannot be started: .*no-such-program"),
        serving(["no-such-program"], port=1, folder=tmp_path),
    ):
        pass


def test_one_that_is_killed_is_noticed(tmp_path):
    with running("plain", tmp_path) as subject:
        os.kill(subject.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(SubjectFailed, match="it ended by signal 9"):
                check_until_it_fails(subject)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "term", "int"]
)
def test_nothing_is_left_when_we_are_ended(number, tmp_path):
    program = (
        "import sys, pathlib, time; from tests.http_benchmark.servers.subjects import running\n"
        "with running('forks', pathlib.Path(sys.argv[1])) as subject:\n"
        "    print(subject.pid, flush=True); time.sleep(600)"
    )
    ours = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[3],
        env=with_own_packages(os.environ),
    )
    family = ProcReader().members([int(ours.stdout.readline())])
    ours.send_signal(number)
    ours.wait()
    ours.stdout.close()

    assert len(family) >= 1
    assert gone(family)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "wrong content 'Oops', right is 'Hello, World!'"),
        ("error", "wrong status 500, right is 200: 'Oops'"),
        ("closes", "keep-alive does not work"),
        ("drops", "a second time on the same connection"),
    ],
)
def test_a_wrong_answer_is_told(name, said, tmp_path):
    with running(name, tmp_path) as subject, pytest.raises(SubjectFailed) as failed:
        check(subject.port, HELLO)

    assert said in str(failed.value)
