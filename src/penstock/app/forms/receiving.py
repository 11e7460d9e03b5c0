"""Receiving a form with files before its handler is called.

Put round the call of a route that takes files: the octets are parsed on the loop as they come, files beyond
what may be held in memory are written in threads, and no thread waits for a client. Then the handler runs
where it would have run without, and the files are closed once the reply is out, or when a thread that still
works with them has ended. Reading goes on behind the last boundary, so that the connection can be kept.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock.app.forms.spool import Spools
from penstock.errors import HTTPError
from penstock.http.building import begin_form
from penstock.http.form import FormData, beyond_total
from penstock.http.handler import INLINE, TASK, THREAD
from penstock.http.multipart import load_parser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.failures import Failures
    from penstock.http.form import FormLimits
    from penstock.http.handler import Call
    from penstock.http.request import Request
    from penstock.http.response import Response


class Received:
    """A form that was received: an `Ending`, which closes its files."""

    __slots__ = ("_form", "_is_over", "_lock", "_readers", "run")

    def __init__(self, form: FormData, run: int) -> None:
        self._form = form
        self.run = run
        self._lock = Lock()
        self._readers = 0
        """Threads whose handler has the files: nothing is closed under one, whatever becomes of its reply."""
        self._is_over = False

    def serve(self, call: Call, request: Request) -> Any:
        """In a thread: answer a request with the files open; None when nobody waits for it any more."""
        with self._lock:
            if self._is_over:
                return None
            self._readers += 1
        try:
            return call(request)
        finally:
            with self._lock:
                self._readers -= 1
                is_over = self._is_over and not self._readers
            if is_over:
                self._form.close()

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002 - of an Ending
        """The reply is out."""
        with self._lock:
            self._is_over = True
            if self._readers:
                return
        self._form.close()

    async def aclose(self, error: BaseException | None) -> None:
        """Not asked for: files are no coroutines."""
        self.close(error)


def receiving(call: Call, run: int, limits: FormLimits, failures: Failures) -> Call:
    """Return the coroutine function that receives the form of a request and then answers it by `call`, which
    is run as `run` says. MissingExtra when forms with files cannot be parsed here.
    """
    load_parser()

    async def received(request: Request) -> Response:
        form: Received | None = None
        try:
            form = await receive_form(request, limits)
            server = request.server
            if run == THREAD and server is not None:
                answer: Any = await server.run_in_thread(form.serve, call, request)
            else:
                answer = call(request)
            response: Response = await answer if run == TASK or hasattr(answer, "__await__") else answer
        except BaseException as error:
            try:
                return await failures.answer_async(request, error)
            except BaseException as second:  # cancelled: there will be no reply to wait for
                if form is not None:
                    form.close(second)
                raise
        else:
            return response

    received.receives_form = True  # type: ignore[attr-defined]  # for hooks that look at fields
    return received


async def receive_form(request: Request, limits: FormLimits) -> Received:
    """Return the form of a request, received as it comes, and kept for `request.form()`; its files are closed
    once the reply is out. HTTPError 415, 400, 413, or 507 when the disk is full.
    """
    stream = request.stream
    if stream is None:  # in process, with a body
        return Received(request.form(limits), INLINE)
    content_type = request.headers.get("content-type", "")
    if not content_type and not request.framing.has_content:
        return Received(request.keep_form(FormData()), INLINE)
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
        received = Received(request.keep_form(builder.finish()), THREAD if spools.has_disk else INLINE)
    except BaseException as error:  # a cancel, too
        spools.close()
        if isinstance(error, HTTPError):
            beyond_total(error)
        raise
    request.linger(received)
    return received


async def _at_once(function: Callable[..., Any], *args: object) -> Any:
    return function(*args)
