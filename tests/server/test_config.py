"""The one list of settings: its names do not clash, its defaults hold, a Config that exists is valid."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pickle
import re
from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.server.config import SETTINGS, Config
from penstock.server.kinds import Seconds
from penstock.wire.limits import Limits

SERVER = Path(__file__).resolve().parents[2] / "src" / "penstock" / "server"


def test_every_field_is_a_setting():
    names = [setting.name for setting in SETTINGS]
    assert sorted(names) == sorted(field.name for field in dataclasses.fields(Config))


@pytest.mark.parametrize("attribute", ["key", "flag", "environment"])
def test_names_without_units_do_not_clash(attribute):
    names = [getattr(setting, attribute) for setting in SETTINGS]

    assert len(set(names)) == len(names)


def test_names_follow_from_the_field_without_its_unit():
    by_name = {setting.name: setting for setting in SETTINGS}

    idle = by_name["idle_timeout_s"]
    rate = by_name["content_min_rate_bytes_per_s"]
    limit = by_name["content_limit_bytes"]

    assert (idle.key, idle.flag, idle.environment) == (
        "idle_timeout",
        "--idle-timeout",
        "PENSTOCK_IDLE_TIMEOUT",
    )
    assert rate.flag == "--content-min-rate"
    assert limit.flag == "--content-limit"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_setting_says_what_it_is_in_one_line(setting):
    assert setting.purpose
    assert "\n" not in setting.purpose
    assert "|" not in setting.purpose, "it would split a row of the documentation's table"
    assert not setting.purpose.endswith(".")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_unit_is_in_the_name(setting):
    shown = setting.default

    if isinstance(setting.kind, Seconds):
        assert setting.name.endswith("_s")
    elif shown.endswith("/s"):
        assert setting.name.endswith("_bytes_per_s")
    elif shown.endswith("B"):
        assert setting.name.endswith("_bytes")
    else:
        assert setting.name == setting.key


def test_defaults_are_the_documented_ones():
    config = Config()

    assert config.host == "127.0.0.1"
    assert config.port == 8000
    assert config.idle_timeout_s == 75.0
    assert config.content_limit_bytes == 1_048_576
    assert config.access_log is True
    assert config.server_header is None


def test_limits_have_the_defaults_of_the_wire():
    config = Config()
    limits = Limits()

    assert config.request_line_limit_bytes == limits.request_line_bytes
    assert config.head_limit_bytes == limits.head_bytes
    assert config.field_limit == limits.fields
    assert config.content_limit_bytes == limits.content_bytes
    assert config.chunk_line_limit_bytes == limits.chunk_line_bytes
    assert config.trailer_limit_bytes == limits.trailer_bytes
    assert config.trailer_field_limit == limits.trailer_fields


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no processor affinity")
def test_processes_count_only_processors_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})

    try:
        config = Config()
    finally:
        os.sched_setaffinity(0, allowed)

    assert config.processes == 1


def test_values_are_read_by_their_kind():
    config = Config(host="[::1]", head_timeout_s=5, content_limit_bytes="64k", access_log="off")

    assert config.host == "::1"
    assert type(config.head_timeout_s) is float
    assert config.content_limit_bytes == 65_536
    assert config.access_log is False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"port": 65_536}, "port: expected a whole number from 0 to 65535, got 65536"),
        (
            {"idle_timeout_s": 0},
            "idle_timeout: expected seconds such as 15 or 0.5, more than 0 and at most 86400, got 0",
        ),
        (
            {"content_limit_bytes": -1},
            "content_limit: expected bytes such as 65536, 64k or 1MiB, at least 0, got -1",
        ),
        ({"log_level": "loud"}, "log_level: expected debug, info, warning, error or critical, got 'loud'"),
    ],
)
def test_wrong_value_is_a_config_error(wrong, message):
    with pytest.raises(ConfigError) as caught:
        Config(**wrong)

    assert str(caught.value) == message


def test_unknown_field_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'prot'"):
        Config(prot=80)


def test_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().port = 1


def test_config_travels_to_another_process():
    config = Config(port=0, server_header="penstock")

    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_setting_is_used_by_the_server(setting):
    """A flag that nothing reads is worse than none. The banner and the list itself do not count as use."""
    sources = [path for path in SERVER.rglob("*.py") if path.name not in ("banner.py", "config.py")]
    sources.append(SERVER.parent / "cli" / "commands.py")  # logging is set up there
    texts = [path.read_text("utf-8") for path in sources]
    for name in ("limits", "websocket"):  # what belongs together is read together
        if any(f"config.{name}" in text for text in texts):
            texts.append(inspect.getsource(getattr(Config, name).fget))

    is_used = any(re.search(rf"(config|self)\.{setting.name}\b", text) for text in texts)

    assert is_used, f"no module of server/ reads config.{setting.name}"


def test_limits_are_handed_to_the_wire():
    limits = Config(
        request_line_limit_bytes=101,
        head_limit_bytes=102,
        field_limit=103,
        content_limit_bytes=104,
        chunk_line_limit_bytes=105,
        trailer_limit_bytes=106,
        trailer_field_limit=107,
    ).limits

    assert limits == Limits(
        request_line_bytes=101,
        head_bytes=102,
        fields=103,
        content_bytes=104,
        chunk_line_bytes=105,
        trailer_bytes=106,
        trailer_fields=107,
    )
