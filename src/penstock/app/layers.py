"""Hooks put round an endpoint, once, at start-up; without hooks the plan stands alone and pays nothing.

From the outside in: the application, its routers, the route; within one scope the first declared is
outermost. `before` may answer by returning a response; what is further in is skipped, but every `after` of
its layer sees the answer, as it sees 404 and 500. A layer ends at an `around`, which has all that is further
in inside it, and sees what comes out of it, or answers itself.

What a hook raises is answered by the exception handlers. A layer whose hooks are plain stays a plain call,
in the thread of a `def` handler or on the loop; only an async hook makes it a coroutine, and then a handler
in a thread is handed to one, with its context variables there and back.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.hooks import describe_hook, read_hook
from penstock.errors import ApplicationError
from penstock.http.handler import TASK, THREAD
from penstock.http.response import Response
from penstock.http.response_copy import own_copy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator

    from penstock.app.failures import Failures
    from penstock.app.hooks import Form, Function, Hook
    from penstock.http.handler import Answer, Call, ServerView
    from penstock.http.request import Request

    AsyncCall = Callable[[Request], Coroutine[Any, Any, Response]]

_MISSING = object()


class Laid(NamedTuple):
    """A call, and where it runs."""

    call: Call
    run: int
    may_wait: bool = False
    """A plain call that may return an awaitable all the same."""


def put_round(laid: Laid, hooks: Iterable[Any], failures: Failures, where: str) -> Laid:
    """Return a call with the hooks of one scope round it; itself when there are none. `where` names the
    route, for messages.
    """
    for layer in reversed(list(_split([read_hook(hook) for hook in hooks]))):
        laid = _put_layer(laid, layer, failures, where)
    return laid


def _split(hooks: list[Hook]) -> Iterator[list[Hook]]:
    """Yield the layers of a scope: each ends with the hook that has an `around`."""
    layer: list[Hook] = []
    for hook in hooks:
        layer.append(hook)
        if hook.around is not None:
            yield layer
            layer = []
    if layer:
        yield layer


def _put_layer(laid: Laid, layer: list[Hook], failures: Failures, where: str) -> Laid:
    last = layer[-1]
    if last.around is not None:
        laid = _settle(laid, [last.around], failures)
        if laid.run == TASK:
            if last.around.waits is None:
                raise ApplicationError(
                    f"{where}: the `around` of {describe_hook(last.given)} is plain, and this route runs on "
                    "the loop; make it async def, or give it `aaround` beside"
                )
            call = _enclose_async(laid.call, last.around.waits, failures, copies=last.copies)  # type: ignore[arg-type]
            laid = Laid(call, TASK)
        else:
            assert last.around.plain is not None  # noqa: S101 - else it were a coroutine
            if laid.may_wait or failures.may_wait():
                reason = (
                    "files may be waited for"
                    if laid.may_wait
                    else "an exception handler or `on_error` of this route is async def"
                )
                raise ApplicationError(
                    f"{where}: the `around` of {describe_hook(last.given)} is plain, and {reason}; make it "
                    "async def, or give it `aaround` beside"
                )
            laid = laid._replace(call=_enclose(laid.call, last.around.plain, failures, copies=last.copies))
    befores = [hook.before for hook in layer if hook.before is not None]
    afters = [(hook.after, hook.copies) for hook in reversed(layer) if hook.after is not None]
    if not befores and not afters:
        return laid
    laid = _settle(laid, [*befores, *(form for form, _ in afters)], failures)
    choose = _in_thread if laid.run == THREAD else _on_loop
    kind = _AsyncRow if laid.run == TASK else _Row
    row = kind(
        laid.call,
        tuple(map(choose, befores)),
        tuple((choose(form), copies) for form, copies in afters),
        failures,
    )
    return laid._replace(call=row.make_call())


def _settle(laid: Laid, forms: list[Form], failures: Failures) -> Laid:
    """Return a call that those forms can be put round: a coroutine when one of them waits."""
    if laid.run == TASK:
        return laid
    if laid.run == THREAD:
        return laid if all(form.plain for form in forms) else Laid(_from_thread(laid.call, failures), TASK)
    return Laid(_from_inline(laid.call), TASK) if any(form.waits for form in forms) else laid


def _on_loop(form: Form) -> Function:
    return form.on_loop()


def _in_thread(form: Form) -> Function:
    return form.in_thread()


def _from_inline(call: Call) -> AsyncCall:
    async def called(request: Request) -> Response:
        answer = call(request)
        return answer if isinstance(answer, Response) else await answer

    return called


def _from_thread(call: Call, failures: Failures) -> AsyncCall:
    """Return a coroutine function that has the call made in a thread, and comes back from it."""

    async def called(request: Request) -> Response:
        server = request.server
        try:
            answer = call(request) if server is None else await hand_over(server, call, request)
        except BaseException as error:  # no thread is free
            return await failures.answer_async(request, error)
        return answer if isinstance(answer, Response) else await answer

    return called


async def hand_over(server: ServerView, call: Call, request: Request) -> Answer:
    """Return what a call returns in a thread; the context variables it sets are the caller's afterwards."""
    context = copy_context()
    answer: Answer = await server.run_in_thread(context.run, call, request)
    for variable, value in context.items():  # what the handler has set, hooks see
        if variable.get(_MISSING) is not value:
            variable.set(value)
    return answer


def _checked(answer: object, kind: str) -> Response:
    if isinstance(answer, Response):
        return answer
    expected = "a Response" if kind == "an around" else "None or a Response"
    raise TypeError(f"{kind} hook returns {expected}, not {type(answer).__name__}")


def _enclose(call: Call, around: Function, failures: Failures, *, copies: bool) -> Call:
    def call_next(request: Request) -> Response:
        answer = call(request)
        if not isinstance(answer, Response):
            if hasattr(answer, "close"):
                answer.close()
            raise TypeError("a plain around hook cannot wait for what this handler returned; give it aaround")
        return answer if copies else _own(answer, request)

    def enclosed(request: Request) -> Answer:
        try:
            response = _checked(around(request, call_next), "an around")
        except BaseException as error:
            return failures.answer(request, error)
        request.own_response = None  # it may have been kept
        return response

    return enclosed


def _enclose_async(call: AsyncCall, around: Function, failures: Failures, *, copies: bool) -> AsyncCall:
    async def call_next(request: Request) -> Response:
        answer = await call(request)
        return answer if copies else _own(answer, request)

    async def enclosed(request: Request) -> Response:
        try:
            response = _checked(await around(request, call_next), "an around")
        except BaseException as error:
            return await failures.answer_async(request, error)
        request.own_response = None
        return response

    return enclosed


class _Row:
    """A layer without its `around`: what runs before and after a call, all of it plain."""

    def __init__(
        self,
        call: Call,
        befores: tuple[Function, ...],
        afters: tuple[tuple[Function, bool], ...],
        failures: Failures,
    ) -> None:
        self._call = call
        self._befores = befores
        self._afters = afters
        """Innermost first, each with whether it copies what it changes."""
        self._failures = failures

    def make_call(self) -> Call:
        end, end_later = self._end, self._end_later
        begin: Call = self._begin if self._befores else self._call
        if not self._afters:
            return begin

        def hooked(request: Request) -> Answer:
            answer = begin(request)
            return end(request, answer) if isinstance(answer, Response) else end_later(request, answer)

        return hooked

    def _begin(self, request: Request) -> Answer:
        try:
            for hook in self._befores:
                answer = hook(request)
                if answer is not None:
                    return _checked(answer, "a before")
        except BaseException as error:
            return self._failures.answer(request, error)
        return self._call(request)

    def _end(self, request: Request, response: Response, start: int = 0) -> Answer:
        afters = self._afters
        for at in range(start, len(afters)):
            hook, copies = afters[at]
            try:
                given = response if copies else _own(response, request)
                other = hook(request, given)
                response = (
                    given
                    if other is None
                    else other
                    if type(other) is Response
                    else _checked(other, "an after")
                )
            except BaseException as error:
                answer = self._failures.answer(request, error)
                if not isinstance(answer, Response):
                    return self._end_later(request, answer, at + 1)
                response = answer
            if not copies:
                request.own_response = None
        return response

    async def _end_later(self, request: Request, answer: Awaitable[Response], start: int = 0) -> Response:
        ended = self._end(request, await answer, start)
        return ended if isinstance(ended, Response) else await ended


class _AsyncRow(_Row):
    """The same round a coroutine; each hook is plain or not."""

    def make_call(self) -> Call:
        return self._hooked

    async def _hooked(self, request: Request) -> Response:
        response = await self._begin_async(request)
        for hook, copies in self._afters:
            try:
                given = response if copies else _own(response, request)
                other = hook(request, given)
                if other is not None and hasattr(other, "__await__"):
                    other = await other
                response = (
                    given
                    if other is None
                    else other
                    if type(other) is Response
                    else _checked(other, "an after")
                )
            except BaseException as error:
                response = await self._failures.answer_async(request, error)
            if not copies:
                request.own_response = None
        return response

    async def _begin_async(self, request: Request) -> Response:
        try:
            for hook in self._befores:
                answer = hook(request)
                if answer is not None:
                    if hasattr(answer, "__await__"):
                        answer = await answer
                    if answer is not None:
                        return _checked(answer, "a before")
        except BaseException as error:
            return await self._failures.answer_async(request, error)
        response: Response = await self._call(request)  # type: ignore[misc]  # a coroutine function
        return response


def _own(response: Response, request: Request) -> Response:
    """Return what a hook may change. A 101 is the connection's: it has nothing to change."""
    return response if response.status == 101 else own_copy(response, request)
