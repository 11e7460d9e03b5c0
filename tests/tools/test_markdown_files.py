from __future__ import annotations

import pytest


def test_blocks_and_prose_are_apart(load_tool, write_page):
    root = write_page("# Title\n\n```python no-run needs redis\nimport redis\n```\nafter\n")

    page = load_tool("markdown_files").read_page(root / "README.md")

    (block,) = page.blocks
    assert (block.language, block.words[1:], block.text) == (
        "python",
        ("no-run", "needs", "redis"),
        "import redis\n",
    )
    assert block.line == 4
    assert page.prose == ((1, "# Title"), (2, ""), (6, "after"))


def test_a_longer_fence_holds_a_shorter_one(load_tool, write_page):
    root = write_page("````md\n```python\nx\n```\n````\n")

    page = load_tool("markdown_files").read_page(root / "README.md")

    assert [block.text for block in page.blocks] == ["```python\nx\n```\n"]


def test_an_indented_block_loses_its_indent(load_tool, write_page):
    root = write_page("- item\n  ```python\n  if 1:\n      pass\n  ```\n")

    page = load_tool("markdown_files").read_page(root / "README.md")

    assert page.blocks[0].text == "if 1:\n    pass\n"


def test_a_fence_that_is_never_closed_is_an_error(load_tool, write_page):
    root = write_page("text\n```python\nx = 1\n")

    with pytest.raises(ValueError, match=r"README\.md:2: this fence is never closed"):
        load_tool("markdown_files").read_page(root / "README.md")


@pytest.mark.parametrize(
    ("line", "spans"),
    [("no code", []), ("`a` and `b c`", ["a", "b c"]), ("``a ` b``", ["a ` b"]), ("a ` alone", [])],
)
def test_code_spans(load_tool, line, spans):
    assert load_tool("markdown_files").code_spans(line) == spans


def test_hidden_and_built_folders_are_not_read(load_tool, write_page):
    write_page("x", ".venv/lib/README.md")
    write_page("x", "build/README.md")
    root = write_page("x", "docs/index.md")

    paths = load_tool("markdown_files").markdown_paths(root)

    assert [path.name for path in paths] == ["index.md"]
