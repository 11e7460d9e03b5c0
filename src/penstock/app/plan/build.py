"""A route, compiled: its source written, its function made, its endpoint described."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

from penstock.app.forms.parameters import takes_form
from penstock.app.injection import generators
from penstock.app.injection.background import leave_tasks
from penstock.app.injection.generators import in_own_context
from penstock.app.injection.tree import overrides_of, read_tree
from penstock.app.plan.binding import Binding
from penstock.app.plan.calls import Calls
from penstock.app.plan.code import compile_plan, indented
from penstock.app.plan.result import (
    Promise,
    known_result_lines,
    make_responder,
    read_promise,
    result_scope,
    shown_lines,
    stream_type_of,
)
from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import check_process, decide_run
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint

if TYPE_CHECKING:
    from penstock.app.binding.signature import Signature
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
    promise: Promise | None = None
    """What it says it returns, for the same; None for a WebSocket."""


def build_plan(placed: Placed, template: Template, failures: Failures) -> Plan:
    """Compile a route; ApplicationError names what is wrong with its handler."""
    route = placed.route
    run = decide_run(route)
    signature = read_tree(route.handler, template, placed.dependencies, overrides_of(placed.apps))
    scope: dict[str, Any] = {}
    calls = Calls(signature, run, scope)
    # A decorated `async def`: generators are to see what it raises.
    calls.is_coroutine |= calls.has_generators and inspect.iscoroutinefunction(inspect.unwrap(route.handler))
    if any(one.first("websocket") is not None for one in calls.signatures):
        raise ApplicationError(
            f"{describe(route.handler)}: takes a WebSocket; declare it with @app.websocket"
        )
    if run == "process":
        check_process(route.handler, signature)
    promise = read_promise(placed, signature)
    source = plan_source(placed, calls, promise, failures, scope)
    call = compile_plan(
        source, f"<plan {route.methods[0]} {placed.path} -> {handler_name(route.handler)}>", scope
    )
    if calls.has_own_context:
        call = in_own_context(call)  # type: ignore[arg-type]  # this one takes it as well
    endpoint = Endpoint(
        call,
        TASK if calls.is_coroutine else THREAD if run == "thread" else INLINE,
        body_limit=route.body_limit,
        streams_body=signature.first("stream") is not None,
        cancel_on_disconnect=route.cancel_on_disconnect,
        route=placed.path,
        timeout_s=route.timeout_s,
        lingers=calls.lingers,
    )
    if takes_form(scope["arguments"]):
        from penstock.app.forms.route import adapt_endpoint  # here: most applications have no forms

        adapt_endpoint(endpoint, placed, scope, failures)
        call = endpoint.call
    return Plan(call, source, endpoint, endpoint.run == TASK, signature, promise)


def plan_source(
    placed: Placed, calls: Calls, promise: Promise, failures: Failures, scope: dict[str, Any]
) -> str:
    """Return the source of a plan; the names it uses go into `scope`."""
    is_async, signature, status = calls.is_coroutine, calls.signatures[-1], placed.route.status
    stream_type = stream_type_of(signature.returns)
    scope |= {
        "handler": placed.route.handler,
        "failed": failures.answer_async if is_async else failures.answer,
        **result_scope(status, stream_type),
    }
    binding = Binding(calls.signatures, scope)
    call_lines = calls.lines(binding)
    error = "error"
    if calls.has_generators:
        error = f"{'await unwind(request, ' if is_async else 'unwind('}opened, error)"
    scope |= _lingering_scope(calls)
    lines = [
        f"{'async ' if is_async else ''}def call(request{', context' if calls.has_own_context else ''}):",
        f"    # {placed.label}",
        *indented(calls.first_lines(binding), 1),
        "    try:",
        *indented(call_lines, 2),
    ]
    result_lines = indented(known_result_lines(promise, status, scope), 2)
    if not is_async:
        scope["respond"] = make_responder(status, stream_type, promise.show, failures)
        result_lines.append("        return respond(request, result)")
    else:
        if not calls.is_awaited:
            result_lines += ["        if hasattr(result, '__await__'):", "            result = await result"]
        result_lines += indented(shown_lines(promise, scope), 2)
        result_lines.append("        return to_response(result, status, stream_type)")
    if calls.lingers:
        result_lines = [_keeping(line, calls) for line in result_lines]
    lines += result_lines
    lines += [
        "    except BaseException as error:",
        f"        return {'await ' if is_async else ''}failed(request, {error})",
    ]
    return "\n".join(lines) + "\n"


def _lingering_scope(calls: Calls) -> dict[str, Any]:
    """Return the names that end generators, or leave them to the server."""
    scope: dict[str, Any] = {"leave_tasks": leave_tasks} if calls.has_tasks else {}
    if not calls.has_generators:
        return scope
    if calls.is_coroutine:
        return {**scope, "unwind": generators.unwind_async, "keep": generators.keep_async}
    keep = generators.keep_in_thread if calls.has_own_context else generators.keep_inline
    return {**scope, "unwind": generators.unwind, "keep": keep}


def _keeping(line: str, calls: Calls) -> str:
    """Have a line that returns a response leave the generators behind it, and the tasks behind those: what
    is left last is run first.
    """
    before, found, response = line.partition("return ")
    if not found or before.strip():
        return line
    if calls.has_generators:
        response = f"keep(request, opened, {response}{', context' if calls.has_own_context else ''})"
    if calls.has_tasks:
        response = f"leave_tasks(request, tasks, {response})"
    return f"{before}return {response}"
