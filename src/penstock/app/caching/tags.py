"""Tags: many entries invalidated by one deletion, whatever their keys.

A tag has a state, a random word under a key of its own. Entries note the states their tags had before the
value was made; an entry counts as long as all of them still are. Invalidating a tag deletes its state, so an
entry in the making at that moment is invalid when it is done, and a state that a store forgot invalidates,
which is the side to err on.
"""

from __future__ import annotations

from random import getrandbits
from typing import TYPE_CHECKING, Final

from penstock.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.stores.guard import Guard

KEPT_S: Final = 30 * 86_400.0  # longer than entries without a time of their own are worth anything


def state_key(prefix: str, tag: str) -> str:
    """Return the key under which the state of a tag is kept."""
    return f"{prefix}tag:{tag}"


def invalidate_tags(guard: Guard, prefix: str, tags: Iterable[str]) -> bool:
    """Let no entry with one of these tags count any more; False when the store could not be told."""
    try:
        guard.delete(*(state_key(prefix, tag) for tag in tags))
    except StoreError:
        return False
    return True


async def ainvalidate_tags(guard: Guard, prefix: str, tags: Iterable[str]) -> bool:
    """The same on the loop."""
    try:
        await guard.adelete(*(state_key(prefix, tag) for tag in tags))
    except StoreError:
        return False
    return True


def read_states(guard: Guard, prefix: str, tags: Iterable[str], ttl_s: float | None) -> dict[str, str]:
    """Return the states of tags, made where there are none; they outlive an entry of so many seconds."""
    states = {}
    for tag in tags:
        key, fresh = state_key(prefix, tag), new_state()
        if guard.add(key, fresh, max(ttl_s or 0, KEPT_S)):
            states[tag] = fresh.decode()
            continue
        found = guard.get(key)
        if found is None:  # invalidated in between
            found = b""
        else:
            guard.touch(key, max(ttl_s or 0, KEPT_S))
        states[tag] = found.decode("latin-1")
    return states


async def aread_states(guard: Guard, prefix: str, tags: Iterable[str], ttl_s: float | None) -> dict[str, str]:
    """The same on the loop."""
    states = {}
    for tag in tags:
        key, fresh = state_key(prefix, tag), new_state()
        if await guard.aadd(key, fresh, max(ttl_s or 0, KEPT_S)):
            states[tag] = fresh.decode()
            continue
        found = await guard.aget(key)
        if found is None:
            found = b""
        else:
            await guard.atouch(key, max(ttl_s or 0, KEPT_S))
        states[tag] = found.decode("latin-1")
    return states


def are_current(guard: Guard, prefix: str, states: dict[str, str]) -> bool:
    """Tell whether all those tags are in the states an entry noted."""
    return all(_is(guard.get(state_key(prefix, tag)), state) for tag, state in states.items())


async def aare_current(guard: Guard, prefix: str, states: dict[str, str]) -> bool:
    """The same on the loop."""
    for tag, state in states.items():
        if not _is(await guard.aget(state_key(prefix, tag)), state):
            return False
    return True


def _is(found: bytes | None, state: str) -> bool:
    return found is not None and bool(state) and found.decode("latin-1") == state


def new_state() -> bytes:
    """Return a word no tag had before."""
    return b"%032x" % getrandbits(128)
