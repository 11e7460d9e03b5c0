"""Routes of one host: `app.host("{tenant}.example.org", router)`.

A host is matched as a path is, label by label: literal text first, then parameters, each one whole label. Its
routes stand in a table of their own, which answers for that host alone; any other host is answered by the
rest. The port of a Host field is not looked at. What parameters match is bound like what the path does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from penstock.app.routing.converters import BUILT_IN, PATH
from penstock.app.routing.router import Placed, Router
from penstock.app.routing.template import LAST_RANK, Parameter
from penstock.app.routing.tree import Node
from penstock.app.security.hosts import host_name
from penstock.errors import ApplicationError, RouteConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from penstock.app.application import App
    from penstock.app.routing.converters import Converter
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request

    Labels = tuple[str | Parameter, ...]
    Resolve = Callable[[Request], Endpoint]

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*+)")
_PARAMETER = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
# Clients repeat their hosts; what was looked up is kept, so many, and none longer than a name can be.
_KEPT = 512
_LONGEST = 255
_HOST = "HOST"  # stands for a method: a table of hosts has only one


class OfHost(Router):
    """A router whose routes are those of one host."""

    def __init__(self, host: str, router: Router) -> None:
        super().__init__()
        if not host:
            raise ApplicationError("host '' is no host: what is for every host is included")
        self._name = host.lower()
        self.include(router)

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        for placed in super().placed(prefix, apps, above):
            if placed.host:
                raise ApplicationError(
                    f"{placed.label}: the host {placed.host!r} inside that of {self._name!r}"
                )
            yield placed._replace(host=self._name)


def parse_host(host: str, converters: Mapping[str, Converter]) -> Labels:
    """Return the labels of a host; ApplicationError when it is none.

    >>> parse_host("api.example.org", {})
    ('api', 'example', 'org')
    """
    return tuple(_parse_label(host, label, {**BUILT_IN, **converters}) for label in host.split("."))


def _parse_label(host: str, label: str, converters: Mapping[str, Converter]) -> str | Parameter:
    if _LABEL.fullmatch(label):
        return label
    match = _PARAMETER.fullmatch(label)
    if match is None or not match[1].isidentifier():
        raise ApplicationError(
            f"host {host!r}: {label!r} must be a name, without scheme and port, or a whole parameter such as "
            "{tenant}"
        )
    name, kind = match[1], match[2] if match[2] is not None else "str"
    if kind not in converters or converters[kind] is PATH:
        raise ApplicationError(f"host {host!r}: no converter {kind!r} for a label")
    rank = LAST_RANK if kind == "str" else list(converters).index(kind)
    return Parameter(name, kind, converters[kind], rank)


class _Table(NamedTuple):
    host: str
    names: tuple[str, ...]
    resolve: Resolve


class Hosts:
    """The tables of several hosts."""

    def __init__(self) -> None:
        self._tree: Node[_Table] = Node()
        self._find_kept = lru_cache(_KEPT)(self._find)

    def add(self, host: str, labels: Labels, resolve: Resolve) -> None:
        """Have a table answer for a host."""
        names = tuple(label.name for label in labels if isinstance(label, Parameter))
        other = self._tree.leaf(labels).setdefault(_HOST, table := _Table(host, names, resolve))
        if other is not table:
            raise RouteConflict(f"the hosts {other.host!r} and {host!r} match the same names; write one")

    def resolver(self, rest: Resolve, fail: Callable[[Exception], Endpoint]) -> Resolve:
        """Return what asks the table of the host, and `rest` for any other. `fail` answers for converters."""

        def resolve(request: Request) -> Endpoint:
            host = request.host
            try:
                found = (self._find_kept if len(host) <= _LONGEST else self._find)(host)
            except Exception as error:
                return fail(error)
            if found is None:
                return rest(request)
            table, values = found
            endpoint = table.resolve(request)
            if values:
                request.path_params = {**values, **request.path_params}
            return endpoint

        return resolve

    def _find(self, host: str) -> tuple[_Table, dict[str, object]] | None:
        values: list[object] = []
        table = self._tree.find(host_name(host).split("."), 0, _HOST, values, set())
        return None if table is None else (table, dict(zip(table.names, values, strict=True)))
