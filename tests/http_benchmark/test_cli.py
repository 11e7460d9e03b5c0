from __future__ import annotations

import subprocess
import sys

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
