"""The name that was probably meant."""

from __future__ import annotations

import doctest

from penstock.server import banner, suggestion


def test_examples_hold():
    for module in (suggestion, banner):
        result = doctest.testmod(module)

        assert result.attempted > 0
        assert result.failed == 0
