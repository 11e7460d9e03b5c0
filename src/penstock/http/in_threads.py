"""A plain iterator as an async one: each piece is made in a thread of the server's pool.

Closing never waits for a thread: while one is at work on the next piece, it is that thread which closes the
iterator once the piece is made. All of it runs in one context, that of whoever asked first.
"""

from __future__ import annotations

import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import Context

    from penstock.http.handler import ServerView

_log = logging.getLogger("penstock.server")

_END: Final = object()


class InThreads:
    """Iterates `content`; one piece at a time."""

    def __init__(self, content: Iterable[Any], server: ServerView) -> None:
        self._content = content
        self._server = server
        self._run = server.continue_in_thread
        self._context: Context | None = None
        self._iterator: Any = None
        # Who closes: the thread says that it is done and then looks whether it is to close, `aclose` the
        # other way round. Whoever is second sees both; when both do, one gets the right to.
        self._is_at_work = False
        """A thread makes a piece, or is about to."""
        self._is_closed = False
        self._right_to_close = [True]
        self._closing: Any = None

    def __aiter__(self) -> InThreads:
        return self

    async def __anext__(self) -> Any:
        if self._context is None:
            self._context = copy_context()
        self._is_at_work = True
        piece = await self._run(self._next)
        if piece is _END:
            raise StopAsyncIteration
        return piece

    def _next(self) -> Any:
        try:
            return self._run_in_context(self._make)
        finally:  # no longer in the context, which the next thread may enter at once
            self._is_at_work = False
            if self._is_closed:
                self._close()

    def _make(self) -> Any:
        if self._is_closed:  # while this waited for a thread
            return _END
        if self._iterator is None:
            self._iterator = iter(self._content)
        return next(self._iterator, _END)

    async def aclose(self) -> None:
        """Have the iterator closed in a thread; not waited for."""
        self._is_closed = True
        if not self._is_at_work and hasattr(self._target(), "close"):
            self._closing = self._server.run_soon(self._run(self._close))
            self._server.keep(self._closing)  # a server that stops at once waits for it

    def _run_in_context(self, function: Callable[[], Any]) -> Any:
        return function() if self._context is None else self._context.run(function)

    def _target(self) -> Any:
        return self._content if self._iterator is None else self._iterator

    def _close(self) -> None:
        try:
            self._right_to_close.pop()
        except IndexError:
            return
        close = getattr(self._target(), "close", None)
        if close is not None:
            try:
                self._run_in_context(close)
            except BaseException:
                _log.exception("closing a stream failed")
