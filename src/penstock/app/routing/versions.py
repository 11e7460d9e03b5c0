"""Several versions of an API side by side, told apart by the path, a header or the Accept header.

    api = Versions("/api", header="API-Version", default="2")
    v1 = api.version("1", deprecated=date(2026, 1, 1), sunset=date(2027, 1, 1))
    v2 = api.version("2")

Each version is a router. Those of the path are nothing but a prefix. For the others each version has a table
of routes of its own, the routes without version in each of them, and a request is answered by the table of
the version it names. A version that is on its way out says so in its responses: Deprecation (RFC 9745),
Sunset and Link (RFC 8594).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from penstock.app.routing.router import Placed, Router
from penstock.errors import ApplicationError, HTTPError
from penstock.http.dates import format_date
from penstock.http.headers import MutableHeaders
from penstock.http.negotiation import find_parameter
from penstock.http.response_copy import add_vary, own_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from penstock.app.application import App
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.http.response import Response

    Resolve = Callable[[Request], Endpoint]

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Versions(Router):
    """Versions of the same routes. Without `header` and `accept` the name of a version is the first segment
    below `prefix`. `header`: the field that names it; `accept`: the parameter of a media type in Accept that
    does, as in `application/json;version=2`. `default` answers who names none; without it that is a 400.
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        header: str | None = None,
        accept: str | None = None,
        default: str | None = None,
        tags: Iterable[str] = (),
        hooks: Iterable[object] = (),
        dependencies: Iterable[object] = (),
    ) -> None:
        super().__init__(prefix, tags=tags, hooks=hooks, dependencies=dependencies)
        said = header if header is not None else accept
        if header is not None and accept is not None:
            raise ApplicationError("Versions: header= or accept=, not both")
        if said is not None and _FIELD_NAME.fullmatch(said) is None:
            raise ApplicationError(f"Versions: {said!r} is no name of a header or a parameter")
        if said is None and default is not None:
            raise ApplicationError(
                "Versions: default= is for those named by a header; in a path one is always"
            )
        self._header, self._accept, self.default = header, accept, default
        self.names: list[str] = []

    def version(
        self,
        name: str,
        *,
        deprecated: date | None = None,
        sunset: date | None = None,
        link: str | None = None,
    ) -> Router:
        """Return the router of a version. `deprecated`: since, or from when on, it should not be used any
        more; `sunset`: when it is expected to end, both UTC unless they say otherwise; `link`: what tells of
        it.
        """
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise ApplicationError(f"version {name!r}: expected letters, digits, '.', '_' and '-'")
        if name in self.names:
            raise ApplicationError(f"version {name!r} twice")
        self.names.append(name)
        told = _Told(deprecated, sunset, link, self._field)
        hooks = [told] if told.says_anything else []
        is_deprecated = deprecated is not None
        if self._field is None:
            router = Router(f"/{name}", hooks=hooks, deprecated=is_deprecated)
        else:
            router = _OfVersion(self, name, hooks=hooks, deprecated=is_deprecated)
        self.include(router)
        return router

    @property
    def _field(self) -> str | None:
        return "Accept" if self._accept is not None else self._header

    def choose(self, request: Request) -> str:
        """Return the version a request names; HTTPError for one there is not."""
        assert self._field is not None  # noqa: S101 - no table is chosen for those of a path
        value = request.headers.get(self._field)
        if self._accept is not None:
            asked = find_parameter(value, self._accept)
            name = next((one for one in asked if one in self.names), asked[0] if asked else self.default)
        else:
            name = value.strip() if value is not None else self.default
        if name in self.names:
            return name
        how = f"{self._field}: {', '.join(self.names)}"
        if self._accept is not None:
            how = f"Accept, parameter {self._accept}: {', '.join(self.names)}"
        detail = f"name a version in {how}" if name is None else f"there is no such version; {how}"
        status = 406 if self._accept is not None and name is not None else 400
        raise HTTPError(status, detail, headers={"Vary": self._field})


class _OfVersion(Router):
    """A version that is not named by the path."""

    def __init__(self, versions: Versions, name: str, *, hooks: Iterable[object], deprecated: bool) -> None:
        super().__init__(hooks=hooks, deprecated=deprecated)
        self._versions = versions
        self._name = name

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        for placed in super().placed(prefix, apps, above):
            if placed.version is not None:
                raise ApplicationError(f"{placed.label}: a version inside a version")
            yield placed._replace(version=(self._versions, self._name))


class _Told:
    """What responses of a version say of it: a hook."""

    copies = True

    def __init__(
        self, deprecated: date | None, sunset: date | None, link: str | None, varies_by: str | None
    ) -> None:
        fields: list[tuple[str, str]] = []
        if deprecated is not None:
            fields.append(("Deprecation", f"@{_seconds(deprecated)}"))  # RFC 9651 §3.3.7
        if sunset is not None:
            fields.append(("Sunset", format_date(_seconds(sunset))))
            if deprecated is not None and _seconds(sunset) < _seconds(deprecated):  # RFC 9745 §4
                raise ApplicationError("a version cannot end before it is deprecated")
        if link is not None:
            if deprecated is None and sunset is None:
                raise ApplicationError("link= tells of deprecated= or sunset=; give one of them")
            relation = "deprecation" if deprecated is not None else "sunset"
            fields.append(("Link", f'<{link}>; rel="{relation}"; type="text/html"'))
        self._fields = fields
        self._varies_by = varies_by
        self.says_anything = bool(fields or varies_by)
        MutableHeaders(fields).rendered()  # checks every octet

    def after(self, request: Request, response: Response) -> Response:
        own = own_copy(response, request)
        for name, value in self._fields:
            own.headers.append(name, value)
        if self._varies_by is not None:
            add_vary(own.headers, self._varies_by)
        return own


def _seconds(when: date) -> int:
    moment = when if isinstance(when, datetime) else datetime.combine(when, time())
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
