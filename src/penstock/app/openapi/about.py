"""What an application says about itself, for its document: the keywords of `App` beside its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from penstock.app.routing.options import told_options
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.app.routing.router import Router

UI = Literal["auto", "penstock", "swagger", "redoc", "scalar"]
UIS = get_args(UI)
URLS = ("openapi_url", "docs_url", "redoc_url", "scalar_url")
"""Whoever gives one wants the document served, in production too."""


class About(TypedDict, total=False):
    """What `App` takes to be described."""

    title: str
    version: str
    """Of the interface, not of OpenAPI; "0.1.0" unless given."""
    summary: str
    description: str
    """Markdown."""
    terms_of_service: str
    contact: Mapping[str, str]
    """`name`, `url`, `email`."""
    license: Mapping[str, str]
    """`name`, and `identifier` (SPDX) or `url`."""
    servers: Iterable[str | Mapping[str, Any]]
    """Addresses, or Server Objects."""
    tag_descriptions: Mapping[str, str | Mapping[str, Any]]
    """A description, or a Tag Object, by tag, in the order pages show them."""
    responses: Mapping[Any, Any]
    """What any of its routes may answer, too, as in the option of routes."""
    external_docs: str | Mapping[str, str]
    webhooks: Router
    """Routes that are called elsewhere: requests this application makes to others."""
    openapi_url: str | None
    """Where the document is served. Unless given: "/openapi.json", in development or when there is a page
    that shows it; None: nowhere.
    """
    docs_url: str | None
    """Where a page shows it to people. Unless given: "/docs", in development only; None: nowhere."""
    docs_ui: UI
    """What that page is: "swagger", "redoc" or "scalar" of the `[docs]` extra, "penstock" for our own, which
    needs none, or "auto" (unless given): Swagger UI where the extra is installed, else our own.
    """
    redoc_url: str | None
    """Where ReDoc shows it, beside that page."""
    scalar_url: str | None
    """Where Scalar shows it, beside that page."""
    openapi_extra: Mapping[str, Any]
    """Further members of the document; objects are merged."""


def checked_about(given: About, others: Iterable[str] = ()) -> About:
    """Return what was given; ApplicationError for a keyword there is none of (`others` are those an App takes
    beside), or a path that is none.
    """
    unknown = given.keys() - About.__annotations__.keys()
    if unknown:
        told = told_options(min(unknown), [*others, *About.__annotations__])
        raise ApplicationError(f"App takes no {min(unknown)}=; {told}")
    for name in URLS:
        url = given.get(name)
        if url is not None and not (isinstance(url, str) and url.startswith("/")):
            raise ApplicationError(f"{name}={url!r}: expected a path such as '/docs', or None")
        if url is not None and "openapi_url" in given and given["openapi_url"] is None:
            raise ApplicationError(
                f"{name}={url!r} shows the document, which openapi_url=None does not serve"
            )
    if given.get("docs_ui", "auto") not in UIS:
        raise ApplicationError(f"docs_ui={given['docs_ui']!r}: expected one of {', '.join(map(repr, UIS))}")
    return given
