"""Which clients are known, those of others included, and what the command tells of them."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from http_benchmark.cli import main
from http_benchmark.clients.adapter import Wiring
from http_benchmark.clients.registry import MODULES, adapters, find_adapter, is_installed, version_of
from http_benchmark.errors import MissingLibrary, UsageError

OWN = """
from http_benchmark.clients.adapter import Adapter, Exchange

class Client:
    def __init__(self, wiring):
        self.wiring = wiring
    def exchange(self, call):
        return Exchange(200, 0, 1, 2, 3)
    def connections_opened(self):
        return 1
    def close(self):
        pass

ADAPTER = Adapter(name="mine", distribution="own-client", install="pip install own-client", notes="", make_sync=Client)
MODELESS = Adapter(name="modeless", distribution="", install="", notes="")
TAKEN = Adapter(name="httpx", distribution="", install="", notes="", make_sync=Client)
NOT_ONE = "adapter"
"""


@pytest.fixture
def distribution(tmp_path):
    """Install a distribution whose entry points are given; return the folder it is in."""

    def install(**points: str) -> str:
        (tmp_path / "own_client.py").write_text(OWN)
        info = tmp_path / "own_client-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-client\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[http_benchmark.clients]", *lines, ""]))
        return str(tmp_path)

    return install


@pytest.fixture
def installed(distribution, monkeypatch):
    def install(**points: str) -> None:
        monkeypatch.syspath_prepend(distribution(**points))
        adapters.cache_clear()

    yield install
    adapters.cache_clear()
    sys.modules.pop("own_client", None)


def test_ten_clients_are_known_in_their_order():
    assert list(adapters()) == [
        "requests", "httpx", "httpx2", "aiohttp", "urllib3", "pycurl", "requestx", "niquests", "http.client", "penstock"
    ]  # fmt: skip
    assert len(MODULES) == 10


@pytest.mark.parametrize(
    ("asked", "said"), [("htpx", "did you mean httpx?"), ("zzz", "there are requests, httpx,")]
)
def test_an_unknown_client_is_answered_with_a_suggestion(asked, said):
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        find_adapter(asked)


def test_an_own_client_is_one_of_them(installed):
    installed(mine="own_client:ADAPTER")

    adapter = find_adapter("mine")

    assert (is_installed(adapter), version_of(adapter), adapter.modes) == (True, "1.2", ("sync",))
    assert adapter.make_sync(Wiring(1, 1.0)).connections_opened() == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("own_client:NO_SUCH", "has no attribute 'NO_SUCH'"),
        ("no_such_module:ADAPTER", "No module named 'no_such_module'"),
        ("own_client:NOT_ONE", "it is str, not http_benchmark.clients.adapter.Adapter"),
        ("own_client:MODELESS", "it has neither make_sync nor make_async"),
        ("own_client:TAKEN", "there is a client 'httpx' already"),
    ],
    ids=["no attribute", "no module", "no adapter", "no mode", "a name that is taken"],
)
def test_a_broken_entry_point_is_one_line_and_the_others_are_there(installed, capsys, value, said):
    installed(bad=value, mine="own_client:ADAPTER")

    found = adapters()

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"http-benchmark: the client 'bad' ({value}) is left out: ")
    assert said in err
    assert list(found)[-1] == "mine"
    assert len(found) == 11


ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from http_benchmark.clients.adapter import Wiring
from http_benchmark.clients.registry import adapters
from http_benchmark.errors import MissingLibrary
for adapter in adapters().values():
    try:
        client = adapter.make_sync(Wiring(1, 1.0)) if adapter.make_sync else adapter.make_async(Wiring(1, 1.0))
    except MissingLibrary as error:
        print(error)
    else:
        client.close()
        print(adapter.name, "works")
"""


def test_what_is_not_installed_says_how_to_get_it_and_the_rest_works():
    missing = {"requests", "httpx", "httpx2", "aiohttp", "urllib3", "pycurl", "requestx", "niquests"}
    done = subprocess.run(
        [sys.executable, "-c", ABSENT.format(missing=missing)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "requests is not installed: pip install requests",
        "httpx is not installed: pip install 'httpx[http2]'",
        "httpx2 is not installed: pip install 'httpx2[http2]'",
        "aiohttp is not installed: pip install aiohttp",
        "urllib3 is not installed: pip install urllib3",
        "pycurl is not installed: pip install pycurl",
        "requestx is not installed: pip install requestx (builds with Rust where there is no wheel)",
        "niquests is not installed: pip install niquests",
        "http.client works",
        "penstock works",
    ]


def test_a_library_that_is_there_and_broken_says_so(tmp_path):
    (tmp_path / "pycurl.py").write_text("raise ImportError('libcurl link-time version is older')\n")
    code = dedent(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from http_benchmark.clients.adapter import Wiring
        from http_benchmark.clients.registry import find_adapter
        from http_benchmark.errors import UsageError
        try:
            find_adapter("pycurl").make_sync(Wiring(1, 1.0))
        except UsageError as error:
            print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    said = "pycurl cannot be imported: libcurl link-time version is older; pip install pycurl"
    assert (done.stdout.strip(), done.stderr) == (said, "")


def test_the_command_lists_them_all(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["clients"]) == 0

    out, err = capsys.readouterr()
    assert err == ""
    for name, adapter in adapters().items():
        assert any(line.split()[:1] == [name] for line in out.splitlines())
        assert version_of(adapter) in out
    assert "requestx: a Client a thread" in out


def test_the_command_tells_it_as_json(capsys):
    assert main(["clients", "--json"]) == 0

    told = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(told) == list(adapters())
    assert told["aiohttp"]["modes"] == ["async"]
    assert told["httpx"]["http2"] is True
    assert (told["http.client"]["installed"], told["http.client"]["distribution"]) == (True, None)
    for each in told.values():
        assert each["installed"] == (each["version"] is not None)


@pytest.mark.skipif(is_installed(find_adapter("requestx")), reason="requestx is installed here")
def test_requestx_is_named_with_how_to_install_it():
    with pytest.raises(MissingLibrary, match="requestx is not installed: pip install requestx"):
        find_adapter("requestx").make_sync(Wiring(1, 1.0))
