"""`StaticSite`: a folder as all a server serves, `penstock static`. It is a `penstock.http.handler.Handler`.

No application, no hooks, no table of routes: PERF: a cached file takes one look-up of its path and one of the
request's fields, and its octets are ready, 1.6 us in Python from receive to send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.routing.dots import resolve_dots
from penstock.app.routing.router import METHODS
from penstock.errors import HTTPError
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint
from penstock.http.query import decode_segment
from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.app.static.files import StaticFiles
    from penstock.http.handler import ServerView
    from penstock.http.request import Request


class StaticSite:
    """Serves `files` at the root."""

    methods = METHODS
    interface = "static files"
    """For the banner."""

    def __init__(self, files: StaticFiles) -> None:
        self._files = files
        self._entries = files.entries
        self._open_entries = files.open_entries
        self._ready = Endpoint(self._answer, INLINE)
        self._load = Endpoint(self._answer_from_files, THREAD)
        self._other = Endpoint(self._refuse, INLINE)
        self._upload = Endpoint(self._receive, TASK, streams_body=True, body_limit=files.upload_limit_bytes)

    def resolve(self, request: Request) -> Endpoint:
        """Return what answers: on the loop what is cached, in a thread the rest."""
        method = request.method
        if method in ("GET", "HEAD"):
            raw_path = request.raw_path
            is_ready = raw_path in self._entries or raw_path in self._open_entries
            return self._ready if is_ready else self._load
        return self._upload if self._files.uploads and method in ("PUT", "POST") else self._other

    async def startup(self, server: ServerView) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Close what is kept open."""
        self._files.close()

    def _answer(self, request: Request) -> Any:
        response = self._files.ready(request)
        if response is not None:
            return response
        assert request.server is not None  # noqa: S101 - only a server resolves
        return request.server.run_in_thread(self._answer_from_files, request)

    def _answer_from_files(self, request: Request) -> Response:
        _resolve_path(request)
        return self._files.load(request, 0)

    async def _receive(self, request: Request) -> Response:
        _resolve_path(request)
        assert request.stream is not None  # noqa: S101 - streams_body
        return await self._files.receive(request, request.stream, 0)

    def _refuse(self, request: Request) -> Response:
        allowed = "GET, HEAD, OPTIONS" + (", POST, PUT" if self._files.uploads else "")
        if request.method == "OPTIONS":
            return Response(b"", 204, {"Allow": allowed})
        raise HTTPError(405, f"{request.method} is not allowed here", headers={"Allow": allowed})


def _resolve_path(request: Request) -> None:
    """Take dot segments out of the path, as an application's table does; 404 for what is no path."""
    raw_path = request.raw_path
    if not raw_path.startswith(b"/"):
        raise HTTPError(404)
    if b"." not in raw_path and b"%" not in raw_path:
        return
    raw = raw_path[1:].split(b"/")
    try:
        segments = [decode_segment(segment) for segment in raw]
    except ValueError as error:
        raise HTTPError(400, str(error)) from None
    if "." in segments or ".." in segments:
        resolved = resolve_dots(raw, segments)
        if resolved is None:
            raise HTTPError(400, "the path leads above its root")
        request.raw_path = b"/" + b"/".join(resolved)
