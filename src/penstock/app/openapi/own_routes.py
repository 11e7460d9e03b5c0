"""The routes an application has about itself: its document, and pages that show it.

They are added when it is compiled, as routes like any other, so hooks and dependencies of the application
stand before them. Where nobody said a path they exist in development only, and give way to any route of the
author's that answers the same path; a page gives way with all its files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from penstock.app.openapi.serving import openapi_handler
from penstock.app.routing.router import Placed, Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.app.application import App
    from penstock.app.openapi.about import About

_DOCUMENT = "/openapi.json"
_PAGE = "/docs"


class Own(NamedTuple):
    """One thing an application has about itself."""

    routes: tuple[Placed, ...]
    gives_way: bool
    """Nobody said its path."""


def own_routes(app: App, *, is_development: bool) -> Iterator[Own]:
    """Yield what an application has about itself."""
    about = app.about
    url = about.get("openapi_url")
    pages = _pages(about, is_development=is_development)
    if "openapi_url" in about and url is None:
        return
    if url is None and not pages:
        return
    router = Router()
    path = url or _DOCUMENT
    router.get(path, name="penstock.openapi", include_in_schema=False)(openapi_handler(app))
    yield _own(app, router, gives_way=url is None)
    for page, ui, gives_way in pages:
        from penstock.app.docs.routes import docs_router

        yield _own(app, docs_router(page, ui, path, app.openapi), gives_way=gives_way)


def _pages(about: About, *, is_development: bool) -> list[tuple[str, str, bool]]:
    """Return path, kind and whether it gives way of each page."""
    docs_url = about.get("docs_url", _PAGE if is_development else None)
    asked = [
        (docs_url, about.get("docs_ui", "auto"), "docs_url" not in about),
        (about.get("redoc_url"), "redoc", False),
        (about.get("scalar_url"), "scalar", False),
    ]
    return [(path, ui, gives_way) for path, ui, gives_way in asked if path is not None]


def _own(app: App, router: Router, *, gives_way: bool) -> Own:
    routes = router.placed(apps=(app,), above=(app,))
    return Own(tuple(placed._replace(routers=(app,)) for placed in routes), gives_way)
