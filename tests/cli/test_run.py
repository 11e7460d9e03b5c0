"""`penstock run` as a shell sees it: the banner, a reply, a quiet end, and a port that is taken."""

from __future__ import annotations

import re
import signal
import socket
import urllib.request

import pytest

from tests.cli.conftest import find_url, running, start

APPLICATION = """
from penstock import App

app = App()

@app.get("/")
async def home() -> str:
    return "served"
"""


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


@pytest.mark.parametrize(
    ("words", "variables", "text"),
    [
        (("--port", "0"), {}, ""),
        ((), {"PENSTOCK_PORT": "0"}, ""),
        ((), {}, "port = 0\n"),
    ],
)
def test_application_is_served_at_the_address_of_the_banner(tmp_path, words, variables, text):
    (tmp_path / "penstock.toml").write_text(text)

    with running(tmp_path, APPLICATION, *words, **variables) as (_, lines):
        content = fetch(find_url(lines))

    assert content == b"served"


def test_banner_says_what_is_in_force(tmp_path):
    with running(tmp_path, APPLICATION, "--port", "0", "--idle-timeout", "7.5", PENSTOCK_THREADS="3") as (
        child,
        lines,
    ):
        text = " ".join("".join(lines).split())

    assert "application shop:app" in text
    assert "address http://127.0.0.1:" in text
    assert f"pid {child.pid}," in text
    assert "up to 3 threads" in text
    assert "idle 7.5 s" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_without_a_traceback(tmp_path, number):
    with running(tmp_path, APPLICATION, "--port", "0") as (child, lines):
        fetch(find_url(lines))
        child.send_signal(number)
        output, errors = child.communicate(timeout=30)

    assert child.returncode == 0
    assert output == ""
    assert "Traceback" not in errors


def test_port_in_use_is_one_line(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(APPLICATION)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = penstock("run", "shop:app", "--port", str(port))

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"penstock: error: .*\b{port}\b.*in use.*\n", done.stderr)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("--host", "no-such-host.invalid"), "no-such-host.invalid"),
        (("--host", "192.0.2.1"), "192.0.2.1"),  # RFC 5737: nobody's address, so not ours
    ],
)
def test_address_that_cannot_be_bound_is_one_line(penstock, tmp_path, words, wrong):
    (tmp_path / "shop.py").write_text(APPLICATION)

    done = penstock("run", "shop:app", "--port", "0", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"penstock: error: .*{re.escape(wrong)}.*\n", done.stderr)


def test_conflict_of_routes_is_one_line(penstock, tmp_path):
    text = APPLICATION + "@app.get('/')\nasync def again() -> str: return ''\n"
    (tmp_path / "shop.py").write_text(text)

    done = penstock("run", "shop:app", "--port", "0")

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"penstock: error: .*two routes answer GET /.*\n", done.stderr)


def test_interrupt_while_the_application_starts_ends_quietly(tmp_path):
    text = """
import asyncio
from contextlib import asynccontextmanager
from penstock import App

@asynccontextmanager
async def lifespan(app):
    print("starting", flush=True)
    await asyncio.sleep(60)
    yield

app = App(lifespan=lifespan)
"""
    with start(tmp_path, text, "--port", "0") as child:
        try:
            assert child.stdout.readline() == "starting\n"
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=30)
        finally:
            child.kill()

    assert child.returncode == 130
    assert "Traceback" not in errors
