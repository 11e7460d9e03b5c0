"""The name that was probably meant."""

from __future__ import annotations

import doctest

from penstock.server import suggestion


def test_examples_hold():
    result = doctest.testmod(suggestion)

    assert result.attempted > 0
    assert result.failed == 0
