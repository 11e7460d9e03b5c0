"""The banner: what, where, the bounds in force; colour only where a person looks."""

from __future__ import annotations

import io
import json
import os

import pytest

from penstock.observe.logs.format import JSONFormatter
from penstock.observe.logs.stderr import STDERR
from penstock.server.banner import render_banner, write_banner
from penstock.server.config import SETTINGS, Config
from penstock.server.setting import DEADLINES, LIMITS

ARGUMENTS = {"application_path": "demo:app", "urls": ["http://127.0.0.1:8000"]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def render(config, **changes):
    arguments = {**ARGUMENTS, "interface": "Penstock App", **changes}
    return render_banner(config, **arguments)


def test_banner_says_what_is_served_where_and_by_whom():
    text = render(Config())

    assert "demo:app (Penstock App)" in text
    assert "http://127.0.0.1:8000" in text
    assert f"pid {os.getpid()}, Python 3." in text
    assert "up to 16 threads" in text


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS if setting.group in (DEADLINES, LIMITS)],
    ids=lambda setting: setting.key,
)
def test_every_deadline_and_limit_in_force_is_shown(setting):
    config = Config(**{setting.name: 4321})

    text = render(config)

    assert setting.kind.show(getattr(config, setting.name)) in text


def test_bounds_in_force_are_shown():
    text = render(Config(threads=4, connection_limit=77, queue_limit=88))

    assert "up to 4 threads" in text
    assert "77 connections, 88 requests waiting" in text


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://127.0.0.1:8000", False),
        ("https://localhost:8443", False),
        ("http://[::1]:8000", False),
        ("unix:/run/shop.sock", False),
        ("http://0.0.0.0:8000", True),
        ("http://[::]:8000", True),
        ("http://192.0.2.1:8000", True),
    ],
)
def test_development_is_told_and_who_can_see_it(url, is_open):
    urls = ["http://127.0.0.1:1", url]

    assert "traceback" not in render(Config(), urls=urls)
    text = " ".join(render(Config(development=True), urls=urls).split())

    assert "failures are answered with their traceback" in text
    assert ("TO WHOEVER CAN CONNECT" in text) is is_open


def test_lines_are_aligned_and_short():
    lines = render(Config()).splitlines()

    values = lines[1:]
    assert all(len(line) <= 100 for line in lines)
    assert all(line[13] == " " and line[14] != " " for line in values)
    assert all(line == line.rstrip() for line in lines)


def test_several_addresses_are_shown():
    text = render(Config(), urls=["http://127.0.0.1:8000", "http://[::1]:8000"])

    assert "http://127.0.0.1:8000, http://[::1]:8000" in text


@pytest.mark.parametrize(
    ("stream", "environment", "is_coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_only(stream, environment, is_coloured, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    write_banner(Config(), **ARGUMENTS, stream=stream)

    assert ("\x1b[" in stream.getvalue()) is is_coloured


def test_colour_changes_nothing_else():
    plain = render(Config())

    coloured = render(Config(), is_coloured=True)

    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_banner_goes_to_stderr(capsys):
    write_banner(Config(log_format="text"), **ARGUMENTS)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Penstock ")


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
def test_higher_log_level_silences_it(level, capsys):
    write_banner(Config(log_level=level), **ARGUMENTS)

    assert capsys.readouterr().err == ""


def test_banner_is_a_line_of_json_where_the_log_is(capsys, monkeypatch):
    monkeypatch.setattr(STDERR, "formatter", JSONFormatter())

    write_banner(Config(workers=4, log_format="json"), **ARGUMENTS, admin_url="http://127.0.0.1:9100/")

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["message"].startswith("Penstock ")
    assert (told["level"], told["logger"]) == ("INFO", "penstock.server")
    assert (told["urls"], told["workers"]) == (ARGUMENTS["urls"], 4)
    assert told["admin"] == "http://127.0.0.1:9100/"
