"""An application compiled: every route a plan, every plan in the table, every mistake reported.

What belongs to several applications, a route of a mounted one, gets the hooks and exception handlers of all
of them, the innermost nearest to the handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.failures import Failures
from penstock.app.hooks import Hooks
from penstock.app.plan import Plan, build_plan
from penstock.app.routing.router import METHODS
from penstock.app.routing.table import Bound, build_resolver
from penstock.app.routing.template import parse_template
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.application import App
    from penstock.app.routing.converters import Converter
    from penstock.app.routing.router import Placed
    from penstock.app.routing.template import Template
    from penstock.http.handler import Call
    from penstock.http.request import Request
    from penstock.http.response import Response


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
        self.resolve = build_resolver(bounds, _EndpointMaker(app))

    def _bind(self, placed: Placed) -> Bound:
        try:
            template = parse_template(placed.path, _converters(placed.apps))
        except ApplicationError as error:
            raise ApplicationError(f"{placed.label}: {error}") from None
        failures = _failures(placed.apps)
        build = build_plan if placed.route.websocket is None else _websocket_builder()
        plan = build(placed, template, failures)
        plan.endpoint.call = _with_hooks(plan.call, placed.apps, failures, plan.endpoint.run)
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


def _with_hooks(call: Call, apps: tuple[App, ...], failures: Failures, run: int) -> Call:
    """Return `call` with what each application has put round its endpoints, compression outermost."""
    for app in reversed(apps):
        hooks = Hooks(tuple(app.before_hooks), tuple(app.after_hooks))
        call = hooks.put_round(call, failures, is_async=run == TASK)
        if app.compression is not None:
            call = app.compression.put_round(call, run)
    return call


def _websocket_builder() -> Callable[[Placed, Template, Failures], Plan]:
    from penstock.app.websocket.plan import build_websocket_plan  # here: most applications have none

    return build_websocket_plan


def _failures(apps: tuple[App, ...]) -> Failures:
    return Failures([app.exception_handlers for app in reversed(apps)])


def _converters(apps: tuple[App, ...]) -> dict[str, Converter]:
    return {name: converter for app in apps for name, converter in app.converters.items()}
