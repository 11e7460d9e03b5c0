"""The file that says which servers there are: what it may say, and how each mistake is told."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from http_benchmark.errors import UsageError
from http_benchmark.servers.definitions import read_definitions
from http_benchmark.servers.launch import parse_cpus, write_static
from http_benchmark.servers.placeholders import Places, user_name
from http_benchmark.servers.presence import Presence, interpreter_of, versions
from http_benchmark.servers.selection import find_definitions, select_servers, select_workloads

ROOT = Path(__file__).parents[3]
OURS = ROOT / "benchmarks" / "servers.toml"
WORKLOAD = '[workload.hello]\npath = "/"\ntext = "Hello"\n'
SERVER = '[server.one]\ncommand = ["x"]\nworkloads = ["hello"]\n'


def read(tmp_path, text):
    file = tmp_path / "servers.toml"
    file.write_text(text)
    return read_definitions(file)


def test_a_definition_says_all_there_is_to_say(tmp_path):
    found = read(
        tmp_path,
        """
        environment = { A = "1", B = "2" }
        [workload.make]
        path = "/things?n=1"
        method = "POST"
        headers = { X-One = "1" }
        body = "{}"
        status = 201
        json = { id = 1 }
        files = { "a/b.html" = 10, "c.txt" = "text" }
        [server.one]
        command = ["{python}", "-m", "x", "{port}"]
        workloads = ["make"]
        needs = ["uvloop", "$nginx"]
        environment = { B = "{here}" }
        working_folder = "{here}"
        files = { "x.conf" = "listen {port}; { other }" }
        start_timeout_s = 5
        """,
    )

    workload, server = found.workloads["make"], found.servers["one"]
    assert (workload.method, workload.path, workload.status) == ("POST", "/things?n=1", 201)
    assert (workload.body, workload.headers) == (b"{}", {"X-One": "1"})
    assert (workload.kind, workload.content) == ("json", {"id": 1})
    assert workload.files == {"a/b.html": 10, "c.txt": "text"}
    assert server.command == ("{python}", "-m", "x", "{port}")
    assert (server.needs, server.working_folder) == (("uvloop", "$nginx"), "{here}")
    assert server.environment == {"A": "1", "B": "{here}"}
    assert (server.files, server.start_timeout_s) == ({"x.conf": "listen {port}; { other }"}, 5.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "servers.toml is no TOML"),
        ("", "defines no workload"),
        (WORKLOAD, "defines no server"),
        (
            "colour = 1\n" + WORKLOAD + SERVER,
            "colour is no key of the file; allowed are environment, workload, server",
        ),
        ("server = 1\n" + WORKLOAD, "server is 1, but must be tables: [server.NAME]"),
        (WORKLOAD + "[server]\none = 1", "server.one is 1, but must be a table: [server.one]"),
        (WORKLOAD + "[server.one]\nworkloads = ['hello']", "server.one.command is missing: a list of texts"),
        (
            WORKLOAD + "[server.one]\ncommand = 'x'\nworkloads = ['hello']",
            "server.one.command is 'x', but must be a list of texts",
        ),
        (WORKLOAD + "[server.one]\ncommand = []\nworkloads = ['hello']", "server.one.command is empty"),
        (
            WORKLOAD + "[server.one]\ncommand = ['x']\nworkloads = ['helo']",
            "server.one.workloads names 'helo'; defined are hello",
        ),
        (
            WORKLOAD + "[server.one]\ncommand = ['{prot}']\nworkloads = ['hello']",
            "server.one.command has {prot}; placeholders are {port}, ",
        ),
        (
            WORKLOAD + SERVER + "comand = 1",
            "server.one.comand is no key of server.one; did you mean command?",
        ),
        (WORKLOAD + SERVER + "environment = { A = 1 }", "server.one.environment must be a table of texts"),
        (
            WORKLOAD + SERVER + "files = { '../x' = 'y' }",
            "server.one.files.../x is no name of a file in the folder",
        ),
        (
            WORKLOAD + SERVER + "start_timeout_s = 0",
            "server.one.start_timeout_s is 0, but must be a number of seconds above 0",
        ),
        (WORKLOAD + SERVER + "needs = [1]", "server.one.needs is [1], but must be a list of texts"),
        ("[workload.a]\ntext = 'x'", "workload.a.path is missing: a text"),
        ("[workload.a]\npath = 'x'\ntext = 'x'", "workload.a.path is 'x', but must begin with /"),
        (
            "[workload.a]\npath = '/'\nmethod = 'get'\ntext = 'x'",
            "workload.a.method is 'get'; allowed are GET, ",
        ),
        ("[workload.a]\npath = '/'\nbody = 'b'\ntext = 'x'", "workload.a.body is given, but GET has none"),
        (
            "[workload.a]\npath = '/'\nstatus = 99\ntext = 'x'",
            "workload.a.status is 99, but must be a whole number from 200 to 599",
        ),
        (
            "[workload.a]\npath = '/'",
            "workload.a must say what content is right, by one of text, json, length, sha256; it has 0",
        ),
        ("[workload.a]\npath = '/'\ntext = 'x'\nlength = 1", "text, json, length, sha256; it has 2"),
        (
            "[workload.a]\npath = '/'\nlength = -1",
            "workload.a.length is -1, but must be a whole number from 0",
        ),
        ("[workload.a]\npath = '/'\nsha256 = 'abc'", "workload.a.sha256 is 'abc', but must be 64 digits"),
        (
            "[workload.a]\npath = '/'\nlength = 1\nfiles = { x = true }",
            "workload.a.files.x is True, but must be a text or a number of octets",
        ),
        ("[workload.a]\npath = '/'\nlength = 1\nfiles = { '/x' = 1 }", "is no name of a file in the folder"),
    ],
    ids=lambda value: "",
)
def test_a_mistake_is_told_with_file_and_key(text, said, tmp_path):
    with pytest.raises(UsageError) as failed:
        read(tmp_path, text)

    assert said in str(failed.value)
    assert str(tmp_path / "servers.toml") in str(failed.value)


def test_a_file_that_is_absent_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        read_definitions(tmp_path / "none.toml")


def test_our_own_file_has_every_peer_and_workload():
    found = read_definitions(OURS)

    assert set(found.workloads) == {"hello", "api", "create", "static10k", "static50m", "injection"}
    for name in (
        "penstock",
        "nginx",
        "node",
        "uvicorn",
        "granian-rsgi",
        "fastwsgi",
        "socketify",
        "robyn",
        "gunicorn-gthread",
        "fastapi",
        "litestar",
        "blacksheep",
        "starlette",
        "falcon",
        "flask-granian",
        "django-granian",
        "penstock-static",
        "nginx-cache",
        "uvicorn-h11",
    ):
        assert name in found.servers
    for server in found.servers.values():
        for word in server.command:
            module = word.partition(":")[0]
            if ":" in word and module.isidentifier():
                assert (OURS.parent / "apps" / f"{module}.py").is_file()


def test_placeholders_are_filled_in_and_other_braces_stay():
    places = Places(port=80, folder=Path("/f"), static=Path("/s"), here=Path("/h"), python="py", peers="pe")

    found = places.fill("{port} {folder} {static} {here} {python} {peers} {user} { x } {0}")

    assert found == f"80 /f /s /h py pe {user_name()} {{ x }} {{0}}"


def test_the_first_of_a_file_that_is_not_named_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError,
        match=r"servers\.toml and benchmarks/servers\.toml do not exist; name one by --definitions",
    ):
        find_definitions(None)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "servers.toml").touch()

    assert find_definitions(None) == Path("benchmarks/servers.toml")
    assert find_definitions(Path("x")) == Path("x")


def test_servers_and_workloads_are_chosen_by_name():
    found = read_definitions(OURS)
    workloads = select_workloads(found, [])

    assert [workload.name for workload in workloads] == ["hello"]
    assert [
        server.name for server in select_servers(found, ["uvicorn", "penstock", "uvicorn"], workloads)
    ] == ["uvicorn", "penstock"]
    assert "penstock-static" not in [server.name for server in select_servers(found, [], workloads)]
    with pytest.raises(UsageError, match=r"no server 'uvicron'; did you mean uvicorn\?"):
        select_servers(found, ["uvicron"], workloads)
    with pytest.raises(UsageError, match="no workload 'zzz'; there are hello, api"):
        select_workloads(found, ["zzz"])
    with pytest.raises(
        UsageError, match="penstock-static has no workload hello; it has static10k, static50m"
    ):
        select_servers(found, ["penstock-static"], workloads)


def test_what_is_missing_is_told_with_how_to_get_it(tmp_path):
    found = read(
        tmp_path,
        WORKLOAD
        + """
        [server.there]
        command = ["{python}", "-m", "x"]
        workloads = ["hello"]
        needs = ["json"]
        [server.module]
        command = ["{peers}", "-m", "x"]
        workloads = ["hello"]
        needs = ["no_such_module"]
        [server.program]
        command = ["no-such-program"]
        workloads = ["hello"]
        [server.helper]
        command = ["{python}"]
        workloads = ["hello"]
        needs = ["$no-such-helper"]
        """,
    )

    presence = Presence(sys.executable, sys.executable, found.servers.values())

    said = {name: presence.missing(server) for name, server in found.servers.items()}
    assert said == {
        "there": "",
        "module": "no_such_module is not installed; pip install no_such_module, or name an environment with --peers",
        "program": "the program no-such-program is not on PATH; install the package of that name",
        "helper": "the program no-such-helper is not on PATH; install the package of that name",
    }


def test_an_environment_without_interpreter_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"is no virtual environment: it has no bin/python"):
        interpreter_of(tmp_path)
    with pytest.raises(UsageError, match="no-such-python is no interpreter of Python"):
        Presence(
            "no-such-python",
            sys.executable,
            read(
                tmp_path, WORKLOAD + SERVER.replace('"x"', '"{python}"') + "needs = ['json']"
            ).servers.values(),
        )


def test_versions_are_those_of_what_is_measured(tmp_path):
    servers = read(
        tmp_path,
        WORKLOAD
        + SERVER.replace('"x"', '"{python}"')
        + "needs = ['pytest', 'json']\n"
        + SERVER.replace("one", "two").replace('"x"', f'"{shutil.which("env")}"'),
    ).servers.values()

    found = versions(sys.executable, sys.executable, servers)

    assert found["pytest"] == pytest.__version__
    assert "json" not in found


def test_files_of_a_workload_have_their_size(tmp_path):
    workload = read(
        tmp_path,
        "[workload.a]\npath = '/'\nlength = 1\nfiles = { 'x/y.bin' = 3_000_000, z = 'text' }\n"
        + SERVER.replace("hello", "a"),
    ).workloads["a"]

    write_static(workload, tmp_path)

    assert (tmp_path / "x" / "y.bin").stat().st_size == 3_000_000
    assert (tmp_path / "z").read_text() == "text"


@pytest.mark.parametrize("text", ["", "x", "0-", "1-x", "-1", "9999"])
def test_a_list_of_processors_is_checked(text):
    with pytest.raises(UsageError):
        parse_cpus(text)
