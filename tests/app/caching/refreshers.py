"""What a cache makes anew meanwhile, waited for: its store must not be closed under it."""

from __future__ import annotations

import asyncio
import threading


def join_refreshers():
    for thread in threading.enumerate():
        if thread.name == "penstock-cache":
            thread.join(30)


async def close_after_refreshing(store):
    """Close a store once no other task of the loop is left."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await store.aclose()
