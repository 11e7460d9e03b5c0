"""`APIKey`: a secret in a field, in the query or in a cookie, by which a program says who it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.app.auth.scheme import Scheme, Secrets
from penstock.errors import ApplicationError
from penstock.http.request import Request  # noqa: TC001 - read from the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")  # RFC 9110 §5.6.2, and the name of a cookie


class APIKey(Scheme):
    """Depend on it for the key, a text that was not checked; with `keys`, by name, for the name of whoever
    has it. Where it stands: `header="X-API-Key"`, `query="key"`, or `cookie="key"`. Without it is a 401, or
    None with `optional=True`.
    """

    def __init__(
        self,
        *,
        header: str | None = None,
        query: str | None = None,
        cookie: str | None = None,
        keys: Mapping[str, str] | None = None,
        realm: str = "application",
        optional: bool = False,
        scheme_name: str | None = None,
        description: str | None = None,
    ) -> None:
        places = {"header": header, "query": query, "cookie": cookie}
        given = [(place, name) for place, name in places.items() if name is not None]
        if len(given) != 1 or not isinstance(given[0][1], str) or not given[0][1]:
            raise ApplicationError("APIKey: expected one of header=, query= and cookie=, with the name of it")
        place, name = given[0]
        if place != "query" and _TOKEN.fullmatch(name) is None:
            raise ApplicationError(f"APIKey: {place}={name!r} is no name of a {place}")
        super().__init__(
            "ApiKey",
            realm,
            scheme_name=scheme_name or f"apiKey{place.capitalize()}",
            security_scheme={"type": "apiKey", "in": place, "name": name},
            description=description,
            optional=optional,
        )
        self._place = place
        self._name = name.lower() if place == "header" else name
        self._keys = None if keys is None else Secrets("APIKey: keys", keys)

    def __call__(self, request: Request) -> str | None:
        """Return the key of a request, or the name of who has it; HTTPError 401."""
        try:
            key = self._sent(request)
        except ValueError:  # a query that is not UTF-8
            raise self.refused("the query is not UTF-8") from None
        if not key:
            self.check_optional()
            return None
        if self._keys is None:
            return key
        owner = self._keys.owner(key)
        if owner is None:
            raise self.refused("the key is not valid")
        return owner

    def _sent(self, request: Request) -> str | None:
        if self._place == "header":
            request.identified_by |= {self._name}
            return request.headers.get(self._name)
        return (request.query if self._place == "query" else request.cookies).get(self._name)
