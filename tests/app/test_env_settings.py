import os
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import pytest

from penstock import Field, load_settings
from penstock.errors import ApplicationError, ConfigError

SECRET = "hunter2-hunter2"


class Colour(Enum):
    RED = "red"


@dataclass
class Database:
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    name: str
    database: Database
    debug: bool = False
    workers: int = 1
    hosts: list[str] = field(default_factory=list)
    ports: tuple[int, ...] = ()
    tags: frozenset[str] = frozenset()
    folder: Path = Path()
    folders: list[Path] = field(default_factory=list)
    timeout: timedelta | None = None
    level: Literal["info", "debug"] = "info"
    colour: Colour = Colour.RED
    limits: dict[str, int] = field(default_factory=dict)
    replica: Database | None = None
    computed: int = field(init=False, default=7)


NEEDED = {"SHOP_NAME": "shop", "SHOP_DATABASE__HOST": "db"}


def load(**variables):
    return load_settings(Settings, prefix="SHOP_", environ=NEEDED | variables)


def test_what_is_not_set_has_its_default():
    assert load() == Settings("shop", Database("db"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("debug", "yes", True),
        ("workers", "8", 8),
        ("hosts", "a.org, b.org", ["a.org", "b.org"]),
        ("hosts", "", []),
        ("ports", "80,443", (80, 443)),
        ("tags", "a,b,a", frozenset({"a", "b"})),
        ("folder", "/srv", Path("/srv")),
        ("folders", "/a,/b", [Path("/a"), Path("/b")]),
        ("timeout", "PT30S", timedelta(seconds=30)),
        ("timeout", "", None),
        ("level", "debug", "debug"),
        ("colour", "red", Colour.RED),
        ("limits", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_made_of_its_text(name, text, value):
    assert getattr(load(**{f"SHOP_{name.upper()}": text}), name) == value


def test_nested_settings_have_two_underscores():
    made = load(SHOP_DATABASE__PORT="1", SHOP_DATABASE__PASSWORD=SECRET)

    assert made.database == Database("db", 1, SECRET)


def test_optional_nested_settings_are_read_once_one_of_them_is_set():
    assert load().replica is None
    assert load(SHOP_REPLICA__HOST="other").replica == Database("other")
    with pytest.raises(ConfigError, match="SHOP_REPLICA__HOST: is not set"):
        load(SHOP_REPLICA__PORT="1")


def test_every_fault_is_told_at_once_by_name_and_no_value_is():
    with pytest.raises(ConfigError) as raised:
        load_settings(
            Settings,
            prefix="SHOP_",
            environ={
                "SHOP_DATABASE__PORT": "70000",
                "SHOP_WORKERS": SECRET,
                "SHOP_PORTS": f"80,{SECRET}",
                "SHOP_LEVEL": SECRET,
                "SHOP_LIMITS": f'{{"a": "{SECRET}"}}',
                "SHOP_DEBUG": SECRET,
            },
        )

    told = str(raised.value)
    lines = [line.partition(":")[0] for line in told.splitlines()[1:]]
    assert lines == [
        "SHOP_NAME",
        "SHOP_DATABASE__HOST",
        "SHOP_DATABASE__PORT",
        "SHOP_DEBUG",
        "SHOP_WORKERS",
        "SHOP_PORTS",
        "SHOP_LEVEL",
        "SHOP_LIMITS",
    ]
    assert "expected an integer" in told
    assert "70000" not in told
    assert SECRET not in told
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("text", ["not json", "[1]", '{"a": "x"}', ""])
def test_json_that_does_not_fit_is_a_fault(text):
    with pytest.raises(ConfigError, match="SHOP_LIMITS"):
        load(SHOP_LIMITS=text)


def test_the_environment_is_the_processes_unless_given(monkeypatch):
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)

    assert load_settings(Settings, prefix="SHOP_").name == "shop"


def test_a_file_is_read_and_the_environment_beats_it(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "# of the shop\n"
        "\n"
        "SHOP_NAME = plain # but not this\n"
        'export SHOP_DATABASE__HOST="a\\"b\\n#c"\n'
        "SHOP_DATABASE__PASSWORD='as \\it is'  # this not\n"
        "SHOP_WORKERS=2\n"
        "SHOP_HOSTS=#none\n"
    )

    made = load_settings(Settings, prefix="SHOP_", env_file=file, environ={"SHOP_WORKERS": "3"})

    assert made.name == "plain"
    assert made.database.host == 'a"b\n#c'
    assert made.database.password == r"as \it is"
    assert made.workers == 3
    assert made.hosts == []
    assert "SHOP_NAME" not in os.environ


def test_a_file_that_is_not_there_is_none():
    assert load_settings(Settings, prefix="SHOP_", env_file="no/such/file", environ=NEEDED).name == "shop"


@pytest.mark.parametrize(
    "line", [f"SHOP_NAME {SECRET}", f"SHOP_NAME='{SECRET}", f"1A={SECRET}", f"={SECRET}"]
)
def test_a_line_that_says_nothing_is_told_by_its_number(tmp_path, line):
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{line}\n")

    with pytest.raises(ConfigError, match=r"\.env:2: expected NAME=value") as raised:
        load_settings(Settings, prefix="SHOP_", env_file=file, environ=NEEDED)
    assert SECRET not in str(raised.value)


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / ".env"
    file.write_bytes(b"\xff\xfe\xff")

    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Settings, prefix="SHOP_", env_file=file, environ=NEEDED)


def test_what_a_class_refuses_itself_is_told():
    @dataclass
    class Checked:
        low: int
        high: int

        def __post_init__(self):
            if self.low > self.high:
                raise ValueError("low is above high")

    with pytest.raises(ConfigError, match="low is above high"):
        load_settings(Checked, environ={"LOW": "2", "HIGH": "1"})


def test_a_type_that_cannot_be_spelled_is_the_authors_mistake():
    @dataclass
    class Odd:
        odd: complex

    with pytest.raises(ApplicationError, match=r"Odd\.odd"):
        load_settings(Odd, environ={})


@pytest.mark.parametrize("kind", [int, {}, Settings("x", Database("y"))])
def test_it_takes_a_dataclass(kind):
    with pytest.raises(ApplicationError, match="takes a dataclass"):
        load_settings(kind)


def test_a_marker_is_no_default_of_a_setting():
    @dataclass
    class Marked:
        size: int = Field(ge=1)

    with pytest.raises(ApplicationError, match=r"Marked.size: Field\(...\) is no default; write Annotated"):
        load_settings(Marked, environ={})
