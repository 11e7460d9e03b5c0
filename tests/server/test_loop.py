"""The event loop that is asked for, and the word when it is not installed."""

from __future__ import annotations

import sys

import pytest

from penstock.errors import MissingExtra
from penstock.server.config import Config
from penstock.server.serve import Server
from tests.server.harness import Routes


def test_a_loop_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not there

    with pytest.raises(MissingExtra, match=r"pip install 'penstock\[uvloop\]'"):
        Server(Routes({}), Config(port=0, loop="uvloop"), handles_signals=False).run()
