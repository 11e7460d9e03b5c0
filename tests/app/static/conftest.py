"""Folders that tests of files start from."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.app.static.site import make_folder


@pytest.fixture
def shared_root():
    """As `root`, where every user may look: what pytest makes is closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield make_folder(Path(folder))
