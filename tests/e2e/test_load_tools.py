"""Load tools: a few thousand requests, and not one fails. Rates are the business of benchmarks/, not of these tests."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.e2e.app import LARGE

PATHS = ["/", "/thread", "/inline"]


@pytest.fixture
def run_tool(need_tool, server):
    """`run_tool("ab", "-n", "10", "/")`: its report."""

    def run(name, *words):
        command = [need_tool(name), *(server.url + word if word.startswith("/") else word for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def number(pattern, report):
    found = re.search(pattern, report)
    assert found is not None, report
    return int(found[1])


def check_ab(report, requests):
    assert number(r"Complete requests:\s+(\d+)", report) == requests
    assert number(r"Failed requests:\s+(\d+)", report) == 0
    assert "Non-2xx" not in report


@pytest.mark.parametrize("path", PATHS)
def test_ab_with_a_connection_for_each_request(run_tool, path):
    check_ab(run_tool("ab", "-q", "-n", "1000", "-c", "16", path), 1000)


@pytest.mark.parametrize("path", PATHS)
def test_ab_keeps_http_1_0_connections_alive(run_tool, path):
    report = run_tool("ab", "-q", "-k", "-n", "2000", "-c", "16", path)

    check_ab(report, 2000)
    assert number(r"Keep-Alive requests:\s+(\d+)", report) == 2000


def test_ab_posts(run_tool, tmp_path):
    (tmp_path / "content").write_bytes(LARGE[:50_000])

    report = run_tool(
        "ab", "-q", "-k", "-n", "500", "-c", "8", f"-p{tmp_path}/content", "-T", "text/plain", "/echo"
    )

    check_ab(report, 500)
    assert number(r"Document Length:\s+(\d+)", report) == 50_000


@pytest.mark.parametrize("path", [*PATHS, "/large", "/stream", "/rows"])
def test_wrk(run_tool, path):
    report = run_tool("wrk", "-t1", "-c32", "-d1s", "--timeout", "20s", path)

    assert number(r"(\d+) requests in", report) > 0
    assert "Socket errors" not in report
    assert "Non-2xx" not in report


def test_wrk_pipelines(run_tool, tmp_path):
    script = tmp_path / "pipeline.lua"
    script.write_text(
        "init = function(args)\n"
        "  local r = {}\n"
        '  for i = 1, 16 do r[i] = wrk.format(nil, i % 2 == 0 and "/" or "/thread") end\n'
        "  batch = table.concat(r)\n"
        "end\n"
        "request = function() return batch end\n"
    )

    report = run_tool("wrk", "-t1", "-c8", "-d1s", "-s", str(script), "/")

    assert number(r"(\d+) requests in", report) > 100
    assert "Socket errors" not in report
    assert "Non-2xx" not in report


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("pipelined", ["1", "8"])
def test_h2load_speaks_http_1_1(run_tool, path, pipelined):
    report = run_tool("h2load", "--h1", "-n", "3000", "-c", "32", "-t", "1", "-m", pipelined, path)

    assert re.search(
        r"3000 total, 3000 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout", report
    )
    assert "status codes: 3000 2xx" in report
