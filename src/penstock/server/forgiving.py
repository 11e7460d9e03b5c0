"""In development an application that cannot be loaded or started is no end: it is served as that failure.

What is wrong is on the terminal, and the answer to every request, until a file is saved. Only at the very
start a wrong name on the command line ends the server: no save would mend it.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from penstock.errors import ConfigError
from penstock.http.handler import INLINE, Endpoint
from penstock.observe.failures.development import explain
from penstock.server.watcher import make_tree
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Handler, ServerView
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.config import Config
    from penstock.server.worker import Seat

_log = logging.getLogger("penstock.server")


class Forgiving:
    """The Handler that `load()` returns, or one that tells why there is none."""

    def __init__(
        self, load: Callable[[], Handler], config: Config, seat: Seat, application_path: str
    ) -> None:
        self.methods = STANDARD_METHODS
        self.interface = "cannot be loaded"
        self.release = ""
        self._seat = seat
        self._path = application_path
        self._handler: Handler | None = None
        self._error: Exception | None = None
        make_tree(config, application_path).drop_doubtful_bytecode()
        importlib.invalidate_caches()  # what the supervisor has seen of the folders may be old
        try:
            self._handler = load()
            self.release = getattr(self._handler, "release", "")
        except Exception as error:
            if isinstance(error, ConfigError) and seat.is_first:
                raise
            self._error = error

    async def startup(self, server: ServerView) -> None:
        if self._handler is not None:
            try:
                await self._handler.startup(server)
            except Exception as error:
                self._handler, self._error = None, error
        if self._handler is None:
            self._tell()
            return
        self.methods = self._handler.methods
        self.interface = getattr(self._handler, "interface", "Penstock App")
        self.resolve = self._handler.resolve  # type: ignore[method-assign]  # PERF: nothing in between

    def _tell(self) -> None:
        assert self._error is not None  # noqa: S101 - else there is a handler
        self._seat.channel.send("broken")
        cause = self._error.__cause__ or self._error
        _log.error("%s is not served until a save mends it: %s", self._path, self._error, exc_info=cause)

    async def shutdown(self) -> None:
        if self._handler is not None:
            await self._handler.shutdown()

    def resolve(self, request: Request) -> Endpoint:  # noqa: ARG002 - every request gets the same
        return Endpoint(self._explain, INLINE)

    def _explain(self, request: Request) -> Response:
        assert self._error is not None  # noqa: S101 - else there is a handler
        error = self._error.__cause__ or self._error
        return explain(request, error, status=503, heading=f"{self._path} cannot be served")
