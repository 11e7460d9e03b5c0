"""What the code that runs now works for: one context variable, set by whoever calls a handler.

Every copy of the context takes it along: threads, Tasks, background tasks, iterators of streams. In a process
of the pool, and in periodic work, it is a `Trace`, since there is no request.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from penstock.http.trace import Trace, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from penstock.http.request import Request
    from penstock.http.trace import Ids


class Traced(Protocol):
    """Something with a place in a trace: a `Request`, or a `Trace`."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def parent_id(self) -> str: ...
    @property
    def trace_flags(self) -> int: ...
    @property
    def tracestate(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def route(self) -> str | None: ...


current: ContextVar[Traced | None] = ContextVar("penstock.current", default=None)

# A tracer's own idea of the span that is current: a span of the user's within ours. None: there is no tracer,
# or it says nothing.
ask_tracer: Callable[[], tuple[Ids, str] | None] | None = None
# Has a tracer's own context variable be the same after a block as before.
keep_tracer: Callable[[], AbstractContextManager[None]] | None = None


@contextmanager
def working_for(traced: Traced | None) -> Iterator[None]:
    """Have what runs in the block work for this."""
    token = current.set(traced)
    try:
        if keep_tracer is None:
            yield
        else:
            with keep_tracer():
                yield
    finally:
        with suppress(ValueError):  # a coroutine that is closed by the collector ends in another context
            current.reset(token)


def portable() -> Trace | None:
    """Return what of the current request, or trace, can be sent to another process."""
    traced = current.get()
    return trace_of(traced) if traced is not None else None


def call_for(trace: Trace | None, function: Callable[..., Any], /, *args: Any) -> Any:
    """Return `function(*args)` as part of a trace: the other end, in the process it was sent to."""
    with working_for(trace):
        return function(*args)


def current_request() -> Request | None:
    """Return the request the calling code works for: in handlers, what they call, their threads, their
    background tasks. None elsewhere, and in a process of the pool.
    """
    from penstock.http.request import Request

    found = current.get()
    return found if isinstance(found, Request) else None


def trace_headers() -> dict[str, str]:
    """Return the fields by which a call to another service joins the trace: `traceparent`, `tracestate` if
    there is one, `X-Request-ID`. Empty outside a request.

    >>> trace_headers()
    {}
    """
    traced = current.get()
    if traced is None:
        return {}
    trace_id, span_id, flags, state = traced.trace_id, traced.span_id, traced.trace_flags, traced.tracestate
    told = ask_tracer() if ask_tracer is not None else None
    if told is not None:
        (trace_id, span_id, _, flags), state = told
    fields = {"traceparent": f"00-{trace_id}-{span_id}-{flags:02x}"}
    if state:
        fields["tracestate"] = state
    fields["X-Request-ID"] = traced.request_id
    return fields
