"""What every test may use: `need_tool`, as a fixture and as a marker, for commands the test starts.

A tool that is absent skips the test on a user's machine, with the reason in the summary; under CI=true it fails the
test, so that CI never turns green by installing less.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("penstock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("penstock")

# nginx and friends live there, and a user's PATH often lacks it
SYSTEM_FOLDERS = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))


def find_tool(name: str) -> str:
    """The path of a command; without it the running test skips, or fails under CI=true."""
    found = shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)
    if found is None:
        verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        verdict(f"the command {name!r} is not installed; this test starts it (.ci/run names its package)")
    return found


@pytest.fixture
def need_tool() -> Callable[[str], str]:
    """`need_tool("wrk")` is the path of wrk."""
    return find_tool


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("need_tool"):
        for name in marker.args:
            find_tool(name)


def pytest_configure(config: pytest.Config) -> None:
    """The processes that share a run agree on the order of sets, which may be part of a test's name."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(2**32)))


def pytest_itemcollected(item: pytest.Item) -> None:
    """The processes that share a run agree on the tests by their names."""
    if " at 0x" in item.nodeid:
        raise pytest.UsageError(f"{item.nodeid}: the name differs in each process; give the parameters `ids`")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium for the whole session; tests/browser/README.md says what it can do."""
    from tests.browser.chromium import Browser

    started = Browser(find_tool("chromium"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab of the browser. Name it after the server in a test's parameters, so that it ends before it."""
    with browser.open_page() as opened:
        yield opened
