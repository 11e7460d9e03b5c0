from __future__ import annotations

import pytest

RUN_HELP = "usage: penstock run [--port PORT] [--no-access-log]\n  --port PORT\n  --no-access-log\n  --help\n"
HELP = {
    ("penstock",): "usage: penstock [--help] [--version] {run,routes} ...\n",
    ("penstock", "run"): RUN_HELP,
    ("penstock", "routes"): "usage: penstock routes [--help] app\n",
    ("http-benchmark",): "usage: http-benchmark [--help] [--version]\n",
}


@pytest.fixture
def check(load_tool, monkeypatch):
    tool = load_tool("check_flags")
    monkeypatch.setattr(tool, "read_help", lambda *words: HELP.get(words, ""))
    return tool.main


@pytest.mark.parametrize(
    "text",
    [
        "`penstock run app:app --port 80`",
        "`python -m penstock run app:app --port 80`",
        "`penstock --version`",
        "`--port`",
        "`PENSTOCK_PORT=80 penstock run app:app`",
        "`PENSTOCK_NO_ACCESS_LOG` or `PENSTOCK_ACCESS_LOG`",
        "every flag is `PENSTOCK_<FLAG>`",
        "`curl --head http://127.0.0.1:8080/`",
        "prose with --anything",
        "```sh\npenstock run app:app \\\n  --port 80 | grep --color x\n```",
        "```python\nprint('penstock run --nothing')\n```",
    ],
)
def test_what_exists_passes(check, write_page, text):
    assert check(write_page(text + "\n")) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`penstock run app:app --prot 80`", "README.md:1: penstock run has no --prot"),
        ("`penstock routes app:app --port 80`", "README.md:1: penstock routes has no --port"),
        ("`--prot`", "README.md:1: no command has --prot"),
        ("`PENSTOCK_PROT`", "README.md:1: no flag stands behind PENSTOCK_PROT"),
        ("```sh\npenstock run app:app \\\n  --prot 80\n```", "README.md:2: penstock run has no --prot"),
        ("`http-benchmark --clients 4`", "README.md:1: http-benchmark has no --clients"),
    ],
)
def test_what_does_not_exist_is_named_with_its_line(check, write_page, capsys, text, said):
    assert check(write_page(text + "\n")) == 1
    assert said in capsys.readouterr().out


def test_without_a_command_that_answers_there_is_nothing_to_check(load_tool, monkeypatch, write_page, capsys):
    tool = load_tool("check_flags")
    monkeypatch.setattr(tool, "read_help", lambda *_words: "")

    assert tool.main(write_page("`--anything`\n")) == 0
    assert "nothing to check against" in capsys.readouterr().out
