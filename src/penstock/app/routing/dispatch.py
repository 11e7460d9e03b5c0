"""Which table of routes answers a request: by its host, then by the version it names.

An application without hosts and versions has one table, and is asked nothing of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.app.routing.hosts import Hosts
from penstock.app.routing.table import Bound, raiser
from penstock.errors import ApplicationError, HTTPError
from penstock.http.handler import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.app.routing.hosts import Labels
    from penstock.app.routing.table import MakeEndpoint
    from penstock.http.request import Request
    from penstock.http.response import Response

    Resolve = Callable[[Request], Endpoint]
    Build = Callable[[list[Bound]], Resolve]


def build_dispatcher(
    bounds: list[Bound],
    hosts: Mapping[str, Labels],
    make_endpoint: MakeEndpoint,
    build: Build,
) -> Resolve:
    """Return the function behind `App.resolve`, made of those `build` makes of some routes. `hosts`: the
    labels of those that routes have.
    """
    by_host: dict[str, list[Bound]] = {"": []}
    for bound in bounds:
        by_host.setdefault(bound.placed.host, []).append(bound)
    resolvers = {host: _by_version(group, make_endpoint, build) for host, group in by_host.items()}
    rest = resolvers.pop("")
    if not resolvers:
        return rest
    tables = Hosts()
    for host, resolve in resolvers.items():
        tables.add(host, hosts[host], resolve)
    return tables.resolver(rest, lambda error: make_endpoint(raiser(error)))


def _by_version(bounds: list[Bound], make_endpoint: MakeEndpoint, build: Build) -> Resolve:
    owners = list(dict.fromkeys(bound.placed.version[0] for bound in bounds if bound.placed.version))
    if not owners:
        return build(bounds)
    if len(owners) > 1:
        raise ApplicationError(
            "versions by header or Accept: there can be one Versions in an application, and one for each host"
        )
    owner = owners[0]
    if owner.default is not None and owner.default not in owner.names:
        raise ApplicationError(f"Versions: the default={owner.default!r} is none of {', '.join(owner.names)}")
    tables = {
        name: build([one for one in bounds if one.placed.version in (None, (owner, name))])
        for name in owner.names
    }
    without = build(_without_version(bounds))

    def resolve(request: Request) -> Endpoint:
        try:
            name = owner.choose(request)
        except HTTPError as error:
            endpoint = without(request)
            return make_endpoint(raiser(error)) if endpoint is _NO_VERSION else endpoint
        return tables[name](request)

    return resolve


def _without_version(bounds: list[Bound]) -> list[Bound]:
    """Return the routes for requests of no version: those that have none, and for the paths of the others
    what says that there is no such version.
    """
    kept = [bound for bound in bounds if bound.placed.version is None]
    taken: set[tuple[object, ...]] = set()
    for bound in bounds:
        shape = [one if isinstance(one, str) else one.converter for one in bound.template.segments]
        for method in bound.placed.route.methods:
            if bound.placed.version is not None and (*shape, method) not in taken:
                taken.add((*shape, method))
                route = bound.placed.route._replace(methods=(method,))
                kept.append(bound._replace(placed=bound.placed._replace(route=route), endpoint=_NO_VERSION))
    return kept


def _never(request: Request) -> Response:
    raise NotImplementedError(request)


_NO_VERSION: Final = Endpoint(_never)
