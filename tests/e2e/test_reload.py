"""`penstock dev` as a developer sees it: what is saved is what answers, whatever is open, stuck or wrong."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import contextmanager

import pytest

from tests.e2e.serving import Serving, environment, receive, serving
from tests.e2e.workers import children, get, is_alive, run_to_end, wait_until

APPLICATION = """
import asyncio, os, sys, threading, time
from penstock import App, StreamResponse, WebSocket

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "VERSION"

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/endless")
async def endless() -> StreamResponse:
    async def ticks():
        while True:
            yield b"tick\\n"
            await asyncio.sleep(0.05)
    return StreamResponse(ticks())

def tell():
    print("it is stuck", file=sys.stderr, flush=True)

@app.websocket("/socket")
async def socket(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)

@app.get("/thread")
def thread() -> str:
    tell()
    time.sleep(60)

@app.get("/task")
async def task() -> str:
    tell()
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@app.get("/inline", run="inline")
def inline() -> str:
    tell()
    time.sleep(60)
"""


def save(folder, text, name="shop.py"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def path_with(folder):
    return os.pathsep.join([str(folder), environment()["PYTHONPATH"]])


def version(name):
    return APPLICATION.replace("VERSION", name)


@contextmanager
def developing(folder, *flags, text=None, may_fail=False, **options):
    save(folder, text or version("one"))
    words = ("shop:app", "--reload", *flags)
    with serving(*words, cwd=folder, may_fail=may_fail, **options) as server:
        yield server


def wait_for(server, content, path="/"):
    """Ask until this is the answer, and return how long it took."""
    start = time.monotonic()
    wait_until(lambda: content in get(server, path), f"{content!r} is answered\n{server.log}")
    return time.monotonic() - start


@pytest.mark.parametrize("method", ["watchfiles", "polling"])
def test_what_is_saved_is_what_answers(tmp_path, method):
    variables = {}
    if method == "polling":
        save(tmp_path, "import sys; sys.modules['watchfiles'] = None\n", "absent/sitecustomize.py")
        variables["PYTHONPATH"] = path_with(tmp_path / "absent")
    else:
        pytest.importorskip("watchfiles")
    with developing(tmp_path, **variables) as server:
        assert get(server, "/") == "one"
        took = []
        for name in ("two", "three"):
            save(tmp_path, version(name))
            took.append(wait_for(server, name))

    print(f"{method}: from save to answer {min(took):.2f} s")
    assert ("watchfiles notices" in server.log) is (method == "watchfiles")
    assert "shop.py: reloading" in server.log  # read to its end by now
    assert min(took) < 10


def test_every_worker_is_another_after_a_save(tmp_path):
    with developing(tmp_path, "--workers", "3") as server:
        before = children(server)
        save(tmp_path, version("two"))
        wait_for(server, "two")

        wait_until(lambda: len(children(server)) == 4, "three workers and the watcher")
        answers = {get(server, "/") for _ in range(20)}

        assert len(before & children(server)) == 1
        assert answers == {"two"}


UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


@pytest.mark.parametrize("path", ["/endless", "/socket", "/thread", "/task", "/inline"])
def test_what_is_under_way_does_not_hold_a_reload(tmp_path, path):
    with developing(tmp_path, "--drain-timeout", "0.2") as server:
        client = server.ask(path, *(UPGRADE if path == "/socket" else ()))
        if path in ("/endless", "/socket"):
            assert client.recv(65_536)
        else:
            server.wait_for_log("it is stuck")

        save(tmp_path, version("two"))
        took_s = wait_for(server, "two")

        print(f"{path}: {took_s:.2f} s")
        assert took_s < 20
        receive(client)


def test_requests_that_come_while_the_code_is_loaded_wait_for_it(tmp_path):
    with developing(tmp_path) as server:
        save(tmp_path, "import time; time.sleep(1)\n" + version("two"))
        server.wait_for_log("reloading")
        wait_until(lambda: get(server, "/") == "two", "the new code answers")

    assert " 503 " not in server.log


BROKEN = [
    ("x = (\n", "SyntaxError: '(' was never closed"),
    ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ("from penstock import App\nappp = App()\n", "did you mean 'appp'?"),
    ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    (
        "from penstock import App\napp = App()\n@app.on_startup\ndef start(): raise OSError('no disk')\n",
        "OSError: no disk",
    ),
    (
        "from penstock import App\napp = App()\n@app.get('/')\ndef a(): ...\n@app.get('/')\ndef b(): ...\n",
        "two routes answer GET /",
    ),
]


def test_code_that_does_not_work_is_told_until_the_next_save(tmp_path):
    with developing(tmp_path, "--workers", "2", may_fail=True) as server:
        for text, shown in BROKEN:
            save(tmp_path, text)
            wait_for(server, shown)
            assert receive(server.ask("/any/path", "Connection: close")).startswith(b"HTTP/1.1 503 ")
            server.wait_for_log(re.escape(shown))
        save(tmp_path, version("two"))
        wait_for(server, "two")

        server.wait_for_log("reloaded in")
        assert server.log.count("is not served until a save mends it") == len(BROKEN)
        assert "importlib" not in server.log


def test_code_that_does_not_work_at_the_start_waits_for_a_save(tmp_path):
    with developing(tmp_path, text="x = (\n", may_fail=True) as server:
        assert "never closed" in get(server, "/")

        save(tmp_path, version("mended"))

        wait_for(server, "mended")
        assert "(cannot be loaded)" in server.log


def test_a_wrong_name_at_the_start_is_one_line_and_code_2(tmp_path):
    code, errors = run_to_end(tmp_path, "from penstock import App\nap = App()\n", "--reload")

    assert code == 2
    assert errors == "penstock: error: module 'shop' (shop.py) has no attribute 'app'; did you mean 'ap'?\n"


def test_preload_contradicts_reload(tmp_path):
    code, errors = run_to_end(tmp_path, "", "--reload", "--preload")

    assert code == 2
    assert errors.startswith("penstock: error: preload: ")


def test_a_worker_that_dies_while_it_imports_is_no_end(tmp_path):
    with developing(tmp_path) as server:
        save(tmp_path, "import os\nos._exit(7)\n")
        server.wait_for_log("a worker cannot start.*exit code 7")

        save(tmp_path, version("two"))

        wait_for(server, "two")


def test_a_save_while_the_code_is_imported_starts_again(tmp_path):
    with developing(tmp_path) as server:
        save(tmp_path, "import time; time.sleep(60)\n")
        server.wait_for_log("reloading")

        save(tmp_path, version("two"))

        assert wait_for(server, "two") < 25


def test_a_burst_of_saves_ends_with_the_last(tmp_path):
    with developing(tmp_path) as server:
        for number in range(30):
            save(tmp_path, version(f"number {number}"))
        wait_for(server, "number 29")

        assert 1 <= server.log.count(": reloading") <= 5


def test_a_second_save_of_the_same_size_in_the_same_second_counts(tmp_path):
    save(tmp_path, "value = 'a0'\n", "parts.py")
    with developing(
        tmp_path, text=version("{parts.value}").replace('"{', 'f"{') + "import parts\n"
    ) as server:
        for number in range(1, 6):
            save(tmp_path, f"value = 'a{number}'\n", "parts.py")
            wait_for(server, f"a{number}")


def test_modules_in_new_folders_are_watched(tmp_path):
    with developing(tmp_path) as server:
        save(tmp_path, "name = 'new'\n", "parts/__init__.py")
        server.wait_for_log("__init__.py: reloading")
        save(tmp_path, version("NAME").replace('"NAME"', "parts.name") + "import parts\n")
        wait_for(server, "new")

        save(tmp_path, "name = 'newer'\n", "parts/__init__.py")
        wait_for(server, "newer")
        (tmp_path / "parts" / "__init__.py").unlink()
        server.wait_for_log(r"parts/__init__.py: reloading[^:]*\n(.*\n)*.*reloaded")


def test_an_application_outside_the_working_directory_is_watched(tmp_path):
    (tmp_path / "work").mkdir()
    save(tmp_path, version("one"), "lib/shop.py")
    path = path_with(tmp_path / "lib")

    with serving("shop:app", "--reload", cwd=tmp_path / "work", PYTHONPATH=path) as server:
        save(tmp_path, version("two"), "lib/shop.py")

        wait_for(server, "two")


def test_settings_are_not_read_again(tmp_path):
    (tmp_path / "penstock.toml").write_text("server_header = 'one'\n")
    with developing(tmp_path) as server:
        (tmp_path / "penstock.toml").write_text("server_header = 'two'\n")
        save(tmp_path, version("two"))
        wait_for(server, "two")

        assert b"Server: one" in receive(server.ask("/", "Connection: close"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path, number):
    save(tmp_path, version("one"))
    server = Serving("shop:app", "--reload", cwd=tmp_path)
    try:
        pids = children(server)
        assert len(pids) == 2

        server.process.send_signal(number)
        server.process.wait(20)

        wait_until(lambda: not any(map(is_alive, pids)), "worker and watcher end")
    finally:
        server.kill()


FOREIGN = """
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    raise ValueError("asgi failed")

def wsgi(environ, start_response):
    raise ValueError("wsgi failed")
"""


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
@pytest.mark.parametrize(("flag", "is_shown"), [("--development", True), ("--no-development", False)])
def test_failures_of_hosted_applications_are_shown_in_development_alone(tmp_path, name, flag, is_shown):
    save(tmp_path, FOREIGN)
    words = (f"shop:{name}", "--interface", name, flag)
    with serving(*words, cwd=tmp_path, may_fail=True) as server:
        reply = receive(server.ask("/", "Accept: text/html", "Connection: close"))

        assert reply.startswith(b"HTTP/1.1 500 ")
        assert (b"<!doctype html>" in reply) is is_shown
        assert (f"{name} failed".encode() in reply) is is_shown
        server.wait_for_log(f"{name} failed")


def test_a_response_that_cannot_be_sent_is_shown_as_well(tmp_path):
    text = (
        version("one")
        + "from penstock import Response\n@app.get('/wrong')\n"
        + "def wrong() -> Response:\n    return Response(headers={'X': 'a\\r\\nb'})\n"
    )
    with developing(tmp_path, text=text, may_fail=True) as server:
        assert "is not allowed in a field value" in get(server, "/wrong")
        assert get(server, "/") == "one"


def test_dev_is_run_with_reload(tmp_path):
    save(tmp_path, version("one"))
    with serving("shop:app", cwd=tmp_path, command="dev") as server:
        save(tmp_path, version("two"))
        wait_for(server, "two")
