"""Exceptions as text: whose frames are shown, chains, groups, syntax errors, and nothing that a terminal obeys."""

from __future__ import annotations

import json

import pytest

from penstock.observe.failures import failure
from penstock.observe.failures.failure import ANSI, OWN, origin_of, read_parts, render_text


def caught(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def run_source(tmp_path, source, name="shop.py"):
    """Compile and run a file; the exception it ends with."""
    path = tmp_path / name
    path.write_text(source)
    return caught(lambda: exec(compile(source, str(path), "exec"), {}))


def test_frames_of_the_author_have_their_line_and_where_it_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run_source(tmp_path, "def total():\n    return 1 + int('x') * 2\n\ntotal()\n")

    lines = render_text(error).splitlines()

    assert lines[-6:] == [
        "  shop.py:4 in <module>",
        "      total()",
        "  shop.py:2 in total",
        "      return 1 + int('x') * 2",
        "                 ^^^^^^^^",
        "ValueError: invalid literal for int() with base 10: 'x'",
    ]


def test_the_mark_stands_right_behind_letters_that_take_several_octets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run_source(tmp_path, "x = 'äöü' + str(1 / 0)\n")

    lines = render_text(error).splitlines()

    assert lines[-3:] == [
        "      x = 'äöü' + str(1 / 0)",
        "                      ^^^^^",
        "ZeroDivisionError: division by zero",
    ]


def test_frames_of_others_are_folded_but_where_it_failed(tmp_path):
    error = run_source(tmp_path, "import json\njson.loads('{nope}')\n")

    text = render_text(error)

    assert "… 2 frames of Python" in text
    assert "decoder.py:" in text
    assert "json/__init__.py" not in text


@pytest.mark.parametrize(
    ("file", "origin"),
    [
        ("/home/me/shop/web.py", OWN),
        ("<stdin>", OWN),
        (failure.__file__, "penstock"),
        ("<plan GET / -> shop:home>", "penstock"),
        (json.__file__, "Python"),
        ("<frozen importlib._bootstrap>", "the import"),
        ("/v/lib/python3.12/site-packages/starlette/routing.py", "starlette"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "yaml"),
    ],
)
def test_each_file_has_an_origin(file, origin):
    assert origin_of(file) == origin


def test_frames_of_nobody_else_are_all_shown():
    error = caught(lambda: json.loads("{"))
    error.__traceback__ = error.__traceback__.tb_next.tb_next

    text = render_text(error)

    assert "frames of" not in text
    assert "json/__init__.py" in text


def test_causes_come_first_and_say_so(tmp_path):
    source = (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('no total') from error\n"
    )
    error = run_source(tmp_path, source)

    parts = read_parts(error)

    assert [part.summary for part in parts] == [
        "ZeroDivisionError: division by zero",
        "ValueError: no total",
    ]
    assert "direct cause" in parts[1].before
    assert render_text(error).index("ZeroDivisionError") < render_text(error).index("direct cause")


def test_what_came_up_while_handling_is_told_unless_it_was_suppressed(tmp_path):
    source = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('no total'){}\n"

    assert len(read_parts(run_source(tmp_path, source.format("")))) == 2
    assert len(read_parts(run_source(tmp_path, source.format(" from None")))) == 1


def test_notes_follow_their_exception():
    error = ValueError("one")
    error.add_note("a note\nof two lines")

    assert render_text(error) == "ValueError: one\n  a note\n  of two lines"


def test_members_of_a_group_are_all_told():
    text = render_text(ExceptionGroup("both", [ValueError("one"), KeyError("two")]))

    assert text.index("ValueError: one") < text.index("KeyError: 'two'") < text.index("ExceptionGroup: both")


def test_a_line_that_does_not_compile_is_a_frame_of_the_author(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_module.py").write_text("x = 1\ndef prepare(:\n")
    error = caught(lambda: __import__("wrong_module"))

    text = render_text(error)

    assert text.endswith(
        "  wrong_module.py:2\n      def prepare(:\n                  ^\nSyntaxError: invalid syntax"
    )
    assert "importlib" not in text


def test_a_syntax_error_in_a_text_keeps_its_place():
    error = caught(lambda: compile("x = = 1", "<settings>", "exec"))

    assert "x = = 1" in render_text(error)


def test_no_control_character_reaches_the_terminal(tmp_path):
    error = run_source(tmp_path, "raise ValueError('\x1b[31mred\x07 \x9b1m\\n\\x1b]0;title')\n")

    text = render_text(error, ANSI)
    for code in ANSI:
        text = text.replace(code, "") if code else text

    assert not [
        letter for letter in text if (ord(letter) < 32 and letter != "\n") or 0x7F <= ord(letter) < 0xA0
    ]
    assert "\\x1b[31mred\\x07" in text


def test_a_text_without_colours_has_none():
    assert "\x1b" not in render_text(ValueError("one"))
    assert "\x1b" in render_text(ValueError("one"), ANSI)


def test_an_exception_that_cannot_be_shown_is_still_told():
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    assert "Silent: <exception str() failed>" in render_text(Silent())


def test_endless_recursion_and_long_chains_are_bounded():
    def recurse():
        recurse()

    chain = None
    for number in range(100):
        following = ValueError(number)
        following.__cause__ = chain
        chain = following

    assert len(read_parts(chain)) == 20
    assert read_parts(chain)[-1].summary == "ValueError: 99"
    assert len(read_parts(caught(recurse))[0].frames) == 60
