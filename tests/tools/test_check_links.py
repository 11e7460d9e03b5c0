from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "link",
    [
        "[a](docs/a.md)",
        "[a](docs/a.md#two-words)",
        "[a](docs/a.md#two-words-1)",
        "[a](docs)",
        "[a](#here)",
        '[a](docs/a.md "title")',
        "[a](https://example.org/nowhere)",
        "[a](mailto:a@example.org)",
        "[a]: docs/a.md",
        "`[a](nowhere.md)`",
        "```\n[a](nowhere.md)\n```",
    ],
)
def test_a_good_link_passes(load_tool, write_page, capsys, link):
    write_page("## Two `words`\n\n## Two words\n", "docs/a.md")
    root = write_page(f"# Here\n\n{link}\n")

    assert load_tool("check_links").main(root) == 0
    assert "0 broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("[a](nowhere.md)", "nowhere.md leads to nothing"),
        ("[a](docs/a.md#three)", "docs/a.md#three leads to no heading"),
        ("[a](#there)", "#there leads to no heading"),
        ("[a](../outside.md)", "../outside.md leads out of the repository"),
        ("[a]: nowhere.md", "nowhere.md leads to nothing"),
    ],
)
def test_a_broken_link_is_named_with_its_line(load_tool, write_page, capsys, link, said):
    write_page("## Two words\n", "docs/a.md")
    root = write_page(f"# Here\n\n{link}\n")

    assert load_tool("check_links").main(root) == 1
    assert f"README.md:3: the link {said}" in capsys.readouterr().out
