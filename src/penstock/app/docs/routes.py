"""The routes of the pages, for `app.openapi.own_routes`: each page, and the files it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.docs.kinds import OWN_FOLDER, choose_kind, foreign_folder
from penstock.app.docs.named_files import NamedFiles
from penstock.app.docs.page import FOLDERS, page_handler
from penstock.app.routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def docs_router(path: str, ui: str, document_path: str, document: Callable[[], Mapping[str, Any]]) -> Router:
    """Return a router with the page at `path`, and its files below it."""
    kind = choose_kind(ui)
    router = Router()
    options: dict[str, Any] = {"include_in_schema": False}
    router.get(path, name="penstock.docs", **options)(page_handler(path, document_path, kind, document))
    own, foreign = (f"{path.rstrip('/')}/{folder}" for folder in FOLDERS)
    router.include(NamedFiles(OWN_FOLDER, (kind.script, *kind.own)), own)
    folder = foreign_folder()
    if folder is not None and kind.foreign + kind.imported:
        router.include(NamedFiles(folder, kind.foreign + kind.imported), foreign)
    return router
