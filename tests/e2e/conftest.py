"""`server`: tests/e2e/app.py served in a process of its own, one for each test module."""

from __future__ import annotations

import pytest

from tests.e2e.serving import serving


@pytest.fixture(scope="module")
def server():
    with serving("tests.e2e.app:app", "--no-access-log", may_fail=True) as server:
        yield server
