"""`StaticFiles`: a folder under a prefix of an application.

    app.mount("/static", StaticFiles("www"))

It is a router whose routes are made when the application starts: one for every path below the prefix. What
the cache has is answered on the loop, everything else in a pool thread; a large file is handed to the server
open, which sends it by itself. `site.StaticSite` serves the same without an application.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from penstock.app.routing.router import Placed, Route, Router
from penstock.app.static.cache import Cache, make_open_files
from penstock.app.static.folder import Absent, Folder, OpenFolder, refuse
from penstock.app.static.variants import CacheControl, Variants
from penstock.errors import ApplicationError, HTTPError
from penstock.http.handler import BodyStream
from penstock.http.kept_response import KeptResponse
from penstock.http.partial import narrow
from penstock.http.query import decode_segment, encode_segment
from penstock.http.response import RedirectResponse

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from penstock.app.application import App
    from penstock.app.static.cache import Kept
    from penstock.app.static.variants import Rules
    from penstock.http.headers import Headers
    from penstock.http.open_file import OpenFile
    from penstock.http.request import Request
    from penstock.http.response import Response

# A field section seen before is not looked at again. Clients repeat theirs; the bounds are on what is kept.
_SECTIONS = 512
_SECTION_BYTES = 2048
_SPECIAL: Final = object()
_UNKNOWN: Final = object()
_NARROWING = ("range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range")

_ENTRIES = 4096


class StaticFiles(Router):
    """Serves the files in a directory; mount it under a prefix.

    `index`: names that answer for a directory. `listing`: a page for a directory without one. `fallback`: the
    file that answers a path nothing is found for, unless its last segment has a point: the page of a
    single-page application. `cache_control`: values of Cache-Control by glob, the first match counts; `*`
    matches `/`, too. `precompressed`: serve `a.js.zst`, `.br` or `.gz` for `a.js` to who accepts it.
    `compress`: compress small files of types that gain by it. `links_outside`: follow symbolic links out of
    the directory. `dotfiles`: serve names that begin with a point. `uploads`: PUT and POST store files.
    Files up to `cache_file_bytes` are kept in memory, `cache_bytes` in all, larger ones open, `open_files` of
    them, and checked for changes every `check_interval_s`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        index: Sequence[str] = ("index.html",),
        listing: bool = False,
        fallback: str | None = None,
        cache_control: Rules = (),
        precompressed: bool = True,
        compress: bool = True,
        links_outside: bool = False,
        dotfiles: bool = False,
        uploads: bool = False,
        upload_limit_bytes: int = 100 * 2**20,
        cache_bytes: int = 32 * 2**20,
        cache_file_bytes: int = 128 * 2**10,
        open_files: int = 256,
        check_interval_s: float = 1.0,
    ) -> None:
        super().__init__()
        self.folder = Folder(directory, links_outside=links_outside, dotfiles=dotfiles)
        self.uploads = uploads
        self.upload_limit_bytes = upload_limit_bytes
        self._index = (index,) if isinstance(index, str) else tuple(index)
        self._listing = listing
        self._fallback = _names_of(fallback) if fallback is not None else None
        self._cache = Cache(
            limit_bytes=cache_bytes, limit_entries=_ENTRIES, check_interval_s=check_interval_s
        )
        self.entries = self._cache.entries
        """What is ready in memory, by raw path."""
        self._open_files = make_open_files(open_files, check_interval_s)
        self.open_entries = self._open_files.entries
        """What is ready and open, by raw path."""
        self._variants = Variants(
            self.folder,
            self._cache,
            self._open_files,
            CacheControl(cache_control),
            precompressed=precompressed,
            compress=compress,
            file_limit_bytes=min(cache_file_bytes, cache_bytes // 4),
        )
        self._accepted: dict[bytes, Any] = {}

    # As a router.

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        depth = prefix.count("/")
        serve = self._make_handler(depth)
        routers = (*above, self)
        routes: list[tuple[str, tuple[str, ...], Callable[..., Any]]] = [
            ("/", ("GET",), serve),
            ("/{path:path}", ("GET",), serve),
        ]
        if prefix:
            routes.append(("", ("GET",), redirect_to_mount))
        if self.uploads:
            routes.append(("/{path:path}", ("PUT", "POST"), self._make_uploader(depth)))
        for path, methods, handler in routes:
            is_upload = methods != ("GET",)
            yield Placed(
                prefix + path,
                Route(
                    path=path,
                    methods=methods,
                    handler=handler,
                    name=f"{prefix.strip('/').replace('/', '-') or 'files'}",
                    status=None,
                    run=None if is_upload else "inline",
                    body_limit=self.upload_limit_bytes if is_upload else None,
                    cancel_on_disconnect=False,
                    tags=(),
                    summary=None,
                    options={"include_in_schema": False},  # files are no operations
                ),
                apps,
                routers,
            )

    def _make_handler(self, depth: int) -> Callable[..., Any]:
        """Return what answers GET, with responses that are everybody's: hooks change copies."""

        def load(request: Request) -> Response:
            return self.load(request, depth)

        def files(request: Any) -> Any:
            response = self.ready(request)
            if response is not None:
                return response
            server = request.server
            return load(request) if server is None else server.run_in_thread(load, request)

        files.__annotations__.clear()
        files.may_wait = True  # type: ignore[attr-defined]  # for plain `around` hooks, which cannot
        return files

    def _make_uploader(self, depth: int) -> Callable[..., Any]:
        async def upload(request: Any, content: Any) -> Response:
            return await self.receive(request, content, depth)

        upload.__annotations__ = {"content": BodyStream}
        return upload

    # Answering.

    def ready(self, request: Request) -> Response | None:
        """Return the answer when it can be had without blocking, else None."""
        raw_path = request.raw_path
        entry = self.entries.get(raw_path)
        if entry is not None:
            # PERF: two look-ups and a comparison, 0.3 us; asking the field section for seven names takes 0.6.
            accepted = self._accepted.get(request.headers.raw, _UNKNOWN)
            kept = entry.by_accepted.get(accepted)
            if kept is not None and monotonic() < entry.checked_until:
                entry.is_used = True
                return kept
        elif raw_path not in self.open_entries:
            return None
        accepted = self._accepted_of(request.headers)
        is_special = accepted is _SPECIAL
        if is_special:
            accepted = request.headers.get("accept-encoding")
        kept = self._find(raw_path, accepted)
        return _narrowed(request, kept) if is_special and kept is not None else kept

    def _find(self, key: bytes, accepted: str | None) -> Kept | None:
        return self._cache.find(key, accepted) or self._open_files.find(key, accepted)

    def _accepted_of(self, headers: Headers) -> Any:
        """Return Accept-Encoding, or _SPECIAL when there is more to be asked of these fields."""
        accepted = self._accepted.get(headers.raw, _UNKNOWN)
        if accepted is _UNKNOWN:
            is_special = any(headers.get(name) is not None for name in _NARROWING)
            accepted = _SPECIAL if is_special else headers.get("accept-encoding")
            if len(headers.raw) <= _SECTION_BYTES:
                if len(self._accepted) >= _SECTIONS:
                    self._accepted.clear()
                self._accepted[headers.raw] = accepted
        return accepted

    def close(self) -> None:
        """Close every file that is kept open; the next request opens it again."""
        self._open_files.clear()

    def load(self, request: Request, depth: int) -> Response:
        """Return the answer, from the files; `depth` is the prefix's. HTTPError for none. Blocks."""
        try:
            return _narrowed(request, self._load(request, depth))
        except Absent:
            raise HTTPError(404) from None
        except OSError as error:
            self.close()  # it may be for want of descriptors
            raise refuse(error) from error

    def _load(self, request: Request, depth: int) -> Response:
        raw = request.raw_path.split(b"/")[1 + depth :]
        names = _decoded(raw)
        is_folder = names[-1:] == [""]
        if is_folder:
            names.pop()
        try:
            self.folder.check(names)
            found = self.folder.open(names)
            if not isinstance(found, OpenFolder):
                if is_folder:
                    raise Absent
                return self._file(request, names, found)
            if not is_folder:
                return _redirect_to_folder(request)
            return self._directory(request, names, found)
        except Absent:
            if self._fallback is None or (names and "." in names[-1]):
                raise
        accepted = request.headers.get("accept-encoding")
        key = b"\0fallback"  # no path is like that
        kept = self._find(key, accepted)
        if kept is not None:
            return kept
        found = self.folder.open(self._fallback)
        if isinstance(found, OpenFolder):
            raise Absent
        return self._variants.respond(key, self._fallback, found, accepted)

    def _directory(self, request: Request, names: list[str], found: OpenFolder) -> Response:
        for name in self._index:
            try:
                file = self.folder.open([*names, name])
            except Absent:
                continue
            if not isinstance(file, OpenFolder):
                return self._file(request, [*names, name], file)
        if not self._listing:
            raise Absent
        from penstock.app.static.listing import render_listing

        return render_listing(self.folder, found, request.path, has_parent=bool(names))

    def _file(self, request: Request, names: Sequence[str], file: OpenFile) -> Response:
        key = request.raw_path
        if b"%" in key:  # kept under one spelling only, or a client could fill the cache with one file
            shown = names if not key.endswith(b"/") else (*names[:-1], "")
            spelled = "/".join(map(encode_segment, shown)).encode("ascii")
            if not key.endswith(b"/" + spelled):
                return self._variants.respond(None, names, file, request.headers.get("accept-encoding"))
        return self._variants.respond(key, names, file, request.headers.get("accept-encoding"))

    async def receive(self, request: Request, content: BodyStream, depth: int) -> Response:
        """Store the content of a PUT or POST."""
        from penstock.app.static.uploads import receive

        names = _decoded(request.raw_path.split(b"/")[1 + depth :])
        try:
            response = await receive(self.folder, request, names, content)
        except OSError as error:
            raise refuse(error) from error
        for cache in (self._cache, self._open_files):
            cache.forget_file(self.folder.path_of(names))  # who wrote it reads it
        return response


def _narrowed(request: Request, response: Response) -> Response:
    if not isinstance(response, KeptResponse):
        return narrow(request, response)
    original = response.original
    narrowed = narrow(request, original)
    return response if narrowed is original else narrowed


def redirect_to_mount(request: Any) -> Response:
    """Lead from the prefix of a mount to the path below it."""
    return _redirect_to_folder(request)


redirect_to_mount.__annotations__.clear()  # as a handler: `request` without one is the request


def _redirect_to_folder(request: Request) -> Response:
    """Send a client from `/a` to `/a/`, so that relative links in the page lead where they should."""
    query = b"?" + request.raw_query if request.raw_query else b""
    # No segment but the first is empty here, so this is a path and never `//host`.
    return RedirectResponse((request.raw_path + b"/" + query).decode("ascii"))


def _decoded(raw: list[bytes]) -> list[str]:
    try:
        return [decode_segment(segment) for segment in raw]
    except ValueError as error:
        raise HTTPError(400, str(error)) from None


def _names_of(path: str) -> list[str]:
    names = path.strip("/").split("/")
    if not all(names) or ".." in names or "." in names:
        raise ApplicationError(f"static files: fallback={path!r} is no path inside the directory")
    return names
