from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "```python\nimport sys\nassert sys.argv\n```\n",
        "```python\nx = 1\n```\n\n```python continued\nassert x == 1\n```\n",
        "```python no-run asks a server that is not there\nimport no_such_module\n```\n",
        "```python\n>>> 1 + 1\n2\n```\n",
        "```sh\nthis is ) not python\n```\n",
        '```toml\n[tool.penstock]\nport = 8080\n```\n```json\n{"a": 1}\n```\n',
    ],
)
def test_a_good_block_passes(load_tool, write_page, capsys, text):
    assert load_tool("check_code_blocks").main(write_page(text)) == 0
    assert "0 wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\ndef (:\n```\n", "README.md:2: does not compile"),
        ("```python\nraise SystemExit(3)\n```\n", "README.md:2: fails"),
        ("```python\nimport no_such_module\n```\n", "No module named 'no_such_module'"),
        ("```python\nx = 1\n```\n```python\nprint(x)\n```\n", "NameError"),
        ("```python no-run\nx = 1\n```\n", "README.md:2: no-run without a reason"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```toml\nport = \n```\n", "README.md:2: is not toml"),
        ("```json\n{a: 1}\n```\n", "README.md:2: is not json"),
        ('```python\nimport warnings\nwarnings.warn("old", DeprecationWarning)\n```\n', "DeprecationWarning"),
    ],
)
def test_a_wrong_block_is_named_with_its_line(load_tool, write_page, capsys, text, said):
    assert load_tool("check_code_blocks").main(write_page(text)) == 1
    assert said in capsys.readouterr().out
