"""`NamedFiles`: some files of a folder as routes of their own, served like those of `StaticFiles`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.routing.router import Placed, Router
from penstock.app.static.files import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from penstock.app.application import App

_KEPT_FILE_BYTES = 2 * 2**20  # Swagger UI's script is 1.6 MB, and 0.4 when it is compressed, once


class NamedFiles(StaticFiles):
    """Serves the named files of a folder, and nothing else that is in it."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        super().__init__(
            folder,
            cache_control={"*": "no-cache"},  # asked again and answered 304, so that a new release is seen
            cache_bytes=4 * _KEPT_FILE_BYTES,
            cache_file_bytes=_KEPT_FILE_BYTES,
        )
        self._names = tuple(names)

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        router = Router()
        serve = self._make_handler(prefix.count("/"))
        options: dict[str, Any] = {"run": "inline", "include_in_schema": False}
        for name in self._names:
            router.get(f"/{name}", name="penstock.docs-file", **options)(serve)
        for one in router.placed(prefix, apps):
            yield one._replace(routers=(*above, self))
