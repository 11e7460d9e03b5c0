"""An application compiled: every route a plan, every plan in the table, every mistake reported.

What belongs to several applications, a route of a mounted one, gets the hooks and exception handlers of all
of them, the innermost nearest to the handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.failures import Failures
from penstock.app.hooks import Hooks, parts
from penstock.app.plan.build import Plan, build_plan
from penstock.app.routing.router import METHODS
from penstock.app.routing.table import Bound, build_resolver
from penstock.app.routing.template import parse_template
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, Endpoint
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.application import App
    from penstock.app.routing.converters import Converter
    from penstock.app.routing.router import Placed, Router
    from penstock.app.routing.template import Template
    from penstock.http.handler import Call
    from penstock.http.request import Request


class Compiled:
    """What start-up makes of an App."""

    def __init__(self, app: App) -> None:
        self.templates: dict[str, list[Template]] = {}
        """By route name, for `url_for`."""
        self.plans: list[tuple[Placed, Plan]] = []
        bounds = [self._bind(placed) for placed in app.placed()]
        self.apps = list(
            dict.fromkeys(app.applications())
        )  # after the routes, which refuse a router inside itself
        self.methods = METHODS.union(*(bound.placed.route.methods for bound in bounds))
        self.resolve = build_resolver(bounds, _EndpointMaker(app), _make_preflight)

    def _bind(self, placed: Placed) -> Bound:
        try:
            template = parse_template(placed.path, _converters(placed.apps))
        except ApplicationError as error:
            raise ApplicationError(f"{placed.label}: {error}") from None
        failures = _failures(placed.apps)
        build = build_plan if placed.route.websocket is None else _websocket_builder()
        plan = build(placed, template, failures)
        plan.endpoint.call = _with_hooks(plan.call, placed.routers, failures, plan.endpoint.run)
        self.plans.append((placed, plan))
        self.templates.setdefault(placed.route.name, []).append(template)
        return Bound(placed, template, plan.endpoint, template.names)


class _EndpointMaker:
    """Makes the endpoints of whatever finds no route; they belong to the outermost application alone."""

    def __init__(self, app: App) -> None:
        self._apps = (app,)
        self._failures = _failures(self._apps)

    def __call__(self, answer: Callable[[], Response]) -> Endpoint:
        failures = self._failures

        def call(request: Request) -> Response | Awaitable[Response]:
            try:
                return answer()
            except BaseException as error:
                return failures.answer(request, error)

        return Endpoint(_with_hooks(call, self._apps, failures, INLINE), INLINE)


def _make_preflight(leaf: dict[str, Bound]) -> Bound | None:
    """Return what answers OPTIONS for the routes of one path when routers below the application have hooks
    that answer preflights: those of the route the browser asks about.
    """
    routers = {router for bound in leaf.values() for router in bound.placed.routers[1:]}
    if not any(getattr(hook, "answers_preflight", False) for router in routers for hook in router.hooks):
        return None
    fields = {"Allow": ", ".join(sorted({*leaf, "OPTIONS"}))}

    def allow(request: Request) -> Response:  # noqa: ARG001 - a call
        return Response(b"", 204, fields)

    calls = {
        method: _with_hooks(allow, bound.placed.routers, _failures(bound.placed.apps), INLINE)
        for method, bound in leaf.items()
    }
    first = next(iter(leaf.values()))
    otherwise = next(iter(calls.values()))

    def call(request: Request) -> Response | Awaitable[Response]:
        return calls.get(request.headers.get("access-control-request-method", ""), otherwise)(request)

    return first._replace(endpoint=Endpoint(call, INLINE, route=first.endpoint.route))


def _with_hooks(call: Call, routers: tuple[Router, ...], failures: Failures, run: int) -> Call:
    """Return `call` with what each router and application has put round its endpoints: compression outermost,
    then `hooks`, then those declared by decorators.
    """
    replaced: set[type] = set()
    for router in reversed(routers):
        ready = [hook for hook in router.hooks if type(hook) not in replaced]
        replaced.update(type(hook) for hook in ready if getattr(hook, "replaces_outer", False))
        before, after = parts(ready)
        hooks = Hooks(
            (*before, *getattr(router, "before_hooks", ())), (*after, *getattr(router, "after_hooks", ()))
        )
        call = hooks.put_round(call, failures, is_async=run == TASK)
        compression = getattr(router, "compression", None)
        if compression is not None:
            call = compression.put_round(call, run)
    return call


def _websocket_builder() -> Callable[[Placed, Template, Failures], Plan]:
    from penstock.app.websocket.plan import build_websocket_plan  # here: most applications have none

    return build_websocket_plan


def _failures(apps: tuple[App, ...]) -> Failures:
    return Failures([app.exception_handlers for app in reversed(apps)])


def _converters(apps: tuple[App, ...]) -> dict[str, Converter]:
    return {name: converter for app in apps for name, converter in app.converters.items()}
