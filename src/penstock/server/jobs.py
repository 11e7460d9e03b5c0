"""A call in a thread of the pool, as something the loop can await."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.server.threads import Claim

_log = logging.getLogger("penstock.server")


def as_job(
    function: Callable[..., Any], args: tuple[object, ...], claim: Claim | None = None
) -> tuple[Callable[[], None], asyncio.Future[Any]]:
    """Return what a thread is to call, and the Future of what `function` returns or raises there. `claim`:
    whether anybody waits for it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def work() -> None:
        if claim is not None and not claim.begin():
            return
        try:
            result, error = function(*args), None
        except BaseException as raised:  # it is the caller's
            result, error = None, raised
        if claim is not None and not claim.take():
            return
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            _log.debug("a thread ended after the loop: %r", function)

    return work, future
