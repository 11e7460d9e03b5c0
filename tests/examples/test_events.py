"""examples/events.py"""

from __future__ import annotations

import pytest


@pytest.fixture
def site(run_example):
    with run_example("events") as site:
        yield site


def lines_of(site, path, *fields):
    """The lines of an event stream, as they come."""
    client = site.server.ask(path, *fields)
    with client, client.makefile("rb") as received:
        while received.readline() != b"\r\n":
            pass
        while size := int(received.readline(), 16):
            yield from received.read(size).decode().splitlines()
            received.readline()


def test_the_page_is_there(site):
    assert "EventSource" in site.get("/").text


def test_the_clock_ticks(site):
    lines = lines_of(site, "/clock")

    assert next(lines).startswith('data: {"time":"20')
    lines.close()


def test_a_reader_that_comes_back_goes_on_where_it_was(site):
    for text in ("one", "two", "three"):
        site.ask("POST", "/log", text.encode())
    lines = lines_of(site, "/log", "Last-Event-ID: 1")

    got = [next(lines) for _ in range(10)]
    lines.close()

    assert got == [
        "retry: 1000", "", "event: line", "id: 2", "data: two", "", "event: line", "id: 3", "data: three", "",
    ]  # fmt: skip


def test_a_line_written_while_somebody_reads_arrives(site):
    lines = lines_of(site, "/log")
    assert next(lines) == "retry: 1000"

    site.ask("POST", "/log", b"late")

    assert [next(lines) for _ in range(4)] == ["", "event: line", "id: 1", "data: late"]
    lines.close()
