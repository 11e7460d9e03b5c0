"""Colours: on terminals, unless somebody objects; elsewhere if somebody insists."""

from __future__ import annotations

import io

import pytest

from penstock.observe.terminal import is_terminal, wants_colour


class Terminal(io.StringIO):
    def isatty(self):
        return True


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    ("stream", "variables", "is_coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (closed(), {}, False),
        (None, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_are_shown_where_they_are_seen(monkeypatch, stream, variables, is_coloured):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert wants_colour(stream) is is_coloured


def test_closed_stream_is_no_terminal():
    assert not is_terminal(closed())
