"""Where settings come from: flag, environment, file, default; and what is said when one of them is wrong."""

from __future__ import annotations

import pytest

from penstock.errors import ConfigError
from penstock.server.config import SETTINGS
from penstock.server.kinds import Switch
from penstock.server.settings import resolve_settings

# For each setting a value in each of three sources, all different from each other and from the default.
SPECIAL = {
    "bind": ("127.0.0.1:1", "unix:/run/shop.sock", "[::1]:2"),
    "unix_mode": ("600", "666", "644"),
    "unix_owner": ("one", "two:two", ":three"),
    "tls_cert": ("one", "two", "three"),
    "tls_key": ("one", "two", "three"),
    "tls_key_password": ("one", "two", "three"),
    "tls_client_ca": ("one", "two", "three"),
    "proxy_trust": ("10.0.0.0/8", "unix", "::1"),
    "proxy_family": ("none", "forwarded", "none"),
    "proxy_protocol": ("false", "true", "false"),
    "root_path": ("/one", "/two", "/three"),
    "tls_self_signed": ("false", "true", "false"),
    "preload": ("false", "true", "false"),
    "interface": ("native", "asgi", "wsgi"),
    "loop": ("asyncio", "uvloop", "asyncio"),
    "host": ("127.0.0.2", "127.0.0.3", "localhost"),
    "compression": ("false", "true", "false"),
    "access_log": ("false", "true", "false"),
    "log_file": ("one", "two", "three"),
    "access_log_file": ("one", "two", "three"),
    "ws_compression": ("false", "true", "false"),
    "log_format": ("text", "json", "text"),
    "access_log_format": ("json", "common", "%h %t"),
    "access_log_sample": ("0.1", "0.2", "0.3"),
    "access_log_exclude": ("/one", "/two", "/three"),
    "redact": ("customer-id", "plate", "vin"),
    "redact_pattern": ("one-[0-9]", "two{1,2}", "three"),
    "log_level": ("debug", "error", "warning"),
    "server_header": ("one", "two", "three"),
    "release": ("one", "@two", "three"),
    "server_timing": ("false", "true", "false"),
    "otel": ("false", "true", "false"),
    "metrics": ("false", "true", "false"),
    "admin": ("127.0.0.1:1", "unix:/run/admin.sock", "[::1]:2"),
    "pid_file": ("one", "two", "three"),
    "user": ("one", "two", "three"),
    "group": ("one", "two", "three"),
    "umask": ("027", "077", "007"),
    "chdir": ("one", "two", "three"),
    "development": ("false", "true", "false"),
    "reload": ("false", "true", "false"),
    "reload_dir": ("one", "two", "three"),
    "reload_include": ("*.one", "*.two", "*.three"),
    "reload_exclude": ("*.one", "*.two", "*.three"),
}


def sample(setting):
    return SPECIAL.get(setting.key, ("201", "202", "203"))


def refused(flags, environment, folder):
    with pytest.raises(ConfigError) as caught:
        resolve_settings(flags, environment, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_hold_without_any_source(tmp_path):
    settings = resolve_settings({}, {"PATH": "/bin"}, tmp_path)

    assert settings.config.port == 8000
    assert set(settings.sources.values()) == {"default"}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_flag_beats_environment_beats_file_beats_default(setting, tmp_path):
    from_flag, from_environment, from_file = sample(setting)
    flags, environment = {setting.key: from_flag}, {setting.environment: from_environment}
    empty, filled = tmp_path / "empty", tmp_path / "filled"
    empty.mkdir()
    filled.mkdir()
    is_bare = isinstance(setting.kind, Switch) or setting.key not in SPECIAL
    (filled / "penstock.toml").write_text(f"{setting.key} = {from_file if is_bare else repr(from_file)}\n")

    resolved = [
        resolve_settings({}, {}, empty),
        resolve_settings({}, {}, filled),
        resolve_settings({}, environment, filled),
        resolve_settings(flags, environment, filled),
    ]

    shown = [setting.kind.show(getattr(settings.config, setting.name)) for settings in resolved[1:]]
    read = [setting.kind.show(setting.kind.read(text)) for text in (from_file, from_environment, from_flag)]
    sources = [settings.sources[setting.name] for settings in resolved]
    assert shown == read
    assert sources == ["default", "penstock.toml", setting.environment, setting.flag]


def test_refused_switch_shows_its_negative_flag(tmp_path):
    settings = resolve_settings({"access_log": False}, {}, tmp_path)

    assert settings.config.access_log is False
    assert settings.sources["access_log"] == "--no-access-log"


def test_table_in_pyproject_is_read(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.penstock]\ncontent_limit = "2MiB"\n'
    )

    settings = resolve_settings({}, {}, tmp_path)

    assert settings.config.content_limit_bytes == 2 * 2**20
    assert settings.sources["content_limit_bytes"] == "pyproject.toml [tool.penstock]"


def test_penstock_toml_hides_pyproject_in_the_same_folder(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\nport = 1\nthreads = 3\n")
    (tmp_path / "penstock.toml").write_text("port = 2\n")

    settings = resolve_settings({}, {}, tmp_path)

    assert settings.config.port == 2
    assert settings.sources["threads"] == "default"


def test_nearest_file_upwards_holds_alone(tmp_path):
    (tmp_path / "penstock.toml").write_text("port = 1\nthreads = 3\n")
    middle = tmp_path / "middle"
    inner = middle / "inner"
    inner.mkdir(parents=True)
    (middle / "pyproject.toml").write_text("[tool.penstock]\nport = 2\n")
    (inner / "pyproject.toml").write_text('[project]\nname = "x"\n')

    settings = resolve_settings({}, {}, inner)

    assert settings.config.port == 2
    assert settings.sources["port"] == f"{middle}/pyproject.toml [tool.penstock]"
    assert settings.sources["threads"] == "default"


def test_empty_file_holds(tmp_path):
    (tmp_path / "penstock.toml").write_text("port = 1\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "penstock.toml").write_text("")

    assert resolve_settings({}, {}, inner).config.port == 8000


def test_broken_pyproject_that_does_not_concern_us_is_left_alone(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project\n")

    assert resolve_settings({}, {}, tmp_path).config.port == 8000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prot = 80", "penstock.toml:2: unknown key 'prot'; did you mean 'port'?"),
        ("idle-timeout = 5", "penstock.toml:2: unknown key 'idle-timeout'; did you mean 'idle_timeout'?"),
        ("idle_timeout_s = 5", "penstock.toml:2: unknown key 'idle_timeout_s'; did you mean 'idle_timeout'?"),
        ("Port = 5", "penstock.toml:2: unknown key 'Port'; did you mean 'port'?"),
        ("zzz = 5", "penstock.toml:2: unknown key 'zzz'"),
        ("[tool.penstock]\nport = 1", "penstock.toml: unknown key 'tool'"),
        ("port = true", "penstock.toml:2: port: expected a whole number from 0 to 65535, got True"),
        ("port = 80.0", "penstock.toml:2: port: expected a whole number from 0 to 65535, got 80.0"),
        ("host = 5", "penstock.toml:2: host: expected a host name or an address, got 5"),
        ("access_log = 1", "penstock.toml:2: access_log: expected true or false, got 1"),
        (
            "idle_timeout = nan",
            "penstock.toml:2: idle_timeout: expected seconds such as 15 or 0.5, more than 0 and at most 86400, got nan",
        ),
        (
            "head_limit = '64kB'",
            "penstock.toml:2: head_limit: expected bytes such as 65536, 64k or 1MiB, at least 64, got '64kB'",
        ),
        (
            "threads = 2030-01-01",
            "penstock.toml:2: threads: expected a whole number of at least 1, got datetime.date(2030, 1, 1)",
        ),
    ],
)
def test_wrong_key_or_value_names_file_and_line(line, message, tmp_path):
    (tmp_path / "penstock.toml").write_text(f"# settings\n{line}\n")

    assert refused({}, {}, tmp_path) == message


def test_line_is_counted_from_the_table_on(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.x]\nport = 5\n[tool.penstock]\nthreads = 1\nport = "x"\n')

    message = refused({}, {}, tmp_path)

    assert message == "pyproject.toml:5: port: expected a whole number from 0 to 65535, got 'x'"


@pytest.mark.parametrize(
    ("octets", "start"),
    [
        (b"threads = 4\nport 80\n", "penstock.toml:2:6: "),
        (b"port = 80\nport = 81\n", "penstock.toml:2:10: "),
        (b"\n\nport = [1,\n", "penstock.toml:3: "),
        (b"threads = 4\n# caf\xe9\n", "penstock.toml:2: not UTF-8"),
    ],
)
def test_broken_toml_names_its_line(octets, start, tmp_path):
    (tmp_path / "penstock.toml").write_bytes(octets)

    message = refused({}, {}, tmp_path)

    assert message.startswith(start)
    assert "at line" not in message


def test_table_that_is_none_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool]\npenstock = 5\n")

    assert refused({}, {}, tmp_path) == "pyproject.toml: [tool.penstock] is not a table"


def test_file_that_cannot_be_read_is_not_skipped(tmp_path):
    (tmp_path / "penstock.toml").mkdir()

    assert refused({}, {}, tmp_path) == "penstock.toml: Is a directory"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("PENSTOCK_PROT", "unknown environment variable PENSTOCK_PROT; did you mean 'PENSTOCK_PORT'?"),
        ("PENSTOCK_X", "unknown environment variable PENSTOCK_X"),
        ("PENSTOCK_", "unknown environment variable PENSTOCK_"),
        (
            "PENSTOCK_IDLE_TIMEOUT_S",
            "unknown environment variable PENSTOCK_IDLE_TIMEOUT_S; did you mean 'PENSTOCK_IDLE_TIMEOUT'?",
        ),
    ],
)
def test_unknown_variable_suggests_the_near_one(variable, message, tmp_path):
    assert refused({}, {variable: "80"}, tmp_path) == message


def test_wrong_value_of_a_variable_names_it(tmp_path):
    message = refused({}, {"PENSTOCK_PORT": ""}, tmp_path)

    assert message == "PENSTOCK_PORT: expected a whole number from 0 to 65535, got ''"


def test_wrong_value_of_a_flag_names_it(tmp_path):
    message = refused({"port": "eighty"}, {}, tmp_path)

    assert message == "--port: expected a whole number from 0 to 65535, got 'eighty'"


def test_wrong_value_is_told_even_when_a_flag_overrides_it(tmp_path):
    assert refused({"port": "80"}, {"PENSTOCK_PORT": "x"}, tmp_path).startswith("PENSTOCK_PORT: ")


def test_variables_that_kubernetes_makes_for_a_service_are_not_settings(tmp_path):
    environment = {
        "PENSTOCK_SERVICE_HOST": "10.0.0.1",
        "PENSTOCK_SERVICE_PORT": "80",
        "PENSTOCK_SERVICE_PORT_HTTP": "80",
        "PENSTOCK_PORT_80_TCP": "tcp://10.0.0.1:80",
        "PENSTOCK_PORT_80_TCP_ADDR": "10.0.0.1",
        "PENSTOCK_API_SERVICE_HOST": "10.0.0.2",
        "PENSTOCK_API_PORT": "tcp://10.0.0.2:80",
    }

    assert resolve_settings({}, environment, tmp_path).config.port == 8000


def test_port_set_by_kubernetes_is_explained(tmp_path):
    message = refused({}, {"PENSTOCK_PORT": "tcp://10.0.0.1:80"}, tmp_path)

    assert message.startswith("PENSTOCK_PORT: expected a whole number")
    assert "enableServiceLinks: false" in message
