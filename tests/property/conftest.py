"""How hard the properties are searched: for seconds, or for hours by

HYPOTHESIS_PROFILE=fuzz make test ARGS="tests/property --timeout 0 -o faulthandler_timeout=0"
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# No deadline: a loaded machine is no fault. Random on purpose: each run looks somewhere else, a failure prints how to repeat it.
settings.register_profile(
    "default", deadline=None, max_examples=400, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", parent=settings.get_profile("default"), max_examples=50_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # hypothesis compares octets with numbers while it shrinks, which `python -bb` forbids us, not it.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::BytesWarning:hypothesis.*"))
