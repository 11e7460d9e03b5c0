"""What every test may use: `need_tool`, as a fixture and as a marker, for commands the test starts.

A tool that is absent skips the test on a user's machine, with the reason in the summary; under CI=true it fails the
test, so that CI never turns green by installing less.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
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
    """Have the processes that share a run be as strict as the first, and agree on the order of sets, which may be part
    of a test's name.
    """
    if config.getoption("tx", None):
        os.environ.setdefault("PYTHONHASHSEED", str(secrets.randbelow(2**32)))
        if sys.flags.bytes_warning:
            python = f"{shlex.quote(sys.executable)} -{'b' * sys.flags.bytes_warning}"
            config.option.tx = [f"{each}//python={python}" for each in config.option.tx]


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """The processes that share a run agree on the tests by their names."""
    made = yield
    for item in made if isinstance(made, list) else ():
        if " at 0x" in item.name:
            fault = f"{item.name}: the name differs in each process; give the parameters `ids`"
            raise collector.CollectError(fault)
    return made


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tell `.ci/run` whether it was tests that failed: make does not say."""
    cache = getattr(session.config, "cache", None)
    if cache is not None and not hasattr(session.config, "workerinput"):
        cache.set("suite/status", int(exitstatus))


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
