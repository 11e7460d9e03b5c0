"""A route, compiled: its source written, its function made, its endpoint described."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import Signature, read_signature
from penstock.app.forms.parameters import takes_form
from penstock.app.plan.binding import Binding, call_expression
from penstock.app.plan.code import compile_plan, indented
from penstock.app.plan.result import known_result_lines, make_responder, result_scope, stream_type_of
from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import RunsAs, check_process, decide_run
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint

if TYPE_CHECKING:
    from penstock.app.failures import Failures
    from penstock.app.routing.router import Placed
    from penstock.app.routing.template import Template
    from penstock.http.handler import Call


class Plan(typing.NamedTuple):
    """A route, compiled."""

    call: Call
    source: str
    endpoint: Endpoint
    """What the server gets, before hooks are put round `call`."""
    is_async: bool
    signature: Signature
    """What the call binds, for those who describe it."""


def build_plan(placed: Placed, template: Template, failures: Failures) -> Plan:
    """Compile a route; ApplicationError names what is wrong with its handler."""
    route = placed.route
    run = decide_run(route)
    signature = read_signature(route.handler, template)
    if signature.first("websocket") is not None:
        raise ApplicationError(
            f"{describe(route.handler)}: takes a WebSocket; declare it with @app.websocket"
        )
    if run == "process":
        check_process(route.handler, signature)
    source, scope = plan_source(placed, signature, run, failures)
    call = compile_plan(
        source, f"<plan {route.methods[0]} {placed.path} -> {handler_name(route.handler)}>", scope
    )
    is_async = run in ("task", "process")
    endpoint = Endpoint(
        call,
        TASK if is_async else THREAD if run == "thread" else INLINE,
        body_limit=route.body_limit,
        streams_body=signature.first("stream") is not None,
        cancel_on_disconnect=route.cancel_on_disconnect,
        route=placed.path,
        timeout_s=route.timeout_s,
    )
    if takes_form(scope["arguments"]):
        from penstock.app.forms.route import adapt_endpoint  # here: most applications have no forms

        adapt_endpoint(endpoint, placed, scope, failures)
        call, is_async = endpoint.call, endpoint.run == TASK
    return Plan(call, source, endpoint, is_async, signature)


def plan_source(
    placed: Placed, signature: Signature, run: RunsAs, failures: Failures
) -> tuple[str, dict[str, Any]]:
    """Return the source of a plan and the names it uses."""
    is_async = run in ("task", "process")
    stream_type = stream_type_of(signature.returns)
    scope: dict[str, Any] = {
        "handler": placed.route.handler,
        "failed": failures.answer_async if is_async else failures.answer,
        **result_scope(placed.route.status, stream_type),
    }
    binding = Binding([signature], scope).lines(signature)
    lines = [
        f"{'async ' if is_async else ''}def call(request):",
        f"    # {placed.label}",
        "    try:",
        *indented(binding, 2),
        f"        result = {call_expression(signature, run, scope)}",
        *indented(known_result_lines(signature.returns, placed.route.status, scope), 2),
    ]
    if is_async:
        lines.append("        return to_response(result, status, stream_type)")
    else:
        scope["respond"] = make_responder(placed.route.status, stream_type, failures)
        lines.append("        return respond(request, result)")
    lines += [
        "    except BaseException as error:",
        f"        return {'await ' if is_async else ''}failed(request, error)",
    ]
    return "\n".join(lines) + "\n", scope
