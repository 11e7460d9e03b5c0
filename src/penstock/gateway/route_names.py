"""Which route of a hosted application answered, as its framework tells it: figures and logs go by routes.

ASGI: `scope["route"]`, a str or an object with a `path` (Starlette, FastAPI), or `scope["path_template"]`
(Litestar). WSGI: `environ["penstock.route"]`, which any application may set, or the rule that Flask or Bottle
has left there. None where nobody says; the path itself is never taken for a route, clients choose it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHARS = 200


def route_of_scope(scope: Mapping[str, Any], root_path: str) -> str | None:
    """Return the template; `root_path` is where the application is mounted."""
    route = scope.get("route")
    if route is None:
        return _as_name(scope.get("path_template"))
    name = _as_name(getattr(route, "path", route))
    gained = scope.get("root_path", "")
    if name is None or len(gained) == len(root_path) or not isinstance(gained, str):
        return name
    return _mounted(name, gained.removeprefix(root_path), scope.get("path_params"))


def _mounted(name: str, prefix: str, params: object) -> str:
    """Put the prefix of a mount in front: as it is in this request, so not if a client may have chosen it."""
    if prefix.endswith(name):  # the mount is all that is known of the route
        name = ""
    values = params.values() if isinstance(params, dict) else ()
    if any(str(value) in prefix for value in values):
        return f"*{name}"
    return prefix[:_CHARS] + name


def route_of_environ(environ: Mapping[str, Any]) -> str | None:
    """Return the template."""
    told = environ.get("penstock.route")
    if told is not None:
        return _as_name(told)
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None) or environ.get("bottle.route")
    return None if rule is None else _as_name(getattr(rule, "rule", None))


def _as_name(told: object) -> str | None:
    return told[:_CHARS] if isinstance(told, str) else None
