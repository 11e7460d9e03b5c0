"""The logger "penstock" as a new process has it."""

from __future__ import annotations

import logging

import pytest

from penstock.observe.logs.setup import withdraw
from penstock.observe.logs.stderr import STDERR


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
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(STDERR, "formatter", STDERR.formatter)
    levels = {each: each.level for each in (logger, logging.getLogger())}
    logger.setLevel(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    yield logger
    withdraw()
    for each, level in levels.items():
        each.setLevel(level)


@pytest.fixture
def stderr(capsys):
    """`stderr()`: what was written since the last call."""
    return lambda: capsys.readouterr().err
