"""The options that say how long, how often and at which rate: for clients and load alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_benchmark.cli.values import not_negative, positive, whole
from http_benchmark.settings import read_settings

if TYPE_CHECKING:
    import argparse


def add_course_options(group: argparse._ArgumentGroup, measured: str) -> None:
    """Add them. `measured`: what the duration is of."""
    duration_s = read_settings().default_duration_seconds
    group.add_argument(
        "--duration",
        type=positive,
        default=duration_s,
        metavar="S",
        help=f"seconds {measured}, all rounds together; default {duration_s:g}",
    )
    group.add_argument("--requests", type=whole, metavar="N", help="stop after so many, not after a time")
    group.add_argument(
        "--rate",
        type=positive,
        metavar="R",
        help="open loop: so many requests a second are due, come what may",
    )
    group.add_argument(
        "--rate-to", type=positive, metavar="R", help="open loop: the rate at the end of each round"
    )
    group.add_argument(
        "--warmup",
        type=not_negative,
        metavar="S",
        help="seconds before each round that do not count; default a quarter of the round, at most 1",
    )
    group.add_argument(
        "--timeout", type=positive, default=30.0, metavar="S", help="of one request; default 30"
    )
    group.add_argument("--name", default="", help="under which the result is found again")
