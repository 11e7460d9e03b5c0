"""What the pages of the admin endpoint read: memory that every process of the server tells in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from penstock.observe.live.windows import Series
from penstock.observe.metrics.gather import gather
from penstock.observe.overview import Overview
from penstock.server.admin.live import Live

if TYPE_CHECKING:
    from penstock.observe.board import Board


@dataclass
class Sources:
    """Made before anything is forked, and the same in each process."""

    board: Board

    def look(self) -> Overview:
        """Return how the server stands now."""
        return Overview(self.board)

    @cached_property
    def live(self) -> Live:
        """The live figures, of the process that answers."""
        return Live(self.look, _count)


def _count() -> list[Series]:
    return [Series(each.method, each.route, each.status, each.durations.counts) for each in gather().served]
