"""Moments in which the loop stands still: told once each, with length, frame and request."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from penstock.http.response import TextResponse
from penstock.observe.stacks import Place
from penstock.server.standstills import _find_common
from tests.server.harness import endpoint, request, serve, wait_until

LIMIT_S = 0.1
BLOCKED_S = 0.5


def sleep_long(_):
    time.sleep(BLOCKED_S)
    return TextResponse("slept")


def compute_long(_):
    end = time.monotonic() + BLOCKED_S
    while time.monotonic() < end:
        pass
    return TextResponse("computed")


def hash_long(_):
    """In C, which lets other threads run, for as long as that takes on this machine."""
    end = time.monotonic() + BLOCKED_S
    while time.monotonic() < end:
        hashlib.pbkdf2_hmac("sha256", b"x", b"salt", 200_000)
    return TextResponse("hashed")


def records_of(server, block=None):
    """Those of this function: on a busy machine the loop may stand still elsewhere, and that is told as well."""
    told = [record for record in server.log.records if "the loop was blocked" in record.getMessage()]
    return [record for record in told if block is None or record.frame.endswith(f" {block.__name__}")]


def ask_until_told(server, target, block=None):
    """Ask again when it was not seen: on a machine so busy that a process may well have been stopped."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        server.ask(target)
        look_until = time.monotonic() + 0.5
        while time.monotonic() < look_until:
            if found := records_of(server, block):
                return found[0]
            time.sleep(0.01)
    raise AssertionError("a blocked loop was never told")


def wait_record(server, block=None, count=1):
    wait_until(lambda: len(records_of(server, block)) >= count, "it is told")
    return records_of(server, block)[count - 1]


@pytest.mark.parametrize("block", [sleep_long, compute_long, hash_long])
@pytest.mark.parametrize("run", ["inline", "task"])
def test_a_blocked_loop_is_told_with_its_length_frame_and_request(block, run):
    with serve({"/x": endpoint(run, block, route="/x")}, blocked_loop_s=LIMIT_S) as server:
        record = ask_until_told(server, "/x?key=secret", block)

    assert len(records_of(server, block)) == 1
    message = record.getMessage()
    assert record.levelname == "WARNING"
    assert "<Request GET /x>" in message
    assert "secret" not in message
    assert record.duration_ms >= LIMIT_S * 1e3, "without what the machine stood still meanwhile"
    assert record.frame.endswith(f" {block.__name__}")
    assert f"{Path(__file__).name}:" in record.frame
    assert record.route == "/x"
    assert f"in {block.__name__}\n" in record.stack_info
    assert record.trace_id in message


def test_in_c_that_keeps_the_interpreter_lock_it_is_told_afterwards():
    numbers = range(20_000_000)

    def block(_):
        sum(numbers)
        return TextResponse("added")

    with serve({"/": endpoint("inline", block)}, blocked_loop_s=LIMIT_S) as server:
        record = ask_until_told(server, "/")  # the watch gets its turn as such code ends, or a moment late

    assert "the loop was blocked for" in record.getMessage()


def test_a_task_that_is_no_request_is_named():
    async def grind():
        time.sleep(BLOCKED_S)  # noqa: ASYNC251 - what is not to be done

    def start(_):
        asyncio.get_running_loop().call_later(0.01, lambda: asyncio.ensure_future(grind()))
        return TextResponse("started")

    with serve({"/": endpoint("inline", start)}, blocked_loop_s=LIMIT_S) as server:
        record = ask_until_told(server, "/", grind)

    assert "no request" in record.getMessage()
    assert "grind" in record.getMessage()
    assert record.trace_id is None


def test_the_same_frame_is_told_once_a_minute():
    with serve({"/": endpoint("inline", sleep_long)}, blocked_loop_s=LIMIT_S) as server:
        standstills = server.server._lookout.standstills

        def find():
            """The key of the frame, and how often it was not told."""
            items = [*standstills._quiet.items()]
            return next(((key, silent) for key, (_, silent) in items if key[1] == "sleep_long"), (None, -1))

        end = time.monotonic() + 60
        while find()[1] < 2:  # one in which the whole machine stood still is none
            server.ask("/")
            assert time.monotonic() < end
        told = len(records_of(server, sleep_long))
        key, silent = find()
        standstills._quiet[key] = (0.0, silent)  # the minute is over
        server.ask("/")
        record = wait_record(server, sleep_long, 2)

    assert told == 1
    assert standstills.count >= 4
    assert f"({silent} times more since it was told last)" in record.getMessage()
    assert standstills.longest_s >= BLOCKED_S * 0.3


def test_a_loop_that_only_waits_is_not_blocked():
    async def wait(_):
        await asyncio.sleep(2.0)
        return TextResponse("waited")

    def wait_in_thread(_):
        time.sleep(2.0)
        return TextResponse("waited")

    routes = {"/": endpoint("task", wait), "/thread": endpoint("thread", wait_in_thread)}
    with serve(routes, blocked_loop_s=1.5) as server:
        server.ask("/"), server.ask("/thread")
        assert server.server._lookout.standstills.count == 0

    assert not records_of(server)


def test_nothing_is_told_when_it_is_off():
    with serve({"/": endpoint("inline", sleep_long)}, blocked_loop_s=0.0) as server:
        server.ask("/")

    assert not records_of(server)


def test_what_is_stuck_is_not_told_twice():
    with (
        serve(
            {"/": endpoint("inline", sleep_long)}, blocked_loop_s=LIMIT_S / 2, stuck_timeout_s=2 * LIMIT_S
        ) as server,
        server.connect(request("/")) as client,
    ):
        client.take()
        wait_until(lambda: server.log.messages("the loop goes on"), "it goes on")
        wait_until(lambda: server.server._lookout.standstills.count, "it is counted")

    assert server.log.messages("the loop is stuck for")
    assert not records_of(server)


PAUSED = """
    import sys, threading, time
    from tests.server.harness import endpoint, serve
    from penstock.http.response import TextResponse
    with serve({"/": endpoint("inline", lambda _: TextResponse("x"))}, blocked_loop_s=1.0) as server:
        server.ask("/")
        print("ready", flush=True)
        sys.stdin.readline()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            server.ask("/")
    print([m for m in server.log.messages("the loop was blocked")])
"""


def test_a_pause_of_the_whole_process_blocks_no_loop():
    command = [sys.executable, "-c", textwrap.dedent(PAUSED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # the pause
        child.send_signal(signal.SIGCONT)
        output, _ = child.communicate("go\n", timeout=30)

    assert json.loads(output.replace("'", '"')) == []


def make_stack(names):
    return tuple(Place("app.py", number, name) for number, name in enumerate(names))


@pytest.mark.parametrize(
    ("stacks", "named"),
    [
        (["abc"], "c"),
        (["abc", "abd", "ab"], "b"),
        (["abc", "abc", "abd"], "c"),
        (["abc", "abc", "x"], "c"),
        (["a", "b"], "a"),
    ],
)
def test_the_innermost_call_that_most_looks_share_is_named(stacks, named):
    assert _find_common([make_stack(names) for names in stacks])[-1].function == named
