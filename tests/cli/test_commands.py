"""The commands as a shell sees them: exit codes, stdout, and stderr to the letter."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys

import pytest

from penstock import __version__
from penstock.server.config import SETTINGS
from penstock.server.kinds import Switch
from tests.cli.conftest import make_environment

MISTAKE = 2
APPLICATION = "from penstock import App\napp = App()\n"
COMMANDS = ("run", "check")


def refuses(done, message):
    """Exit code 2, one line on stderr, nothing on stdout."""
    assert (done.returncode, done.stdout, done.stderr) == (MISTAKE, "", f"penstock: error: {message}\n")


# ------------------------------------------------------------------------------------------------- version and help


@pytest.mark.parametrize("words", [("--version",), ("-V",), ("--version", "run")])
def test_version(penstock, words):
    done = penstock(*words)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"penstock {__version__}\n", "")


def test_version_takes_less_than_100_ms(tmp_path):
    words = [sys.executable, "-m", "penstock", "--version"]
    times_s = []

    def used_s():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    for _ in range(7):
        start = used_s()
        subprocess.run(words, cwd=tmp_path, env=make_environment(), capture_output=True, check=True)
        times_s.append(used_s() - start)

    # Of the processor's time, and the best of several: what other processes do on the machine only ever adds.
    assert min(times_s[1:]) < 0.1


def test_help_lists_the_commands(penstock):
    done = penstock("--help")

    assert (done.returncode, done.stderr) == (0, "")
    for word in ("run", "routes", "check", "--version"):
        assert word in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_documents_every_flag_with_its_default(penstock, command):
    done = penstock(command, "--help")

    text = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (0, "")
    for setting in SETTINGS:
        name = (
            f"{setting.flag}, --no-{setting.flag[2:]}" if isinstance(setting.kind, Switch) else setting.flag
        )
        words = f"{name} {setting.kind.metavar}".strip()
        assert f"{words} {setting.purpose} (default {setting.default})" in text


def test_help_groups_the_flags(penstock):
    lines = penstock("run", "--help").stdout.splitlines()

    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    groups = [f"{group}:" for group in dict.fromkeys(setting.group for setting in SETTINGS)]
    assert headings[-len(groups) :] == groups


# --------------------------------------------------------------------------------------- mistakes on the command line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (),
            "which command? new, run, dev, routes, openapi, static, ctl, top, health, check; `penstock --help` explains them",
        ),
        (("rum", "shop:app"), "unknown command 'rum'; did you mean 'run'?"),
        (("zzz",), "unknown command 'zzz'"),
        (("run",), "run what? Name the application: penstock run module:app"),
        (("routes",), "routes what? Name the application: penstock routes module:app"),
        (("run", "shop:app", "-w", "4"), "unknown flag '-w'; did you mean '--workers'?"),
        (("run", "shop:app", "--ssl-keyfile=x"), "unknown flag '--ssl-keyfile'; did you mean '--tls-key'?"),
        (("routes", "shop:app", "-w", "4"), "unknown flag '-w'"),
        (("run", "shop:app", "--prot", "80"), "unknown flag '--prot'; did you mean '--port'?"),
        (("run", "--prot=80", "shop:app"), "unknown flag '--prot'; did you mean '--port'?"),
        (("run", "shop:app", "--por", "80"), "unknown flag '--por'; did you mean '--port'?"),
        (
            ("run", "shop:app", "--no-acces-log"),
            "unknown flag '--no-acces-log'; did you mean '--no-access-log'?",
        ),
        (
            ("run", "shop:app", "--idle-timeout-s", "5"),
            "unknown flag '--idle-timeout-s'; did you mean '--idle-timeout'?",
        ),
        (("run", "shop:app", "more"), "unexpected argument 'more'"),
        (("routes", "shop:app", "--port", "80"), "unknown flag '--port'"),
        (("run", "shop:app", "--port"), "argument --port: expected one argument"),
        (
            ("run", "shop:app", "--no-access-log=1"),
            "argument --access-log/--no-access-log: ignored explicit argument '1'",
        ),
    ],
)
def test_wrong_command_line_is_one_line(penstock, words, message):
    refuses(penstock(*words), message)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--port", "eighty"), "--port: expected a whole number from 0 to 65535, got 'eighty'"),
        (("--port", "-1"), "--port: expected a whole number from 0 to 65535, got '-1'"),
        (
            ("--idle-timeout", "soon"),
            "--idle-timeout: expected seconds such as 15 or 0.5, more than 0 and at most 86400, got 'soon'",
        ),
        (
            ("--head-limit", "64kB"),
            "--head-limit: expected bytes such as 65536, 64k or 1MiB, at least 64, got '64kB'",
        ),
        (
            ("--log-level", "loud"),
            "--log-level: expected debug, info, warning, error or critical, got 'loud'",
        ),
        (
            ("--host", "localhost:80"),
            "--host: expected a host name or an address alone, without scheme or port, got 'localhost:80'",
        ),
        (
            ("--server-header", "a\nb"),
            "--server-header: expected printable ASCII without a space at either end, got 'a\\nb'",
        ),
    ],
)
def test_wrong_value_is_one_line(penstock, command, words, message):
    refuses(penstock(command, "shop:app", *words), message)


def test_wrong_switch_in_the_environment_is_one_line(penstock):
    done = penstock("check", PENSTOCK_ACCESS_LOG="maybe")

    refuses(done, "PENSTOCK_ACCESS_LOG: expected true or false, got 'maybe'")


def test_unknown_variable_is_one_line(penstock):
    done = penstock("check", PENSTOCK_PROT="80")

    refuses(done, "unknown environment variable PENSTOCK_PROT; did you mean 'PENSTOCK_PORT'?")


def test_unknown_key_is_one_line(penstock, tmp_path):
    (tmp_path / "penstock.toml").write_text("prot = 80\n")

    refuses(penstock("check"), "penstock.toml:1: unknown key 'prot'; did you mean 'port'?")


def test_broken_file_is_one_line_with_its_place(penstock, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\nport 80\n")

    refuses(penstock("check"), "pyproject.toml:2:6: Expected '=' after a key in a key/value pair")


# ----------------------------------------------------------------------------------------------- the application


@pytest.mark.parametrize("command", ["run", "routes", "check"])
def test_module_that_is_absent_is_one_line(penstock, tmp_path, command):
    done = penstock(command, "shop:app", PENSTOCK_PORT="0")

    assert done.returncode == MISTAKE
    assert done.stderr == (
        f"penstock: error: no module named 'shop' in {tmp_path} or among the installed packages\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import absent_package\n",
            "cannot import 'shop': shop.py:1: ModuleNotFoundError: No module named 'absent_package'",
        ),
        ("raise ValueError('one\\n  two')\n", "cannot import 'shop': shop.py:1: ValueError: one; two"),
        ("import sys\nsys.exit()\n", "cannot import 'shop': shop.py:2: SystemExit"),
        ("x = 5\n", "module 'shop' (shop.py) has no attribute 'app'"),
        (
            "app = 5\n",
            (
                "'shop:app' is an object of type int, not an application; "
                "name an instance of penstock.App, or an ASGI or WSGI application"
            ),
        ),
    ],
)
def test_module_without_a_usable_application_is_one_line(penstock, tmp_path, text, message):
    (tmp_path / "shop.py").write_text(text)

    refuses(penstock("run", "shop:app", "--port", "0"), message)


def test_interrupt_while_the_application_is_imported_ends_quietly(tmp_path):
    (tmp_path / "shop.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    words = [sys.executable, "-m", "penstock", "run", "shop:app", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    # A shell's background job is started with SIGINT ignored, and hands that on.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        child = subprocess.Popen(words, cwd=tmp_path, env=make_environment(), **pipes)
    finally:
        signal.signal(signal.SIGINT, before)
    with child:
        assert child.stdout.readline() == "here\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)

    assert (child.returncode, errors) == (130, "")


def test_closed_pipe_ends_quietly(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "penstock", "check"],
            cwd=tmp_path,
            env=make_environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.stderr == b""


# -------------------------------------------------------------------------------------------------------------- check


def shown_by_check(done, code=0):
    """Key -> (value, source)."""
    assert done.returncode == code
    assert bool(done.stderr) is bool(code)
    rows = [line.split("  ") for line in done.stdout.splitlines() if line]
    cells = [[cell.strip() for cell in row if cell] for row in rows]
    return {row[0]: tuple(row[1:]) for row in cells if len(row) == 3}


def other_value(setting):
    words = {
        "host": "127.0.0.9",
        "bind": "127.0.0.9:1",
        "unix_mode": "606",
        "unix_owner": "nobody",
        "tls_cert": "cert.pem",
        "tls_key": "key.pem",
        "tls_key_password": "sesame",
        "tls_client_ca": "ca.pem",
        "tls_self_signed": "true",
        "proxy_trust": "10.0.0.0/8",
        "proxy_family": "forwarded",
        "proxy_protocol": "true",
        "root_path": "/shop",
        "interface": "asgi",
        "loop": "uvloop",
        "preload": "true",
        "compression": "true",
        "access_log": "false",
        "log_file": "server.log",
        "access_log_file": "access.log",
        "ws_compression": "false",
        "log_format": "text",
        "access_log_format": "%h %t",
        "access_log_sample": "0.25",
        "access_log_exclude": "/livez",
        "log_level": "error",
        "redact": "customer-id",
        "redact_pattern": "case [0-9]{1,4}",
        "server_header": "penstock",
        "release": "r7",
        "server_timing": "true",
        "otel": "true",
        "metrics": "false",
        "admin": "127.0.0.9:2",
        "pid_file": "shop.pid",
        "user": "nobody",
        "group": "daemon",
        "umask": "027",
        "chdir": "/",
        "development": "true",
        "reload": "true",
        "reload_dir": "lib",
        "reload_include": "*.html",
        "reload_exclude": "*.js",
    }
    return words.get(setting.key, "321")


def flag_of(setting):
    return setting.flag.replace("--", "--no-") if other_value(setting) == "false" else setting.flag


def test_check_shows_every_default(penstock):
    shown = shown_by_check(penstock("check"))

    assert list(shown) == [setting.key for setting in SETTINGS]
    for setting in SETTINGS:
        value, source = shown[setting.key]
        assert source == "default"
        assert value == setting.default or setting.key == "processes"


def test_every_setting_is_taken_from_its_flag(penstock):
    words = []
    for setting in SETTINGS:
        words += (
            [flag_of(setting)] if isinstance(setting.kind, Switch) else [setting.flag, other_value(setting)]
        )

    shown = shown_by_check(penstock("check", *words), MISTAKE)  # taken together they contradict

    for setting in SETTINGS:
        expected = setting.kind.show(setting.kind.read(other_value(setting)))
        assert shown[setting.key] == (expected, flag_of(setting))


def test_every_setting_is_taken_from_the_environment(penstock):
    variables = {setting.environment: other_value(setting) for setting in SETTINGS}

    shown = shown_by_check(penstock("check", **variables), MISTAKE)  # taken together they contradict

    for setting in SETTINGS:
        expected = setting.kind.show(setting.kind.read(other_value(setting)))
        assert shown[setting.key] == (expected, setting.environment)


@pytest.mark.parametrize(
    ("name", "header", "source"),
    [
        ("penstock.toml", "", "penstock.toml"),
        ("pyproject.toml", "[tool.penstock]\n", "pyproject.toml [tool.penstock]"),
    ],
)
def test_every_setting_is_taken_from_a_file(penstock, tmp_path, name, header, source):
    text = header
    for setting in SETTINGS:
        value = other_value(setting)
        text += f"{setting.key} = {value if value in ('true', 'false', '321') else repr(value)}\n"
    (tmp_path / name).write_text(text)

    shown = shown_by_check(penstock("check"), MISTAKE)  # as above

    for setting in SETTINGS:
        expected = setting.kind.show(setting.kind.read(other_value(setting)))
        assert shown[setting.key] == (expected, source)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--tls-cert", "a.pem", "--tls-self-signed"),
            "tls_self_signed: there is a tls_cert; one of the two",
        ),
        (
            ("--tls-cert", "a.pem", "--tls-key", "a.key,b.key"),
            "tls_key: 2 of them for 1 of tls_cert; they go in pairs",
        ),
        (
            ("--tls-client-ca", "ca.pem"),
            "tls_client_ca: clients show a certificate over TLS only; set tls_cert",
        ),
        (("--tls-cert", "absent.pem"), "tls_cert: cannot read absent.pem: No such file or directory"),
        (("--reload", "--preload"), "preload: what is imported once cannot be reloaded; one of the two"),
        (("--reload", "--reload-dir", "absent"), "reload_dir: absent is no folder"),
    ],
)
def test_check_finds_what_would_stop_the_start(penstock, words, message):
    done = penstock("check", *words)

    assert done.returncode == MISTAKE
    assert done.stderr == f"penstock: error: {message}\n"
    assert "tls_cert" in done.stdout


def test_flag_beats_environment_beats_file(penstock, tmp_path):
    (tmp_path / "penstock.toml").write_text("port = 1\nthreads = 2\nbacklog = 3\n")

    shown = shown_by_check(penstock("check", "--port", "7", PENSTOCK_PORT="4", PENSTOCK_THREADS="5"))

    assert shown["port"] == ("7", "--port")
    assert shown["threads"] == ("5", "PENSTOCK_THREADS")
    assert shown["backlog"] == ("3", "penstock.toml")
    assert shown["queue_limit"] == ("1024", "default")


def test_last_of_two_equal_flags_holds(penstock):
    shown = shown_by_check(penstock("check", "--port", "7", "--port=8", "--no-access-log", "--access-log"))

    assert shown["port"] == ("8", "--port")
    assert shown["access_log"] == ("on", "--access-log")


def test_check_loads_the_application_when_one_is_named(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(APPLICATION)

    done = penstock("check", "shop:app")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nshop:app can be served (Penstock App)\n")


def test_check_finds_what_would_stop_the_application_from_starting(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(
        APPLICATION + "@app.get('/')\ndef home(): ...\n@app.get('/')\ndef again(): ...\n"
    )

    done = penstock("check", "shop:app")

    assert done.returncode == MISTAKE
    assert done.stderr.startswith("penstock: error: two routes answer GET /: ")
    assert done.stderr.count("\n") == 1


def test_check_in_a_folder_that_is_gone_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.rmdir({str(gone)!r}); from penstock.cli import main; raise SystemExit(main(['check']))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=gone,
        env=make_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    refuses(done, "the working directory does not exist any more")


# ------------------------------------------------------------------------------------------------------------- routes


def test_routes_are_listed_in_columns(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(
        "from penstock import App, Router\n"
        "app = App()\n"
        "items = Router(prefix='/items')\n"
        "@app.get('/')\n"
        "async def home(): ...\n"
        "@items.route('/{item_id:int}', methods=['GET', 'PUT'], name='one')\n"
        "def item(item_id: int): ...\n"
        "app.include(items)\n"
    )

    done = penstock("routes", "shop:app")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "METHOD   PATH                  NAME  HANDLER    RUNS AS",
        "GET      /                     home  shop:home  task",
        "GET,PUT  /items/{item_id:int}  one   shop:item  thread",
    ]


def test_routes_of_an_application_without_any_are_a_heading(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(APPLICATION)

    done = penstock("routes", "shop:app")

    assert (done.returncode, done.stdout, done.stderr) == (0, "METHOD  PATH  NAME  HANDLER  RUNS AS\n", "")


def test_routes_of_a_bare_handler_cannot_be_listed(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(
        "class Handler:\n"
        "    methods = frozenset({'GET'})\n"
        "    def resolve(self, request): ...\n"
        "    async def startup(self, server): ...\n"
        "    async def shutdown(self): ...\n"
        "app = Handler()\n"
    )

    refuses(penstock("routes", "shop:app"), "'shop:app' has no list of routes: it is not a penstock.App")
