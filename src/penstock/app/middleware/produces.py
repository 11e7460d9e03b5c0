"""`Produces`: who accepts nothing of what there is gets 406 (RFC 9110 §15.5.7), before the handler runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, HTTPError
from penstock.http.negotiation import choose_media_type

if TYPE_CHECKING:
    from penstock.http.request import Request


class Produces:
    """Answers 406 to requests whose Accept allows none of these media types. Without it any will do."""

    replaces_outer = True

    def __init__(self, *media_types: str) -> None:
        if not media_types:
            raise ApplicationError("Produces() would refuse everybody; name media types")
        try:
            choose_media_type("*/*", media_types)
        except (TypeError, ValueError) as error:
            raise ApplicationError(f"Produces: {error}") from None
        self._media_types = media_types

    def before(self, request: Request) -> None:
        accepted = request.headers.get("accept")
        if accepted is not None and choose_media_type(accepted, self._media_types) is None:
            raise HTTPError(406, f"there is {', '.join(self._media_types)}")
