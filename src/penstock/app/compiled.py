"""An application compiled: every route a plan, every plan in the table, every mistake reported.

What belongs to several applications, a route of a mounted one, gets the hooks and exception handlers of all
of them, the innermost nearest to the handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.failures import Failures
from penstock.app.hooks import declared, read_hook, scopes_of, settings_of, without_replaced
from penstock.app.layers import Laid, put_round
from penstock.app.plan.build import Plan, build_plan
from penstock.app.routing.router import METHODS
from penstock.app.routing.table import Bound, build_resolver, build_tree
from penstock.app.routing.template import parse_template
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from penstock.app.application import App
    from penstock.app.routing.converters import Converter
    from penstock.app.routing.hosts import Labels
    from penstock.app.routing.router import Placed, Route, Router
    from penstock.app.routing.template import Template
    from penstock.app.routing.tree import Node
    from penstock.http.handler import Call, Handler
    from penstock.http.request import Request


class Compiled:
    """What start-up makes of an App."""

    def __init__(self, app: App, *, is_development: bool = False) -> None:
        self.is_development = is_development
        self.templates: dict[str, list[Template]] = {}
        """By route name, for `url_for`."""
        self.plans: list[tuple[Placed, Plan]] = []
        self.mounted: list[Handler] = []
        """The gateways to applications of other interfaces, one for each application."""
        self._gateways = app.gateways
        self._hosts: dict[str, Labels] = {}
        bounds = [self._bind(placed) for placed in app.placed()]
        bounds += [self._bind(one) for one in _own_routes(app, bounds, is_development=is_development)]
        self.apps = list(
            dict.fromkeys(app.applications())
        )  # after the routes, which refuse a router inside itself
        self._overrides = [(one, dict(one.overrides)) for one in self.apps]
        """What this was compiled with."""
        self.methods = METHODS.union(*(bound.placed.route.methods for bound in bounds))
        make_endpoint = _EndpointMaker(app)

        def build_table(bounds: list[Bound]) -> Callable[[Request], Endpoint]:
            return build_resolver(bounds, make_endpoint, _make_preflight, app.trailing_slash)

        if any(bound.placed.host or bound.placed.version for bound in bounds):
            from penstock.app.routing.dispatch import build_dispatcher

            self.resolve = build_dispatcher(bounds, self._hosts, make_endpoint, build_table)
        else:
            self.resolve = build_table(bounds)
        if self.mounted:
            from penstock.app.mounting import choosing

            self.resolve = choosing(self.resolve)
        for hook in reversed(app.hooks):
            if hasattr(hook, "resolving"):
                self.resolve = hook.resolving(self.resolve, make_endpoint)

    def is_outdated(self, *, is_development: bool) -> bool:
        """Tell whether overrides were set or taken away since, or it is to show more than it does."""
        return (is_development and not self.is_development) or any(
            app.overrides != then for app, then in self._overrides
        )

    def _bind(self, placed: Placed) -> Bound:
        try:
            template = parse_template(placed.path, _converters(placed.apps))
        except ApplicationError as error:
            raise ApplicationError(f"{placed.label}: {error}") from None
        self.templates.setdefault(placed.route.name, []).append(template)
        scopes = scopes_of(placed)
        whole = template if not placed.host else self._with_host(placed, template)
        _check_resolving(placed, scopes)
        if placed.route.interface is not None:
            return Bound(placed, template, self._mount(placed, scopes), template.names)
        failures = _failures(placed.routers, placed.apps, scopes)
        build = build_plan if placed.route.websocket is None else _websocket_builder()
        plan = build(placed, whole, failures)
        endpoint = plan.endpoint
        failures.run_hooks(TASK if placed.route.websocket is not None else endpoint.run)
        _set(endpoint, settings_of(scopes), placed.route)
        may_wait = getattr(placed.route.handler, "may_wait", False)
        laid = Laid(plan.call, endpoint.run, may_wait)
        if not placed.route.options.keys().isdisjoint(("cached", "cached_vary")):
            from penstock.app.caching.kept_replies import keep_replies  # here: most routes make theirs anew

            laid = keep_replies(
                placed, plan.signature, laid, failures, [one for each in scopes for one in each]
            )
        laid = _with_hooks(laid, scopes, placed.routers, failures, placed.label)
        endpoint.call, endpoint.run = laid.call, laid.run
        if getattr(plan.call, "receives_form", False) and laid.call is not plan.call:
            endpoint.call = _announcing_form(laid.call)
        self.plans.append((placed, plan if not placed.host else _without_host(plan, template)))
        return Bound(placed, template, plan.endpoint, template.names)

    def _with_host(self, placed: Placed, template: Template) -> Template:
        """Return the template with the parameters of the host behind its own, for the plan to bind."""
        from penstock.app.routing.hosts import parse_host
        from penstock.app.routing.template import Parameter

        labels = self._hosts[placed.host] = parse_host(placed.host, _converters(placed.apps))
        parameters = [label for label in labels if isinstance(label, Parameter)]
        names = [*template.names, *(parameter.name for parameter in parameters)]
        if len(names) > len(set(names)):
            raise ApplicationError(f"{placed.label}: two parameters have the same name")
        return template._replace(segments=(*template.segments, *parameters))

    def _mount(self, placed: Placed, scopes: list[list[Any]]) -> Endpoint:
        from penstock.app.mounting import MountPoint, make_handler

        application, interface = placed.route.handler, placed.route.interface or ""
        handler = self._gateways.get(id(application))
        if handler is None:
            handler = self._gateways[id(application)] = make_handler(application, interface)
        if handler not in self.mounted:
            self.mounted.append(handler)
        failures = _failures(placed.routers, placed.apps, scopes)
        failures.run_hooks(THREAD if interface == "wsgi" else INLINE)

        def with_hooks(laid: Laid) -> Laid:
            return _with_hooks(laid, scopes, placed.routers, failures, placed.label)

        point = MountPoint(placed, handler, failures, with_hooks)
        _set(point, settings_of(scopes), placed.route)
        return point


def _without_host(plan: Plan, template: Template) -> Plan:
    """Return a plan for those who describe its path: without the arguments that come from the host."""
    arguments = plan.signature.arguments
    own = tuple(one for one in arguments if one.source != "path" or one.key in template.names)
    return plan._replace(signature=plan.signature._replace(arguments=own))


def _own_routes(app: App, bounds: list[Bound], *, is_development: bool) -> Iterator[Placed]:
    tree: Node[Bound] | None = None
    for own in app.own_routes(is_development=is_development):
        if own.gives_way:
            tree = tree or build_tree(bounds)
            if any(_is_answered(tree, one) for one in own.routes):
                continue
        yield from own.routes


def _is_answered(tree: Node[Bound], placed: Placed) -> bool:
    return tree.find(placed.path[1:].split("/"), 0, "GET", [], set()) is not None


class _EndpointMaker:
    """Makes the endpoints of whatever finds no route; they belong to the outermost application alone."""

    def __init__(self, app: App) -> None:
        self._apps = (app,)
        self._scopes = without_replaced([(), *declared(self._apps)])
        self._settings = settings_of(self._scopes)
        self._failures = _failures(self._apps, self._apps, self._scopes)

    def __call__(self, answer: Callable[[], Response]) -> Endpoint:
        failures = self._failures

        def call(request: Request) -> Response | Awaitable[Response]:
            try:
                return answer()
            except BaseException as error:
                return failures.answer(request, error)

        laid = _with_hooks(Laid(call, INLINE), self._scopes, self._apps, failures, "a path without route")
        endpoint = Endpoint(laid.call, laid.run)
        _set(endpoint, self._settings)
        return endpoint


def _make_preflight(leaf: dict[str, Bound]) -> Bound | None:
    """Return what answers OPTIONS for the routes of one path when routers below the application have hooks
    that answer preflights: those of the route the browser asks about.
    """
    below = [hook for bound in leaf.values() for scope in scopes_of(bound.placed)[:-1] for hook in scope]
    if not any(getattr(hook, "answers_preflight", False) for hook in below):
        return None
    fields = {"Allow": ", ".join(sorted({*leaf, "OPTIONS"}))}

    def allow(request: Request) -> Response:  # noqa: ARG001 - a call
        return Response(b"", 204, fields)

    def lay(placed: Placed) -> Laid:
        scopes = scopes_of(placed)
        failures = _failures(placed.routers, placed.apps, scopes)
        return _with_hooks(Laid(allow, INLINE), scopes, placed.routers, failures, placed.label)

    calls = {method: lay(bound.placed) for method, bound in leaf.items()}
    first = next(iter(leaf.values()))
    otherwise = next(iter(calls.values()))
    asked = "access-control-request-method"

    def call(request: Request) -> Response | Awaitable[Response]:
        return calls.get(request.headers.get(asked, ""), otherwise).call(request)

    async def call_async(request: Request) -> Response:
        answer = call(request)
        return answer if isinstance(answer, Response) else await answer

    is_async = any(laid.run == TASK for laid in calls.values())
    endpoint = Endpoint(call_async, TASK) if is_async else Endpoint(call, INLINE)
    endpoint.route = first.endpoint.route
    return first._replace(endpoint=endpoint)


def _with_hooks(
    laid: Laid, scopes: list[list[Any]], routers: tuple[Router, ...], failures: Failures, where: str
) -> Laid:
    """Return a call with the hooks of a route and of each router and application round it: `scopes`, the
    innermost first. The compression of an application is outside its hooks.
    """
    laid = put_round(laid, scopes[0], failures, where)
    for scope, router in zip(scopes[1:], reversed(routers), strict=True):
        laid = put_round(laid, scope, failures, where)
        compression = getattr(router, "compression", None)
        if compression is not None:
            laid = laid._replace(call=compression.put_round(laid.call, laid.run))
    return laid


def _set(endpoint: Endpoint, settings: dict[str, Any], route: Route | None = None) -> None:
    """Let hooks say of an endpoint what its route does not."""
    for name, value in settings.items():
        if route is None or getattr(route, name) is None:
            setattr(endpoint, name, value)


def _check_resolving(placed: Placed, scopes: list[list[Any]]) -> None:
    wrong = [hook for scope in scopes[:-1] for hook in scope if hasattr(hook, "resolving")]
    if wrong:
        raise ApplicationError(
            f"{placed.label}: {type(wrong[0]).__name__} works before a route is found; give it to the "
            "outermost App(hooks=[...])"
        )


def _announcing_form(call: Call) -> Call:
    """Let hooks know that the form of a request is received behind them."""

    def announced(request: Request) -> Response | Awaitable[Response]:
        request.expect_form()
        return call(request)

    return announced


def _websocket_builder() -> Callable[[Placed, Template, Failures], Plan]:
    from penstock.app.websocket.plan import build_websocket_plan  # here: most applications have none

    return build_websocket_plan


def _failures(routers: tuple[Router, ...], apps: tuple[App, ...], scopes: list[list[Any]]) -> Failures:
    hooks = [read_hook(hook) for scope in scopes for hook in reversed(scope)]
    return Failures(
        [router.exception_handlers for router in reversed(routers)],
        [hook.on_error for hook in hooks if hook.on_error is not None],
        next((app.error_pages for app in reversed(apps) if app.error_pages is not None), True),
    )


def _converters(apps: tuple[App, ...]) -> dict[str, Converter]:
    return {name: converter for app in apps for name, converter in app.converters.items()}
