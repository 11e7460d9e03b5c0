"""Hooks round every endpoint of an application: `before(request)`, `after(request, response)`.

They are put round a plan once, at start-up; without hooks the plan stands alone and pays nothing. `before`
may answer the request by returning a response; the handler is skipped, the `after` hooks are not. `after`
hooks run in reverse order, see every answer, 404 and 500 included, and may change its headers or return
another response. Objects with both, such as `CORS(...)`, are given as `App(hooks=[...])` or
`Router(hooks=[...])`; an inner one with `replaces_outer` stands for the outer one of its class. Absent on
purpose: asynchronous and wrapping hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.failures import Failures, crash
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from penstock.http.handler import Call
    from penstock.http.request import Request

    Before = Callable[[Request], Any]
    After = Callable[[Request, Response], Any]


def parts(hooks: Iterable[Any]) -> tuple[list[Before], list[After]]:
    """Return what runs before and what runs after, of hooks that are objects."""
    hooks = list(hooks)
    before = [hook.before for hook in hooks if getattr(hook, "before", None) is not None]
    return before, [hook.after for hook in hooks if getattr(hook, "after", None) is not None]


class Hooks(NamedTuple):
    """The hooks of one application, in the order they were declared."""

    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()

    def put_round(self, call: Call, failures: Failures, *, is_async: bool) -> Call:
        """Return `call` with the hooks round it; itself when there are none."""
        if not self.before and not self.after:
            return call
        return self._around_coroutine(call, failures) if is_async else self._around(call, failures)

    def _around(self, call: Call, failures: Failures) -> Call:
        def hooked(request: Request) -> Response | Awaitable[Response]:
            answer = self._first(request, failures) or call(request)
            return self._last(request, answer) if isinstance(answer, Response) else finish(request, answer)

        async def finish(request: Request, answer: Awaitable[Response]) -> Response:
            return self._last(request, await answer)

        return hooked

    def _around_coroutine(self, call: Call, failures: Failures) -> Call:
        async def hooked(request: Request) -> Response:
            answer = self._first(request, failures) or call(request)
            return self._last(request, answer if isinstance(answer, Response) else await answer)

        return hooked

    def _first(self, request: Request, failures: Failures) -> Response | Awaitable[Response] | None:
        try:
            for hook in self.before:
                answer = hook(request)
                if answer is not None:
                    if not isinstance(answer, Response):
                        raise TypeError(
                            f"a before hook returns None or a Response, not {type(answer).__name__}"
                        )
                    return answer
        except BaseException as error:
            return failures.answer(request, error)
        return None

    def _last(self, request: Request, response: Response) -> Response:
        for hook in reversed(self.after):
            try:
                other = hook(request, response)
                if other is not None:
                    if not isinstance(other, Response):
                        raise TypeError(
                            f"an after hook returns None or a Response, not {type(other).__name__}"
                        )
                    response = other
            except BaseException as error:
                response = crash(request, error)
        return response
