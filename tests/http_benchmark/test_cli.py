from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from http_benchmark.cli import main


@pytest.mark.parametrize(
    ("flag", "said"), [("--version", "http-benchmark 0.1.0"), ("--help", "Measure HTTP clients and servers")]
)
def test_help_and_version_answer(flag, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main([flag])

    assert ended.value.code == 0
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("module", ["http_benchmark", "http_benchmark.cli"])
def test_the_command_is_a_module_too(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "http-benchmark 0.1.0\n", "")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--no-such"], "unrecognized arguments: --no-such (http-benchmark --help)"),
        (["http://127.0.0.1:1/"], "no subcommand 'http://127.0.0.1:1/'"),
    ],
    ids=["an unknown option", "a URL in the place of a subcommand"],
)
def test_a_call_that_cannot_be_meant_is_one_line_and_exit_code_2(argv, said, capsys):
    code = main(argv)

    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


COMMAND = [sys.executable, "-m", "http_benchmark.cli"]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["noticed at the end", "noticed at once"])
def test_a_full_disk_behind_stdout_is_one_line(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "clients"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, "http-benchmark: No space left on device\n")


def test_a_reader_that_left_before_anything_was_printed_is_told_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, "clients"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (1, b"")


def test_errors_stay_out_of_the_results_also_where_stderr_is_closed():
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, "clientz"],
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, b"")


def test_a_disk_that_fills_leaves_the_file_of_results_that_was_there(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("before")
    program = (
        "import resource, sys; from http_benchmark.cli import outputs;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "sys.exit(outputs._write('json', sys.argv[1], lambda stream: stream.write('x' * 5000), []))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["results.json"]
    assert path.read_text() == "before"
