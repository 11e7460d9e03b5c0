"""Handlers past their deadline: what the log gets, what the client gets, what becomes of the work.

A Task is cancelled, so its `finally` blocks run. A thread cannot be ended: the reactor answers in its place,
its late answer is thrown away (`threads.Claim` decides which of the two it is), and the pool replaces it. The
connection closes, because nobody knows what else the handler would have done with it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING

from penstock.http.problem import problem
from penstock.http.response import Response
from penstock.observe.stacks import log_with_stack, stack_of_task, stack_of_thread
from penstock.server.streams import abandon

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.server.answering import Answering
    from penstock.server.threads import Claim

_log = logging.getLogger("penstock.server")


def tell_overdue(connection: Answering, request: Request, claim: Claim | None, age_s: float) -> Response:
    """Log where the handler of `request` stands; return what to answer. `claim`: its thread has lost it."""
    if claim is not None and claim.thread is None:
        message = "%s: no thread was free for it within %.1f s, 503, trace id %s"
        log_with_stack(_log, "", "", message, request, age_s, request.trace_id)
        headers = {"Retry-After": "1"}
        return problem(503, detail="no thread was free in time", headers=headers, trace_id=request.trace_id)
    if claim is not None and claim.thread is not None:
        connection.reactor.threads.lose(claim.thread)
        stack, title = stack_of_thread(claim.thread.ident), f"Stack of thread {claim.thread.name}"
    else:
        task = connection.work or connection.task
        stack = stack_of_task(task) if isinstance(task, asyncio.Task) else ""
        title = "Stack of the task"
    message = "%s: no answer for %.1f s, 504, trace id %s"
    log_with_stack(_log, stack, title, message, request, age_s, request.trace_id)
    return problem(504, detail="the handler took too long", trace_id=request.trace_id)


def discard(connection: Answering, answer: object) -> None:
    """Let go of an answer that comes too late. Reactor's thread."""
    if isinstance(answer, Response):
        abandon(connection, answer)
    elif isinstance(answer, asyncio.Future):
        answer.cancel()
    elif inspect.iscoroutine(answer):
        answer.close()
