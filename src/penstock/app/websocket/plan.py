"""The plan of a WebSocket route: check the handshake, bind the arguments, run the handler beside its session.

What goes wrong before the connection is accepted is answered like any failure of a route: 426, 422, 404, the
application's exception handlers. After that it is a close code. The handler runs in a Task of its own; the
request is answered as soon as it accepts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.app.failures import crash, must_propagate
from penstock.app.injection.background import leave_tasks
from penstock.app.injection.generators import keep_async, unwind_async
from penstock.app.injection.tree import overrides_of, read_tree, walk
from penstock.app.plan.binding import Binding
from penstock.app.plan.build import Plan
from penstock.app.plan.calls import Calls
from penstock.app.plan.code import compile_plan, indented
from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import decide_run
from penstock.app.websocket.socket import WebSocket
from penstock.errors import ApplicationError, WebSocketDisconnect
from penstock.http.endings import close_endings
from penstock.http.handler import INLINE, Endpoint
from penstock.http.problem import problem
from penstock.http.websocket import WebSocketSettings
from penstock.websocket.handshake import check_handshake, check_origin, load_protocol
from penstock.websocket.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from penstock.app.failures import Failures
    from penstock.app.routing.options import WebSocketOptions
    from penstock.app.routing.router import Placed
    from penstock.app.routing.template import Template
    from penstock.http.request import Request
    from penstock.http.response import Response

    Start = Callable[[WebSocket], Coroutine[Any, Any, object]]


def build_websocket_plan(placed: Placed, template: Template, failures: Failures) -> Plan:
    """Compile a route; ApplicationError names what is wrong with its handler or options, MissingExtra what
    is not installed.
    """
    load_protocol()
    route, where = placed.route, describe(placed.route.handler)
    if decide_run(route) != "task":
        raise ApplicationError(f"{where}: the handler of a WebSocket is an async def function")
    signature = read_tree(route.handler, template, placed.dependencies, overrides_of(placed.apps))
    scope: dict[str, Any] = {}
    # Without dependencies the arguments are bound before the Task that runs the handler is made.
    waits = any(True for _ in walk(signature)) or signature.first("tasks") is not None
    calls = Calls(signature, "task" if waits else "inline", scope)
    for wrong in (one for each in calls.signatures for one in each.arguments):
        if wrong.source in ("body", "stream", "form", "file", "parts"):
            raise ApplicationError(
                f"{where}: parameter {wrong.name!r}: a WebSocket has no body; receive messages"
            )
    host = _Host(where, route.websocket or {}, failures, lingers=calls.lingers)
    scope |= {
        "handler": route.handler,
        "failed": failures.answer,
        "check": host.check,
        "converse": host.converse,
    }
    binding = Binding(calls.signatures, scope)
    if waits:
        talk = calls.lines(binding)
        begin = calls.first_lines(binding)
        if calls.has_generators:
            scope |= {"unwind": unwind_async, "keep": keep_async}
            talk = [
                "try:",
                *indented(talk, 1),
                "except BaseException as error:",
                "    raise await unwind(request, opened, error)",
                "keep(request, opened, None)",
            ]
        if calls.has_tasks:
            scope["leave_tasks"] = leave_tasks
            talk = [*talk, "leave_tasks(request, tasks, None)"]
        talk = ["async def start(websocket):", *indented([*begin, *talk], 1)]
    else:
        talk = calls.handler_lines(binding, "start = lambda websocket: ")
    lines = [
        "def call(request):",
        f"    # {placed.label}",
        "    try:",
        "        check(request)",
        *indented(talk, 2),
        "        return converse(request, start)",
        "    except BaseException as error:",
        "        return failed(request, error)",
    ]
    source = "\n".join(lines) + "\n"
    call = compile_plan(source, f"<plan WEBSOCKET {placed.path} -> {handler_name(route.handler)}>", scope)
    endpoint = Endpoint(call, INLINE, route=placed.path)
    return Plan(call, source, endpoint, is_async=False, signature=signature)


class _Host:
    """Lets the handler of one route converse."""

    def __init__(self, where: str, options: WebSocketOptions, failures: Failures, *, lingers: bool) -> None:
        self._failures = failures
        self._lingers = lingers
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them but weakly
        self._origins = _names(where, "origins", options.get("origins"))
        self._subprotocols = _names(where, "subprotocols", options.get("subprotocols")) or ()
        drain = options.get("drain", "close")
        if drain not in ("close", "finish"):
            raise ApplicationError(f"{where}: drain={drain!r}; expected 'close' or 'finish'")
        self._finishes_by_itself = drain == "finish"
        self._own = {name: value for name, value in options.items() if name in WebSocketSettings._fields}
        for name, value in self._own.items():
            _check_option(where, name, value)

    def check(self, request: Request) -> None:
        """HTTPError for what is no handshake, or none that may be accepted."""
        if _foreign(request) is None:
            check_handshake(request, self._origins)
        else:
            check_origin(request, self._origins)

    def converse(self, request: Request, start: Start) -> Response | asyncio.Future[Response]:
        """Run the handler; return what answers the request, or what will."""
        server = request.server
        if server is None:
            raise RuntimeError("this request came through no server, and a WebSocket needs its connection")
        make_session = _foreign(request) or Session
        session = make_session(request, server.websocket._replace(**self._own))  # type: ignore[arg-type]  # checked at the start
        session.finishes_by_itself = self._finishes_by_itself
        # PERF: a Task of asyncio's own, which starts later than an eager one and wakes in less time (3.11).
        session.task = task = asyncio.get_running_loop().create_task(self._run(session, start))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._lingers:
            server.keep(task)
        return session.answer()

    async def _run(self, session: Session, start: Start) -> None:
        try:
            await start(WebSocket(session, self._subprotocols))
        except WebSocketDisconnect:  # the handler has nothing to do any more
            pass
        except BaseException as error:
            if session.is_answered:
                if not isinstance(error, Exception) and must_propagate(error):
                    raise
                crash(session.request, error)  # logged and noted; the client gets a code, no response
                session.close(1011, "internal error")
                return
            session.refuse(await self._failures.answer_async(session.request, error))
        if not session.is_answered:
            session.refuse(problem(403))
        session.close()
        if self._lingers:
            await close_endings(session.request)


def _foreign(request: Request) -> Any:
    """What makes the session under another server, which has done the handshake; None under Penstock's."""
    return getattr(request.connection, "make_session", None)


def _names(where: str, option: str, value: object) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise ApplicationError(f"{where}: {option} must be a list such as [{value!r}]")
    return list(value)


def _check_option(where: str, name: str, value: object) -> None:
    default = WebSocketSettings._field_defaults[name]
    if isinstance(default, bool):
        is_right = isinstance(value, bool)
    else:
        is_right = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        if isinstance(default, int) or name == "close_timeout_s":
            is_right = is_right and value != 0
    if not is_right:
        raise ApplicationError(f"{where}: {name}={value!r}; expected something like {default!r}")
