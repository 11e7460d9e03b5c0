"""Figures and texts as a terminal shows them: few digits, and nothing that it would obey."""

from __future__ import annotations


def show_age(seconds: float | None) -> str:
    """Two units at most: "12.4 s", "3 min 5 s", "1 d 2 h"."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {lower}"
    raise AssertionError


def show_size(octets: int) -> str:
    """In MiB; a dash for what is not known."""
    return f"{octets / 2**20:.1f} MiB" if octets else "-"


def show_plain(text: str) -> str:
    """Nothing that a terminal would obey: what answers may be anybody."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
