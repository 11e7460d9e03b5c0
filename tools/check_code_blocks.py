"""Run every ```python block of the Markdown files, each in a fresh interpreter and an empty folder.

A block stands alone unless it says otherwise, in words after ```python:
  continued   runs after the blocks before it on the page, in one program
  no-run      is compiled only; the words that follow say why (```python no-run needs redis)
A block with `>>>` prompts is a doctest. Blocks in ```toml and ```json must parse.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from markdown_files import ROOT, Block, markdown_paths, read_page

TIME_LIMIT_S = 30
DOCTEST = "import doctest, sys\nsys.exit(doctest.testfile({path!r}, module_relative=False)[0] != 0)\n"


def compile_fault(block: Block) -> str | None:
    if ">>>" in block.text:
        return None
    try:
        # Padding keeps the line numbers of the page in the message.
        compile("\n" * (block.line - 1) + block.text, str(block.path), "exec")
    except SyntaxError as error:
        return f"{block.where}: does not compile: {error.msg} (line {error.lineno})"
    return None


def run_fault(block: Block, program: str) -> str | None:
    """Run a program that ends with this block; what it said when it failed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "block.py")
        path.write_text(program, encoding="utf-8")
        source = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        # -P: the block's own folder is not on the path, as for an installed package
        command = [sys.executable, "-P", "-bb", "-W", "error", str(path)]
        if ">>>" in block.text:
            command[-1:] = ["-c", DOCTEST.format(path=str(path))]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": source},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{block.where}: still running after {TIME_LIMIT_S} s"
    if done.returncode:
        return f"{block.where}: fails\n{(done.stdout + done.stderr).rstrip()}"
    return None


def data_fault(block: Block) -> str | None:
    try:
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            json.loads(block.text)
    except ValueError as error:
        return f"{block.where}: is not {block.language}: {error}"
    return None


def page_faults(blocks: tuple[Block, ...]) -> list[str]:
    faults = []
    program = ""
    for block in blocks:
        if block.language in {"toml", "json"}:
            faults.append(data_fault(block))
        if block.language not in {"python", "py"}:
            continue
        wrong = compile_fault(block)
        if wrong is None and "no-run" in block.words:
            if len(block.words) <= block.words.index("no-run") + 1:
                wrong = f"{block.where}: no-run without a reason after it"
        elif wrong is None:
            program = program + "\n" + block.text if "continued" in block.words else block.text
            wrong = run_fault(block, program)
        faults.append(wrong)
    return [wrong for wrong in faults if wrong]


def main(root: Path = ROOT) -> int:
    faults: list[str] = []
    count = 0
    for path in markdown_paths(root):
        blocks = read_page(path).blocks
        count += len(blocks)
        faults += page_faults(blocks)
    print("\n".join([*faults, f"code blocks: {count} read, {len(faults)} wrong"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
