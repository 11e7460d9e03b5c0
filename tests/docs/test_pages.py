"""The pages for users do what they say.

Every Python block runs. A `console` block is a session with the application of the Python block before it: the application
is served, each `$ curl ...` is run, and the output must be what the page shows, `...` standing for anything.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from tests.e2e.serving import ROOT, serving

sys.path.insert(0, str(ROOT / "tools"))
from check_code_blocks import main as run_code_blocks
from markdown_files import markdown_paths, read_page
from write_settings import PAGES as PAGES_WITH_SETTINGS
from write_settings import updated

PAGES = [path for path in markdown_paths(ROOT) if path.parent in (ROOT, ROOT / "docs")]


def sessions():
    """The Python block before each console block, and the console block."""
    for path in PAGES:
        program = None
        for block in read_page(path).blocks:
            if block.language == "python":
                program = block
            elif block.language == "console":
                assert program is not None, f"{block.where}: no application before it"
                yield pytest.param(program, block, id=block.where)


def exchanges(text):
    """Each command of a session with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.mark.parametrize(("program", "session"), list(sessions()))
def test_session_goes_as_shown(program, session, tmp_path, need_tool):
    (tmp_path / "shop.py").write_text(program.text)

    with serving("shop:app", cwd=tmp_path, may_fail=True) as server:
        for command, shown in exchanges(session.text):
            words = shlex.split(command.replace("http://localhost:8000", server.url))
            assert words[0] == "curl", command
            done = subprocess.run(
                [need_tool("curl"), "-sS", *words[1:]],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
            assert re.fullmatch(pattern, done.stdout.strip()), f"{command}\n{done.stdout}{done.stderr}"


def test_there_are_sessions():
    assert len(list(sessions())) > 10


def test_every_code_block_runs(capsys):
    assert run_code_blocks() == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", PAGES_WITH_SETTINGS, ids=lambda path: path.name)
def test_table_of_settings_is_up_to_date(path):
    assert path.read_text("utf-8") == updated(path), "run python tools/write_settings.py"
