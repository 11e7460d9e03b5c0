"""Receiving a form with files before its handler is called.

Put round the call of a route that takes files: the octets are parsed on the loop as they come, files beyond
what may be held in memory are written in threads, and no thread waits for a client. Then the handler runs
where it would have run without, and the files are closed behind it. Reading goes on behind the last boundary,
so that the connection can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.forms.spool import Spools
from penstock.http.building import begin_form
from penstock.http.form import FormData
from penstock.http.handler import TASK, THREAD
from penstock.http.multipart import load_parser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.failures import Failures
    from penstock.http.form import FormLimits
    from penstock.http.handler import Call
    from penstock.http.request import Request
    from penstock.http.response import Response


def receiving(call: Call, run: int, limits: FormLimits, failures: Failures) -> Call:
    """Return the coroutine function that receives the form of a request and then answers it by `call`, which
    is run as `run` says. MissingExtra when forms with files cannot be parsed here.
    """
    load_parser()

    async def received(request: Request) -> Response:
        try:
            form = await receive_form(request, limits)
        except BaseException as error:
            return await failures.answer_async(request, error)
        server = request.server
        if run == THREAD and server is not None:
            return await _call_in_thread(call, request, form, failures)
        try:
            answer: Any = call(request)
            response: Response = await answer if run == TASK or hasattr(answer, "__await__") else answer
            return response
        finally:
            form.close()

    received.receives_form = True  # type: ignore[attr-defined]  # for hooks that look at fields
    return received


async def receive_form(request: Request, limits: FormLimits) -> FormData:
    """Return the form of a request, received as it comes; `request.form()` gives it from now on. HTTPError
    415, 400, 413, or 507 when the disk is full.
    """
    stream = request.stream
    if stream is None:  # in process, with a body
        return request.form(limits)
    content_type = request.headers.get("content-type", "")
    if not content_type and not request.framing.has_content:
        return request.keep_form(FormData())
    server = request.server
    run: Callable[..., Awaitable[Any]] = _at_once if server is None else server.continue_in_thread
    spools = Spools(limits.memory_bytes)
    try:
        builder = begin_form(content_type, limits, spools.new, run)
        async for piece in stream:
            builder.feed(piece)
            if spools.is_heavy:
                await run(spools.write_out)
        if spools.has_disk:
            await run(spools.write_out)
        return request.keep_form(builder.finish())
    except BaseException:  # a cancel, too
        spools.close()
        raise


async def _call_in_thread(call: Call, request: Request, form: FormData, failures: Failures) -> Response:
    # Whoever takes the right first: the thread, which then closes the files behind its work, or this
    # coroutine, when it is cancelled or refused before a thread began. Nothing is closed under a reader.
    right = [True]

    def serve() -> Any:
        try:
            right.pop()
        except IndexError:
            return None
        answer: Any = None
        try:
            answer = call(request)
        finally:
            if not hasattr(answer, "__await__"):
                form.close()
        return answer

    server = request.server
    assert server is not None  # noqa: S101 - the caller looked
    try:
        answer = await server.run_in_thread(serve)
        if hasattr(answer, "__await__"):
            try:
                answer = await answer
            finally:
                form.close()
    except BaseException as error:
        return await failures.answer_async(request, error)
    else:
        result: Response = answer
        return result
    finally:
        try:
            right.pop()
        except IndexError:
            pass  # a thread has it
        else:
            form.close()


async def _at_once(function: Callable[..., Any], *args: object) -> Any:
    return function(*args)
