"""What a person reads at the end of a measurement."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios
from types import SimpleNamespace

import pytest

from http_benchmark.report import table
from http_benchmark.report.table import print_results
from tests.http_benchmark.report.samples import make_result, three_clients, without_figures

HEAD = "client mode req/s mean p50 p90 p99 p99.9 max errors CPU % MB opened"
VERDICT = SimpleNamespace(sentence="aiohttp is 2.3x as fast as requests (95 % interval 2.2 to 2.4).")


def printed(results, verdicts=(), **paths):
    stream = io.StringIO()
    print_results(results, list(verdicts), stream, **paths)
    return stream.getvalue()


def printed_at_terminal(results, columns):
    near, far = pty.openpty()
    fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(far, "w", encoding="utf-8") as stream:
        print_results(results, [VERDICT], stream)
    seen = b""
    try:
        while piece := os.read(near, 65_536):
            seen += piece
    except OSError:  # all was read
        pass
    os.close(near)
    return seen.decode().replace("\r", "")


def columns_of_row(line):
    return [found.end() for found in re.finditer(r"\S+(?: \S+)*(?=  |$)", line)]


def test_several_results_are_rows_of_one_table():
    text = printed(three_clients(errors={"status 503": 4}), [VERDICT], report="/r.html", saved="b.db")

    lines = text.splitlines()
    assert lines[0] == "GET http://127.0.0.1:8000/get, 10 at a time, closed loop, 15.0 s in 3 rounds"
    head = next(line for line in lines if line.startswith("client"))
    assert head.split() == HEAD.split()
    rows = [line for line in lines if re.match(r"(requests|httpx|aiohttp) +a?sync", line)]
    assert len(rows) == 3
    assert {tuple(columns_of_row(row)[2:]) for row in rows} == {tuple(columns_of_row(head)[2:])}  # aligned
    assert VERDICT.sentence in text
    assert lines[-2:] == ["report: /r.html", "saved:  b.db"]
    assert "\x1b" not in text


def test_figures_are_those_of_the_result():
    results = three_clients()

    row = next(line for line in printed(results).splitlines() if line.startswith("aiohttp")).split()

    measured = results[2]
    assert row[:2] == ["aiohttp", "async"]
    assert row[2] == f"{measured.requests_per_second:,.0f}"
    assert row[4:6] == [f"{measured.p50_response_time * 1e3:.2f}", f"{measured.p90_response_time * 1e3:.2f}"]
    assert row[9:] == ["0", f"{measured.cpu_usage_avg:.1f}", f"{measured.memory_usage_avg:.1f}", "30"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_left_out(width, monkeypatch):
    monkeypatch.setattr(table, "WIDTH", width)
    results = three_clients(rate=200, errors={"status 503": 12}, server=True, warnings=["use --rounds 10"])

    text = printed(results, [VERDICT])

    assert max(map(len, text.splitlines())) <= max(width, 75)
    for result in results:
        assert f"{result.p99_response_time * 1e3:.2f}" in text
        assert f"{result.max_response_time * 1e3:.1f}" in text
    assert text.count("status 503") >= 3


def test_one_result_is_told_line_by_line():
    text = printed([make_result(errors={"reset": 2}, server=True)])

    assert re.search(r"^client +httpx, sync$", text, re.MULTILINE)
    assert re.search(r"^requests/s +[\d,]+ \(rounds: [\d,]+ to [\d,]+\)$", text, re.MULTILINE)
    assert re.search(r"^requests +[\d,]+ succeeded, 6 errors \(0.0\d+ %\)$", text, re.MULTILINE)
    assert re.search(r"p50 [\d.]+  p90 [\d.]+  p95 [\d.]+  p99 [\d.]+  p99.9 [\d.]+  p99.99 [\d.]+", text)
    assert "server used   61.0 % of a core" in text
    assert "connections   30 opened" in text


def test_errors_come_by_class_with_what_the_first_one_said():
    text = printed(three_clients(errors={"timeout": 1, "status 503": 12}))

    found = re.findall(r"^(\w+) +(status 503|timeout) +(\d+) +[\d.]+  (.*)$", text, re.MULTILINE)
    assert found == [
        (client, kind, count, f"the first {kind} said so")
        for client in ("requests", "httpx", "aiohttp")
        for kind, count in (("status 503", "36"), ("timeout", "3"))
    ]


def test_corrected_percentiles_stand_beside_the_measured_ones():
    results = three_clients(rate=200)

    rows = re.findall(r"(measured|corrected) +([\d.]+) +([\d.]+) +([\d.]+)", printed(results))

    assert [kind for kind, *_ in rows] == ["measured", "corrected"] * 3
    for result, corrected in zip(results, rows[1::2], strict=True):
        assert float(corrected[3]) == pytest.approx(result.merged("corrected").percentile(99) / 1e6, abs=0.01)
    assert "corrected" not in printed(three_clients())


def test_late_and_dropped_sends_are_told():
    text = " ".join(printed(three_clients(rate=200)).split())

    assert (
        "httpx: 51 requests sent more than 1 ms late (p99 of lateness 0.3 ms), 9 were due and never sent"
        in text
    )


def test_a_warning_that_all_have_stands_once():
    results = three_clients(warnings=["too few rounds: use --rounds 10"])
    results[1].warnings.append("the client was busy: use fewer connections")

    lines = printed(results).splitlines()

    assert [line for line in lines if line.startswith("warning")] == [
        "warning: too few rounds: use --rounds 10",
        "warning: httpx: the client was busy: use fewer connections",
    ]


def test_what_a_server_said_cannot_command_the_terminal():
    result = make_result(name="a\x1b[2Jb\nc", errors={"reset": 1})
    result.rounds[0].examples["reset"] = "\x1b]0;owned\x07 said \r\n so"
    result.warnings = ["\x1b[31mred"]

    text = printed([result], [SimpleNamespace(sentence="\x1b[1mbold")])

    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert "a?[2Jb c" in text and "?]0;owned? said so" in text


def test_secrets_are_not_shown():
    result = make_result(url="http://bob:hunter2@127.0.0.1/?token=abcdefghi", errors={"other": 1})
    result.rounds[0].examples["other"] = "sent Authorization: Bearer abcdefghijklmno"

    text = printed([result, make_result("aiohttp", "async")])

    assert "hunter2" not in text and "abcdefghi" not in text
    assert "[redacted]" in text


def test_where_nothing_succeeded_there_are_dashes_and_no_latencies():
    one = without_figures(make_result(errors={"refused": 7}))

    both = printed([one, make_result("aiohttp", "async")])
    alone = printed([one])

    assert re.search(r"^httpx +sync +0 +- +- +- +- +- +- +21 ", both, re.MULTILINE)
    assert "0 succeeded, 21 errors (100 %)" in alone and "latency" not in alone


def test_two_runs_of_one_client_are_told_apart():
    first, second = make_result(rounds=1), make_result(rounds=1)
    second.start_time = "2027-01-01T00:00:00+00:00"

    text = printed([first, second])

    assert "httpx 2026-11-18 11:06:40" in text and "httpx 2027-01-01 00:00:00" in text
    assert printed([first, first]).count("11:06:40 #1") == printed([first, first]).count("11:06:40 #2") > 0


def test_servers_under_load_are_called_by_their_names():
    results = [make_result("load", "load", name=name, server=True) for name in ("penstock", "uvicorn")]

    text = printed(results)

    assert re.search(r"^server +req/s", text, re.MULTILINE)
    assert re.search(r"^penstock +[\d,]+ ", text, re.MULTILINE)


def test_a_terminal_has_colours_and_its_own_width(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    wide, narrow = (printed_at_terminal(three_clients(), columns) for columns in (140, 60))

    assert "\x1b[32m" in wide and "\x1b[1maiohttp" in wide
    plain = re.sub(r"\x1b\[\d*m", "", narrow)
    assert max(map(len, plain.splitlines())) <= 60
    assert re.search(r"^req/s +[\d,]+ +[\d,]+ +[\d,]+$", plain, re.MULTILINE)


def test_no_color_is_heeded(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b" not in printed_at_terminal(three_clients(), 120)


def test_letters_that_a_stream_does_not_have_are_replaced():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    print_results([make_result(name="grün µ")], [], stream)
    stream.flush()

    assert b"gr?n ?" in raw.getvalue() or b"gr?n u" in raw.getvalue()
