"""`need_package("flask")`: the package, or a loud skip, or under CI=true a failure."""

from __future__ import annotations

import importlib
import os

import pytest


def import_package(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        verdict(f"the package {name!r} is not installed; this test runs it (the dev extra brings it)")


@pytest.fixture
def need_package():
    return import_package


def pytest_configure(config):
    config.addinivalue_line("markers", "need_package(*names): packages the test runs")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("need_package"):
        for name in marker.args:
            import_package(name)
