"""The logger "penstock" as a new process has it."""

from __future__ import annotations

import logging

import pytest


class Handlers(list):
    """Without those pytest puts on the root logger while a test runs."""

    def append(self, handler):
        if not type(handler).__module__.startswith("_pytest"):
            super().append(handler)


@pytest.fixture
def logger(monkeypatch):
    """The logger "penstock" as a new process has it, with nothing on the root logger either."""
    logger = logging.getLogger("penstock")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "handlers", Handlers())
    level = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)


@pytest.fixture
def stderr(capsys):
    """`stderr()`: what was written since the last call."""
    return lambda: capsys.readouterr().err
