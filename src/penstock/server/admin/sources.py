"""What the pages of the admin endpoint read: memory that every process of the server tells in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.observe.overview import Overview

if TYPE_CHECKING:
    from penstock.observe.board import Board


@dataclass(slots=True)
class Sources:
    """Made before anything is forked, and the same in each process."""

    board: Board

    def look(self) -> Overview:
        """Return how the server stands now."""
        return Overview(self.board)
