"""What an application says about itself, for its document: the keywords of `App` beside its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.app.routing.router import Router


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
    external_docs: str | Mapping[str, str]
    webhooks: Router
    """Routes that are called elsewhere: requests this application makes to others."""
    openapi_url: str | None
    """Where the document is served. Unless given: "/openapi.json", in development only; None: nowhere."""
    openapi_extra: Mapping[str, Any]
    """Further members of the document; objects are merged."""


def checked_about(given: About) -> About:
    """Return what was given; ApplicationError for a keyword there is none of, or a path that is none."""
    unknown = given.keys() - About.__annotations__.keys()
    if unknown:
        raise ApplicationError(f"App takes no {min(unknown)}=; there are {', '.join(About.__annotations__)}")
    url = given.get("openapi_url")
    if url is not None and not url.startswith("/"):
        raise ApplicationError(f"openapi_url={url!r}: expected a path such as '/openapi.json', or None")
    return given
