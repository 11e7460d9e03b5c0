"""`http-benchmark load` as its users call it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from http_benchmark.cli import main
from http_benchmark.targets.behaviour import Behaviour
from http_benchmark.targets.trouble import trouble
from tests.http_benchmark.cli_runs import environment, run
from tests.http_benchmark.load.liar import HELLO, answering, lying

SHORT = ("--duration", "0.3", "--no-save", "--no-report", "--quiet")


def test_a_server_is_loaded_and_the_result_printed(tmp_path):
    with lying(answering(HELLO)) as server:
        ran = run(tmp_path, "load", server.url, *SHORT, code=0)

    assert f"GET {server.url}, 10 at a time, closed loop, 0.3 s" in ran.out
    assert "corrected" in ran.out and "connections" in ran.out
    assert not list((tmp_path / "work").iterdir())


def test_without_a_url_the_embedded_target_is_loaded(tmp_path):
    ran = run(tmp_path, "load", *SHORT, "--rounds", "2", "--json", code=0)

    (result,) = json.loads(ran.out)
    assert (result["client_library"], result["error_count"]) == ("load", 0)
    assert result["requests_count"] > 10 and len(result["rounds"]) == 2


def test_all_that_can_be_asked_for_is_sent(tmp_path):
    (tmp_path / "d.csv").write_text("n\n1\n2\n")
    words = (
        "--requests", "4", "--connections", "1", "--warmup", "0", "--method", "post", "--body", "n={n}",
        "--headers", '{"X-N": "{n}"}', "--data", str(tmp_path / "d.csv"), "--cookies", "--expect-body", "hello",
        "--expect-status", "200", "--requests-per-connection", "2", "--timeout", "20", "--name", "mine",
        "--no-verify-ssl",
    )  # fmt: skip
    with lying(answering(HELLO)) as server:
        ran = run(tmp_path, "load", server.url + "{n}", *SHORT, *words, "--json", code=0)

    (result,) = json.loads(ran.out)
    assert (result["name"], result["requests_count"], result["concurrency_level"]) == ("mine", 4, 1)
    assert [request.split()[1] for request in server.requests] == [b"/1", b"/2", b"/1", b"/2"]
    assert b"X-N: 1\r\n" in server.requests[0] and server.requests[1].endswith(b"\r\n\r\nn=2")
    assert result["rounds"][0]["connections_opened"] == 2


def test_a_scenario_over_a_unix_socket_at_a_rate(tmp_path):
    (tmp_path / "s.toml").write_text(
        'url = "http://localhost"\n[[request]]\npath = "/a"\n[[request]]\npath = "/b"'
    )
    with lying(answering(HELLO), unix=str(tmp_path / "s")) as server:
        words = ("--scenario", str(tmp_path / "s.toml"), "--unix", str(tmp_path / "s"))
        ran = run(
            tmp_path, "load", *SHORT, *words, "--rate", "500", "--rate-to", "1000", "--requests", "20",
            "--warmup", "0", "--pipeline", "2", code=0
        )  # fmt: skip

    assert "open loop from 500/s to 1,000/s" in ran.out
    assert sorted(request.split()[1] for request in server.requests) == [b"/a"] * 10 + [b"/b"] * 10


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["http://127.0.0.1:1/"],
            1,
            "cannot connect to 127.0.0.1:1: Connection refused; is the server running there?",
        ),
        (["http://a/", "http://b/"], 2, "are of two servers"),
        (["--connections", "0"], 2, "'0' is no whole number above 0"),
        (["--connections", "20000"], 2, "over the maximum of 10000"),
        (["--headers", "{"], 2, "--headers is no JSON"),
        (["--scenario", "gone.toml"], 2, "--scenario gone.toml: No such file"),
        (["http://a/", "--data", "gone.csv"], 2, "the data gone.csv: No such file"),
        (["--unix", "/s"], 2, "give the URL"),
        (["http://a/", "--rate-to", "3"], 2, "needs one to begin with"),
        (["http://a/", "--body", "x"], 2, "GET has no body"),
    ],
    ids=["refused", "two", "none", "many", "json", "scenario", "data", "unix", "ramp", "body"],
)
def test_what_cannot_be_done_is_one_line(words, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["load", *words, *SHORT]) == code

    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1
    assert out == ""


def test_not_one_success_is_no_result(capsys):
    with lying(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as server:
        assert main(["load", server.url, *SHORT]) == 1

    out, err = capsys.readouterr()
    assert "requests succeeded: GET / was answered with status 500" in err
    assert out == ""


def test_ctrl_c_ends_the_round_and_still_reports(tmp_path):
    process = None
    enough = threading.Event()

    def script(peer):
        while peer.request():
            peer.say(HELLO)
            if len(server.requests) > 200:
                enough.set()

    with lying(script) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "http_benchmark", "load", server.url, *SHORT, "--duration", "300", "--warmup", "0"],
            env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert enough.wait(60)
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()

    assert process.returncode == 130, err
    assert "requests/s" in out and "stopped before its end" in out


def test_several_processes_share_the_load(tmp_path):
    with trouble(Behaviour()) as server:
        before = server.counts()
        words = ("--processes", "2", "--connections", "3", "--requests", "200", "--warmup", "0")
        ran = run(tmp_path, "load", server.url, *SHORT, *words, "--json", code=0)
        after = server.counts()

    (result,) = json.loads(ran.out)
    assert result["requests_count"] == 200 == after.requests - before.requests
    assert after.connections - before.connections == 3
    assert result["config_snapshot"]["processes"] == 2


def test_the_ceiling_of_the_generator_is_told(tmp_path):
    with trouble(Behaviour(delay_s=0.01)) as server:
        ran = run(
            tmp_path, "load", server.url, "--duration", "0.3", "--no-save", "--no-report", "--ceiling", code=0
        )

    assert re.search(
        r"ceiling: \d+ requests a second against a server that does nothing; .* \d+ % of it", ran.err
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--processes", "11"), "10 connections cannot be shared by 11 generators"),
        (("--processes", "0"), "--processes"),
        (("--distributed", "tcp://127.0.0.1:1", "--processes", "2"), "leave out --processes"),
        (("--distributed", "tcp://127.0.0.1:1", "--ceiling"), "leave out --distributed"),
        (("--distributed", "nonsense"), "no Dask scheduler at nonsense"),
    ],
)
def test_generators_that_cannot_be_meant_are_told(words, said, capsys):
    assert main(["load", "http://127.0.0.1:1/", *SHORT, *words]) == 2

    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
