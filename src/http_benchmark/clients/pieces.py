"""Reading content piece by piece, kept only where somebody will look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

PIECE_BYTES: Final = 65_536
"""What is asked for at most at a time."""


def drain(pieces: Iterable[bytes], *, keep: bool) -> tuple[int, bytes | None]:
    """Return how many octets came, and which if they are kept."""
    if keep:
        content = b"".join(pieces)
        return len(content), content
    return sum(map(len, pieces)), None


async def drain_async(pieces: AsyncIterable[bytes], *, keep: bool) -> tuple[int, bytes | None]:
    """Return how many octets came, and which if they are kept."""
    if keep:
        content = b"".join([piece async for piece in pieces])
        return len(content), content
    octets = 0
    async for piece in pieces:
        octets += len(piece)
    return octets, None
