"""Who is measured when: in turns, forwards and backwards, so that a disturbance meets all alike.

>>> [f"{name}{number}" for number, name in turns(["a", "b"], 3)]
['a0', 'b0', 'b1', 'a1', 'a2', 'b2']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Subject = TypeVar("Subject")


def turns(subjects: Sequence[Subject], rounds: int) -> Iterator[tuple[int, Subject]]:
    """Yield the number of a round and whom it measures; every second one in reverse (A B B A)."""
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            yield number, subject
