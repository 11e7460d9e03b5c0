"""`Store`: octets by text key, kept for a time. The protocol, and the checks every store makes.

A store may forget anything at any moment; who must not lose it keeps it elsewhere. Each operation has two
forms of the same meaning: `get` for threads and `aget` for the loop. What the store cannot do raises
StoreError; wrong arguments raise TypeError or ValueError before anything is asked.
"""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """What keeps octets. `ttl_s` is how long, None for as long as there is room."""

    @property
    def blocks(self) -> bool:
        """True: the plain forms wait for I/O, so they belong in threads."""
        ...

    def get(self, key: str, /) -> bytes | None:
        """Return what is kept, None when nothing is."""
        ...

    def set(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None:
        """Keep, in place of whatever was kept."""
        ...

    def add(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool:
        """Keep if nothing is kept; return whether it was. Of several at once, one gets True."""
        ...

    def delete(self, *keys: str) -> int:
        """Forget; return how many there were."""
        ...

    def touch(self, key: str, /, ttl_s: float) -> bool:
        """Keep what is kept for so long from now; False when nothing is."""
        ...

    def clear(self) -> None:
        """Forget everything this store has kept, and nothing else."""
        ...

    def close(self) -> None:
        """Let go of what the plain forms hold; the store opens again when it is used."""
        ...

    async def aget(self, key: str, /) -> bytes | None: ...

    async def aset(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None: ...

    async def aadd(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool: ...

    async def adelete(self, *keys: str) -> int: ...

    async def atouch(self, key: str, /, ttl_s: float) -> bool: ...

    async def aclear(self) -> None: ...

    async def aclose(self) -> None:
        """Let go of what the forms for the running loop hold, and of what `close` does."""
        ...


def check_key(key: str) -> None:
    """TypeError for what cannot be a key."""
    if not isinstance(key, str):
        raise TypeError(f"a key is a str, not {type(key).__name__}")


def check_entry(key: str, value: bytes, ttl_s: float | None) -> None:
    """TypeError and ValueError for what no store keeps."""
    check_key(key)
    if not isinstance(value, bytes):
        raise TypeError(f"a store keeps bytes, not {type(value).__name__}; encode the value first")
    if ttl_s is not None:
        check_ttl(ttl_s)


def check_ttl(ttl_s: float) -> None:
    """ValueError unless it is a time that passes: more than 0, and less than for ever."""
    if not isinstance(ttl_s, (int, float)) or not 0 < ttl_s < float("inf"):
        raise ValueError(f"ttl_s={ttl_s!r}: expected seconds above 0, None for no limit")
