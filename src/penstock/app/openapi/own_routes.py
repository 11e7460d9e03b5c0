"""The routes an application has about itself: its document.

They are added when it is compiled, as routes like any other, so hooks and dependencies of the application
stand before them. Where nobody said a path they exist in development only, and give way to any route of the
author's that answers the same path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.openapi.serving import openapi_handler
from penstock.app.routing.router import Placed, Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.app.application import App

DEFAULT_URL = "/openapi.json"


def own_routes(app: App) -> Iterator[Placed]:
    """Yield the routes of an application about itself."""
    url = app.about.get("openapi_url", DEFAULT_URL)
    if url is None:
        return
    router = Router()
    router.get(url, name="penstock.openapi", include_in_schema=False)(openapi_handler(app))
    for placed in router.placed(apps=(app,), above=(app,)):
        yield placed._replace(routers=(app,))
