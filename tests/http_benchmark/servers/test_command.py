"""`http-benchmark servers` as it is called."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from http_benchmark.cli import main
from http_benchmark.cli.servers import _command
from http_benchmark.export.json_form import read_results
from http_benchmark.servers.page import update_page
from http_benchmark.servers.subject import with_own_packages
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.servers.subjects import BEGIN, PROGRAMS

DEFINITIONS = """
[workload.hello]
path = "/"
text = "Hello, World!"

[workload.other]
path = "/other"
text = "Hello, World!"

[server.plain]
command = ["{python}", "plain.py", "{port}"]
workloads = ["hello", "other"]
working_folder = "{here}"

[server.twin]
command = ["{python}", "plain.py", "{port}"]
workloads = ["hello"]
working_folder = "{here}"

[server.wrong]
command = ["{python}", "wrong.py", "{port}"]
workloads = ["hello"]
working_folder = "{here}"

[server.absent]
command = ["no-such-program"]
workloads = ["hello"]
"""
QUICK = ("--connections", "2", "--duration", "0.2", "--warmup", "0")
PAGE = """# Figures
written by hand

<!-- servers hello: written by http-benchmark servers --update -->
old
<!-- servers hello end -->

also by hand
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "servers.toml").write_text(DEFINITIONS)
    (tmp_path / "half.md").write_text(PAGE.partition("<!-- servers hello end")[0])
    for name in ("plain", "wrong"):
        (tmp_path / f"{name}.py").write_text(BEGIN + PROGRAMS[name])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_goes_to_stdout_and_all_else_to_stderr(folder, capsys):
    before = sorted(folder.iterdir())

    code = main(["servers", *QUICK, "--rounds", "1"])

    out, err = capsys.readouterr()
    rows = out.splitlines()
    assert code == 0
    assert rows[0].split() == [
        "server",
        "requests/s",
        "(low",
        "-",
        "high)",
        "CPU",
        "us/request",
        "(user",
        "+",
        "system)",
        "RSS",
        "MB",
        "p50",
        "ms",
        "p99",
        "ms",
        "errors",
        "x",
        "rate",
        "x",
        "CPU",
    ]
    assert [row.split()[0] for row in rows[1:3]] == ["plain", "twin"]
    assert "x rate, x CPU: times plain" in out
    assert "left out: wrong: wrong content 'Oops', right is 'Hello, World!'\n" in out
    assert "left out: absent: the program no-such-program is not on PATH" in out
    assert "hello, round 1 of 1: plain " in err
    assert sorted(folder.iterdir()) == before


def test_results_go_where_they_are_asked_for(folder, capsys):
    (folder / "page.md").write_text(PAGE)

    code = main(
        [
            "servers",
            "plain",
            "twin",
            *QUICK,
            "--rounds",
            "1",
            "--json",
            "a.json",
            "--csv",
            "a.csv",
            "--markdown",
            "a.md",
            "--update",
            "page.md",
            "--output",
            "a.db",
        ]
    )

    capsys.readouterr()
    assert code == 0
    assert [result.name for result in read_results(folder / "a.json")] == ["plain hello", "twin hello"]
    result = read_results(folder / "a.json")[0]
    assert result.rounds[0].server.cpu_s > 0
    assert [row["name"] for row in csv.DictReader(io.StringIO((folder / "a.csv").read_text()))] == [
        "plain hello",
        "twin hello",
    ]
    assert len(ResultStorage(folder / "a.db").get_all_results()) == 2
    page = (folder / "page.md").read_text()
    assert page.startswith("# Figures\nwritten by hand\n")
    assert page.endswith("<!-- servers hello end -->\n\nalso by hand\n")
    assert "\nold\n" not in page
    assert "| plain | " in page
    assert (folder / "a.md").read_text().startswith("## hello\n`http-benchmark ")
    assert f"Python {sys.version.split()[0]}" in page


def test_a_page_without_a_place_gets_it_at_its_end(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Figures\n")

    update_page(page, {"hello": "one"})
    update_page(page, {"hello": "two", "api": "three"})

    begin = "<!-- servers {}: written by http-benchmark servers --update -->"
    assert page.read_text() == (
        f"# Figures\n\n## Servers: hello\n\n{begin.format('hello')}\ntwo\n<!-- servers hello end -->\n"
        f"\n## Servers: api\n\n{begin.format('api')}\nthree\n<!-- servers api end -->\n"
    )


def test_the_command_on_a_page_has_no_paths_of_this_machine():
    words = ["servers", "one", "--peers", "/home/me/venv", "--python=/usr/bin/python3", "--json", "/tmp/x"]
    words += ["--csv", "--output=/tmp/x.db", "--workload", "hello there"]

    assert (
        _command(words) == "http-benchmark servers one --peers DIR --python=PYTHON --workload 'hello there'"
    )


def test_json_on_stdout_is_alone_there(folder, capsys):
    assert main(["servers", "plain", *QUICK, "--rounds", "1", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)[0]["name"] == "plain hello"


def test_several_workloads_have_a_table_each(folder, capsys):
    assert (
        main(
            [
                "servers",
                "plain",
                *QUICK,
                "--rounds",
                "1",
                "--workload",
                "other",
                "--workload",
                "hello",
            ]
        )
        == 0
    )

    out = capsys.readouterr().out
    assert out.startswith("other\nserver ")
    assert "\n\nhello\nserver " in out


def test_a_list_says_what_there_is_and_what_is_missing(folder, capsys):
    assert main(["servers", "--list"]) == 0

    assert capsys.readouterr().out == (
        "plain   hello, other\n"
        "twin    hello\n"
        "wrong   hello\n"
        "absent  hello  (the program no-such-program is not on PATH; install the package of that name)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["plian"], 2, "no server 'plian'; did you mean plain?"),
        (["--workload", "x"], 2, "no workload 'x'; there are hello, other"),
        (["twin", "--workload", "other"], 2, "twin has no workload other; it has hello"),
        (["--definitions", "none.toml"], 2, "none.toml cannot be read: No such file or directory"),
        (["--connections", "0"], 2, "connections is 0, but must be a whole number above 0"),
        (["--rounds", "0"], 2, "--rounds is 0, but must be a whole number above 0"),
        (["--duration", "-1"], 2, "duration is"),
        (["--duration", "x"], 2, "invalid float value: 'x'"),
        (["--server-cpus", "x"], 2, "'x' is no list of processors, such as 0 or 0,2-3"),
        (["--load-cpus", "4095"], 2, "there is no processor 4095 for us"),
        (["--generator", "hey"], 2, "invalid choice: 'hey'"),
        (["--peers", "none"], 2, "none is no virtual environment: it has no bin/python"),
        (["--python", "none"], 2, "none is no interpreter of Python"),
        (["--json", "--csv"], 2, "only one of --json, --csv and --markdown can go to stdout"),
        (["--update", "none.md"], 2, "none.md cannot be read: No such file or directory"),
        (
            ["--update", "half.md"],
            2,
            "half.md needs one pair of lines, <!-- servers hello: written by",
        ),
        (["--json", "no/where.json"], 2, "no/where.json cannot be written: there is no folder no"),
        (["wrong"], 1, "no server could be measured"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_call_that_cannot_be_meant_is_told_in_one_line(arguments, code, said, folder, capsys):
    before = sorted(folder.iterdir())

    found = main(["servers", *QUICK, *arguments])

    out, err = capsys.readouterr()
    assert (found, out) == (code, "")
    assert said in err.splitlines()[-1]
    assert sorted(folder.iterdir()) == before


def test_without_a_file_it_says_where_one_is_looked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["servers"]) == 2

    assert capsys.readouterr().err == (
        "http-benchmark: no file says which servers there are: servers.toml and benchmarks/servers.toml do not exist; "
        "name one by --definitions\n"
    )


def test_ctrl_c_reports_the_rounds_that_were_whole(folder):
    command = [
        sys.executable,
        "-m",
        "http_benchmark",
        "servers",
        "plain",
        "twin",
        "--connections",
        "2",
        "--duration",
        "30",
        "--rounds",
        "100",
        "--warmup",
        "0",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=with_own_packages(os.environ),
    ) as ours:
        while "round 2" not in (line := ours.stderr.readline()) and line:
            pass
        began_s = time.monotonic()
        os.killpg(ours.pid, signal.SIGINT)
        out, err = ours.communicate(timeout=60)

    assert ours.returncode == 0
    assert [row.split()[0] for row in out.splitlines()[1:3]] == ["plain", "twin"]
    assert "Traceback" not in err
    assert time.monotonic() - began_s < 60
