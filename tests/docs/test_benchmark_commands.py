"""The commands of http-benchmark in the README and on its first page run as they stand there; only times are
shorter, and a server of the reader's own is the embedded target.
"""

from __future__ import annotations

import re
import shlex
import sys

import pytest

from http_benchmark.targets.embedded import embedded
from tests.e2e.serving import ROOT
from tests.http_benchmark.cli_runs import run

sys.path.insert(0, str(ROOT / "tools"))
from markdown_files import read_page

PAGES = ["README.md", "docs/benchmark.md"]


def commands():
    for page in PAGES:
        for block in read_page(ROOT / page).blocks:
            for line in block.text.splitlines():
                if block.language == "sh" and line.startswith("http-benchmark "):
                    yield shlex.split(line, comments=True)[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all, so that there is a history to show."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def target():
    with embedded() as started:
        yield started.url


@pytest.mark.parametrize("words", list({tuple(words): None for words in commands()}), ids=" ".join)
def test_command_does_what_is_promised(words, folder, target):
    path = "post" if "POST" in words else ""
    words = [re.sub(r"http://127\.0\.0\.1:80[08]0/(items)?", target + path, word) for word in words]
    for at, word in enumerate(words):
        if word == "--duration":
            words[at + 1] = "0.5"
    if words[0].startswith("--") and "--duration" not in words:
        words += ["--duration", "0.5"]

    ran = run(folder, *words, code=0)

    assert "http-benchmark:" not in ran.err
    assert ran.out.strip()


def test_there_are_commands():
    assert len(list(commands())) > 5
