"""Exceptions to responses.

An exception handler is found by the status of an HTTPError, then by type, nearest class first; those of an
inner router come before those of the ones it is included in. Without one an HTTPError becomes the problem it
describes and anything else a 500, logged with its traceback under a trace id the client is told; what went
wrong stays inside. A client that prefers HTML gets the problem as a page
(`app/error_pages.py`). What would be a 500 is first told to the `on_error` hooks, each of which may answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.results import to_response
from penstock.app.runs import is_coroutine_function
from penstock.errors import ClientDisconnected, HTTPError, status_errors
from penstock.http.handler import INLINE, THREAD
from penstock.http.problem import PROBLEM, problem, unexpected
from penstock.http.redaction import redactor
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from penstock.app.error_pages import ErrorPage
    from penstock.app.hooks import Form
    from penstock.http.request import Request

    ExceptionHandler = Callable[[Request, Any], Any]

_log = logging.getLogger("penstock.error")

_OF_STATUS = {kind.status: kind for kind in status_errors()}


class Registered(NamedTuple):
    """An exception handler; `status` is for a plain value it returns, None: the error's own, else 500."""

    handler: ExceptionHandler
    status: int | None
    is_last_resort: bool = False
    """Registered for status 500: what it sees is a crash all the same, and logged."""


class Failures:
    """Answers the exceptions of one route. Exception handlers are keyed by type and by status, one table per
    router.
    """

    __slots__ = ("_forms", "_hooks", "_page", "_tables")

    def __init__(
        self,
        tables: list[dict[type[BaseException] | int, Registered]],
        hooks: Sequence[Form] = (),
        page: ErrorPage | bool = True,  # noqa: FBT001, FBT002 - as App takes it
    ) -> None:
        self._tables = tables
        """Innermost router first."""
        self._page = page
        self._forms = hooks
        self.run_hooks(INLINE)

    def run_hooks(self, run: int) -> None:
        """Say where the hooks for errors run: the form of each is the one for that place."""
        self._hooks = [form.in_thread() if run == THREAD else form.on_loop() for form in self._forms]
        """Innermost first."""

    def may_wait(self) -> bool:
        """Tell whether an answer may be an awaitable."""
        handlers = [found.handler for table in self._tables for found in table.values()]
        return any(map(is_coroutine_function, (*handlers, *self._hooks)))

    def answer(self, request: Request, error: BaseException) -> Response | Awaitable[Response]:
        """Return the response to an exception; an awaitable when its handler is async. Never raises."""
        request.failure = type(error).__name__
        found = self._find(error)
        if isinstance(error, HTTPError) or (found is not None and not found.is_last_resort):
            return self._handle(request, error, found)
        if found is None and isinstance(error, ClientDisconnected):
            # No crash: the client cut its content short, and seldom reads this.
            return self._told(request, problem(400, detail=str(error)))
        log_crash(request, error)
        return self._ask_hooks(request, error, found) if self._hooks else self._handle(request, error, found)

    def _handle(
        self, request: Request, error: BaseException, found: Registered | None
    ) -> Response | Awaitable[Response]:
        if found is None:
            return self._told(request, _default_answer(request, error))
        status = found.status or (error.status if isinstance(error, HTTPError) else 500)
        try:
            result = found.handler(request, error)
            if hasattr(result, "__await__"):
                return self._finish(request, result, status)
            return to_response(result, status)
        except BaseException as second:
            return self._crash(request, second)

    def _ask_hooks(
        self, request: Request, error: BaseException, found: Registered | None, start: int = 0
    ) -> Response | Awaitable[Response]:
        for at in range(start, len(self._hooks)):
            try:
                answer = self._hooks[at](request, error)
                if hasattr(answer, "__await__"):
                    return self._ask_later(request, error, found, answer, at + 1)
                if answer is not None:
                    return _checked(answer)
            except BaseException as second:
                return self._crash(request, second)
        return self._handle(request, error, found)

    async def _ask_later(
        self,
        request: Request,
        error: BaseException,
        found: Registered | None,
        waits: Awaitable[Any],
        start: int,
    ) -> Response:
        try:
            answer = await waits
            if answer is not None:
                return _checked(answer)
        except BaseException as second:
            if not isinstance(second, Exception) and must_propagate(second):
                raise
            return self._crash(request, second)
        response = self._ask_hooks(request, error, found, start)
        return response if isinstance(response, Response) else await response

    async def answer_async(self, request: Request, error: BaseException) -> Response:
        """Return the response to an exception in a coroutine; raises it again when the task is being
        cancelled or closed.
        """
        if not isinstance(error, Exception) and must_propagate(error):
            raise error
        answer = self.answer(request, error)
        return answer if isinstance(answer, Response) else await answer

    def _find(self, error: BaseException) -> Registered | None:
        classes: tuple[Any, ...] = type(error).__mro__
        if not isinstance(error, HTTPError):
            keys: tuple[Any, ...] = (*classes, 500)
        else:  # whatever raised it: a 404 is a NotFound
            of_status = _OF_STATUS.get(error.status)
            keys = (error.status, *classes)
            if of_status is not None and of_status not in classes:
                at = keys.index(HTTPError)
                keys = (*keys[:at], of_status, *keys[at:])
        return next((table[key] for table in self._tables for key in keys if key in table), None)

    def _told(self, request: Request, response: Response) -> Response:
        """Return a problem in the form the client prefers."""
        if self._page is False or response.media_type != PROBLEM:
            return response
        from penstock.app.error_pages import negotiated

        try:
            return negotiated(request, response, self._page)
        except BaseException as error:  # the page is the user's
            return crash(request, error)

    def _crash(self, request: Request, error: BaseException) -> Response:
        return self._told(request, crash(request, error))

    async def _finish(self, request: Request, result: Awaitable[Any], status: int) -> Response:
        try:
            return to_response(await result, status)
        except BaseException as error:
            if not isinstance(error, Exception) and must_propagate(error):
                raise
            return self._crash(request, error)


def crash(request: Request, error: BaseException) -> Response:
    """Log an exception nobody handles and return the answer to it."""
    log_crash(request, error)
    return unexpected(request, error)


def log_crash(request: Request, error: BaseException) -> None:
    """Log an exception with its traceback, the request line without the secrets in it, and the trace id."""
    request.note_failure(error)
    line = redactor().target(request.raw_path, request.raw_query)
    line = repr(line)[1:-1]  # repr: nothing in it can break the line
    _log.error(
        "%s %s HTTP/%s: %s, trace_id=%s",
        *(request.method, line, request.http_version, type(error).__name__, request.trace_id),
        exc_info=(type(error), error, error.__traceback__),
    )


def _checked(answer: object) -> Response:
    if isinstance(answer, Response):
        return answer
    raise TypeError(f"an on_error hook returns None or a Response, not {type(answer).__name__}")


def _default_answer(request: Request, error: BaseException) -> Response:
    if not isinstance(error, HTTPError):
        return unexpected(request, error)  # logged already
    try:
        return problem(
            error.status,
            title=error.title,
            detail=error.detail,
            type=error.type,
            headers=error.headers,
            **error.extensions,  # type: ignore[arg-type]  # `instance` among them is checked where it is shown
        )
    except Exception as second:  # an extension that is no JSON, a header that is no header
        return crash(request, second)


def must_propagate(error: BaseException) -> bool:
    """Tell whether an exception is not the handler's: its task is being cancelled, or its coroutine closed by
    the collector.
    """
    import asyncio  # loaded already where anything runs in a task

    if not isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs
        task = None
    if isinstance(error, GeneratorExit):
        return task is None
    return task is not None and task.cancelling() > 0
