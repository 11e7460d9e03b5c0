"""Numbers on the command line: what is none is told in one line."""

from __future__ import annotations

import argparse


def whole(text: str) -> int:
    """Return a whole number above 0."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def not_negative(text: str) -> float:
    """Return a number of 0 or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or above")
    return value


def positive(text: str) -> float:
    """Return a number above 0."""
    value = not_negative(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} must be above 0")
    return value
