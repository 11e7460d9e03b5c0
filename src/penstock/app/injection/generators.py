"""Dependencies with `yield`: what comes behind it runs once the reply is out.

While a request is answered, a plan keeps the generators it has begun, the last one first. What the handler
raises, or a dependency after them, is thrown into each at its `yield`, before there is a response: it may
raise something else instead. That it swallows the exception changes nothing; there is no result to go on
with. When all went well, they are left to the server as an `Ending`, and run to their end behind the last
octet, in the place and the context they began in. What fails there is logged; the client has its reply.
"""

from __future__ import annotations

import logging
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.injection.threads import continue_in_thread, take_over
from penstock.app.routing.router import describe
from penstock.http.handler import INLINE, TASK, THREAD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from penstock.http.request import Request

    Plain = Generator[Any, None, None]
    Opened = tuple[Any, ...]

_log = logging.getLogger("penstock.error")

NOTHING = object()
"""What `next` gives where there was no `yield`."""


class InThread(NamedTuple):
    """A plain generator that runs in threads, among those of a coroutine."""

    generator: Plain
    context: Context
    """It began in: a variable can be reset only where it was set."""


def no_value(function: Callable[..., Any]) -> RuntimeError:
    """Return the error for a generator that ended before its `yield`."""
    return RuntimeError(f"{describe(function)}: a dependency with `yield` has to get there")


# While there is no response yet.


def unwind(opened: Opened, error: BaseException) -> BaseException:
    """Throw an exception into generators, one after the other; return the one that comes out in the end."""
    for generator in opened:
        try:
            generator.throw(error)
        except StopIteration:
            continue  # swallowed
        except BaseException as raised:
            error = _outcome(error, raised)
        else:
            error = _close_unended(generator, error)
    return error


async def unwind_async(request: Request, opened: Opened, error: BaseException) -> BaseException:
    """The same in a coroutine, for generators of all kinds."""
    for generator in opened:
        if isinstance(generator, InThread):
            work = partial(unwind, (generator.generator,), error)
            error = await continue_in_thread(request, generator.context, work)
        elif hasattr(generator, "athrow"):
            try:
                await generator.athrow(error)
            except StopAsyncIteration:
                continue
            except BaseException as raised:
                error = _outcome(error, raised)
            else:
                error = await _aclose_unended(generator, error)
        else:
            error = unwind((generator,), error)
    return error


def _outcome(thrown: BaseException, raised: BaseException) -> BaseException:
    """Return what a generator has made of an exception. A StopIteration it lets through comes out as a
    RuntimeError (PEP 479).
    """
    is_wrapped = isinstance(raised, RuntimeError) and raised.__cause__ is thrown
    return thrown if is_wrapped and isinstance(thrown, (StopIteration, StopAsyncIteration)) else raised


def _close_unended(generator: Plain, error: BaseException | None) -> BaseException:
    fault = RuntimeError(f"a dependency yields twice: {generator!r}")
    fault.__cause__ = error
    try:
        generator.close()
    except BaseException as raised:
        raised.__cause__ = fault
        return raised
    return fault


async def _aclose_unended(generator: AsyncGenerator[Any, None], error: BaseException | None) -> BaseException:
    fault = RuntimeError(f"a dependency yields twice: {generator!r}")
    fault.__cause__ = error
    try:
        await generator.aclose()
    except BaseException as raised:
        raised.__cause__ = fault
        return raised
    return fault


# Once there is one.


class PlainEnding:
    """The end of generators that are all plain."""

    __slots__ = ("_context", "_opened", "_request", "run")

    def __init__(self, request: Request, opened: Opened, context: Context | None) -> None:
        self._request = request
        self._opened = opened
        self._context = context
        self.run = INLINE if context is None else THREAD

    def close(self, error: BaseException | None) -> None:
        """Go on behind each `yield`."""
        run = self._context.run if self._context is not None else _just_call
        for generator in self._opened:
            run(_end, self._request, generator, error)

    async def aclose(self, error: BaseException | None) -> None:
        """Not asked for: what it is the end of is no coroutine."""
        self.close(error)


class AsyncEnding:
    """The end of generators of a coroutine."""

    __slots__ = ("_opened", "_request")

    run = TASK

    def __init__(self, request: Request, opened: Opened) -> None:
        self._request = request
        self._opened = opened

    def close(self, error: BaseException | None) -> None:
        """Not asked for."""
        raise NotImplementedError

    async def aclose(self, error: BaseException | None) -> None:
        """Go on behind each `yield`, where it stands."""
        cancelled: BaseException | None = None
        for generator in self._opened:
            try:
                await self._aclose_one(generator, error)
            except BaseException as raised:  # the server is at its end; the others have theirs all the same
                cancelled = raised
        if cancelled is not None:
            raise cancelled

    async def _aclose_one(self, generator: Any, error: BaseException | None) -> None:
        request = self._request
        if isinstance(generator, InThread):
            work = partial(_end, request, generator.generator, error)
            await continue_in_thread(request, generator.context, work)
        elif hasattr(generator, "athrow"):
            await _end_async(request, generator, error)
        else:
            _end(request, generator, error)


def keep_inline(request: Request, opened: Opened, response: Any) -> Any:
    """Leave generators to the server, and return the response."""
    request.linger(PlainEnding(request, opened, None))
    return response


def keep_in_thread(request: Request, opened: Opened, response: Any, context: Context) -> Any:
    """The same, for generators that a thread has begun in this context."""
    request.linger(PlainEnding(request, opened, context))
    return response


def keep_async(request: Request, opened: Opened, response: Any) -> Any:
    """The same, for those of a coroutine."""
    request.linger(AsyncEnding(request, opened))
    return response


def in_own_context(call: Callable[[Request, Context], Any]) -> Callable[[Request], Any]:
    """Return a call in a context of its own, which it is told of, so that its generators can end there."""

    def call_there(request: Request) -> Any:
        context = copy_context()
        try:
            return context.run(call, request, context)
        finally:
            take_over(context)

    return call_there


def _just_call(function: Callable[..., Any], *args: object) -> Any:
    return function(*args)


def _end(request: Request, generator: Plain, error: BaseException | None) -> None:
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration:
        return
    except BaseException as raised:
        if error is None or _outcome(error, raised) is not error:
            _log_fault(request, generator, raised)
        return
    _log_fault(request, generator, _close_unended(generator, error))


async def _end_async(
    request: Request, generator: AsyncGenerator[Any, None], error: BaseException | None
) -> None:
    try:
        if error is None:
            await anext(generator)
        else:
            await generator.athrow(error)
    except StopAsyncIteration:
        return
    except Exception as raised:
        if error is None or _outcome(error, raised) is not error:
            _log_fault(request, generator, raised)
        return
    _log_fault(request, generator, await _aclose_unended(generator, error))


def _log_fault(request: Request, generator: object, error: BaseException) -> None:
    name = getattr(generator, "__qualname__", repr(generator))
    _log.error(
        "%s: %s failed behind the reply: %s, trace_id=%s",
        *(request, name, type(error).__name__, request.trace_id),
        exc_info=(type(error), error, error.__traceback__),
    )
