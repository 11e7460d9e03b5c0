"""Which release serves, in which worker, while one replaces the other."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.test_admin import SEVERAL, SINGLE, served
from tests.e2e.workers import run_to_end

VERSIONED = """
from penstock import App

app = App(version="1.4.2")
"""


def releases(told):
    return [worker["release"] for worker in told["workers"]]


def test_without_a_setting_it_is_the_version_of_the_app(tmp_path):
    with served(tmp_path, count=SINGLE, text=VERSIONED) as (_, admin):
        told = admin.metrics()

    assert told["release"] == "1.4.2"
    assert releases(told) == ["1.4.2"]


def test_a_reload_serves_the_next_one_and_a_crash_the_same(tmp_path):
    (tmp_path / "RELEASE").write_text("r1\nbuilt on a Friday\n")
    with served(tmp_path, "--release", "@RELEASE", count=SEVERAL) as (server, admin):
        first = admin.metrics()
        (tmp_path / "RELEASE").write_text("r2\n")
        server.process.send_signal(signal.SIGHUP)
        admin.wait(lambda found: releases(found) == ["r2"] * 2)
        os.kill(admin.metrics()["workers"][0]["pid"], signal.SIGKILL)
        last = admin.wait(lambda found: found["restarts"] == 1 and releases(found) == ["r2"] * 2)

    assert (first["release"], releases(first)) == ("r1", ["r1"] * 2)
    assert (last["release"], [worker["generation"] for worker in last["workers"]]) == ("r2", [1, 1])
    assert {worker["generation"] for worker in first["workers"]} == {0}
    assert len({worker["slot"] for worker in last["workers"]}) == 2


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, count):
    code, log = run_to_end(tmp_path, VERSIONED, "--release", "@RELEASE", "--workers", str(count))

    assert code == 2
    assert "penstock: error: release: cannot read RELEASE: No such file or directory" in log
