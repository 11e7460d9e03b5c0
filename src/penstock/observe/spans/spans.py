"""Spans of OpenTelemetry for requests, by the stable semantic conventions for HTTP servers.

A span begins as its request is resolved and ends when the reply is over, whoever finds that out. Handlers run
with it as OpenTelemetry's current span, so that spans of their own are its children; the request takes over
its ids, so that logs and `trace_headers` say the same. With the API alone, or a tracer that records nothing,
all of it is harmless.

What a span says of its request is in `span_attributes`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import HTTPError, MissingExtra
from penstock.http import current as current_module
from penstock.http.handler import ANSWERED, TASK
from penstock.http.response import Response
from penstock.observe.spans.attributes import attributes_of, method_of, redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from penstock.http.handler import Call, Endpoint
    from penstock.http.request import Request
    from penstock.http.trace import Ids

    Resolve = Callable[[Request], Endpoint]

_ENDPOINTS = 1024  # kept with spans round them; an App makes some anew for each request
LEFT: Final = 499
"""Stands for the status of a reply nobody waited for."""


class Spans:
    """Makes the spans of the requests of one server, or one application."""

    def __init__(self, tracer_provider: Any = None) -> None:
        try:
            from opentelemetry import context, trace
        except ImportError:
            raise MissingExtra("OpenTelemetry needs an extra: pip install 'penstock[otel]'") from None
        from penstock import __version__

        self._trace: Any = trace
        self._context: Any = context
        self._tracer: Any = trace.get_tracer("penstock", __version__, tracer_provider)
        current_module.ask_tracer = self._ask
        current_module.keep_tracer = self._keep

    def put_round(self, resolve: Resolve, *, lingers: bool = False) -> Resolve:
        """Return `resolve` with a span for each request. It ends with `Span.end`; with `lingers` by itself,
        and is begun only when a handler is called.
        """
        known: dict[Endpoint, Endpoint] = {}

        def resolve_spanned(request: Request) -> Endpoint:
            if request.span is not None:  # that of the server, or of an application round this one
                return resolve(request)
            span = Span(self, request, time.time_ns())
            if not lingers:
                span.begin()
            endpoint = resolve(request)
            span.route = request.route or endpoint.route
            spanned = known.get(endpoint)
            if spanned is None:
                if len(known) >= _ENDPOINTS:
                    known.clear()
                spanned = known[endpoint] = self._make(endpoint, lingers=lingers)
            return spanned

        return resolve_spanned

    def _make(self, endpoint: Endpoint, *, lingers: bool) -> Endpoint:
        ends_at_once = lingers and endpoint.after is not None  # its reply leaves by itself
        spanned = endpoint.with_call(self._put_round(endpoint.call, endpoint.run, lingers, ends_at_once))
        spanned.lingers = endpoint.lingers or (lingers and not ends_at_once)
        return spanned

    def _put_round(self, call: Call, run: int, lingers: bool, ends_at_once: bool) -> Call:  # noqa: FBT001 - inside
        def begin(request: Request) -> Span:
            span: Span = request.span
            if lingers:
                span.begin()
                if not ends_at_once:
                    request.linger(span)
            self._context.attach(span.context)  # the context is this call's own
            return span

        def see(span: Span, answer: Any) -> Any:
            if isinstance(answer, Response):
                span.status = answer.status
            if ends_at_once or (lingers and span.status == 101):  # what follows is no reply
                span.end()
            return answer

        async def finish(span: Span, awaitable: Awaitable[Response]) -> Any:
            return see(span, await awaitable)

        async def coroutine(request: Request) -> Any:
            span = begin(request)
            return see(span, await call(request))  # type: ignore[misc]  # see TASK

        def plain(request: Request) -> Any:
            span = begin(request)
            answer = call(request)
            return (
                see(span, answer)
                if isinstance(answer, Response) or answer is ANSWERED
                else finish(span, answer)
            )

        return coroutine if run == TASK else plain

    def start(self, request: Request, began_ns: int) -> Any:
        """Return the span of a request."""
        trace = self._trace
        parent: Any = self._context.Context()
        if request.parent_id:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(self._remote(request)), parent)
        return self._tracer.start_span(
            method_of(request),
            context=parent,
            kind=trace.SpanKind.SERVER,
            attributes=attributes_of(request),
            start_time=began_ns,
        )

    def _remote(self, request: Request) -> Any:
        trace, state = self._trace, request.tracestate
        return trace.SpanContext(
            trace_id=int(request.trace_id, 16),
            span_id=int(request.parent_id, 16),
            is_remote=True,
            trace_flags=trace.TraceFlags(request.trace_flags),
            trace_state=trace.TraceState.from_header([state]) if state else trace.TraceState(),
        )

    def context_of(self, span: Any) -> Any:
        """Return the context in which a span is the current one."""
        return self._trace.set_span_in_context(span, self._context.Context())

    def fail(self, span: Any) -> None:
        """Set the status of a span that failed."""
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))

    def _ask(self) -> tuple[Ids, str] | None:
        said = self._trace.get_current_span().get_span_context()
        return read_context(said) if said.is_valid else None

    @contextmanager
    def _keep(self) -> Iterator[None]:
        """Have OpenTelemetry's context be the same after the block."""
        token = self._context.attach(self._context.get_current())
        try:
            yield
        finally:
            self._context.detach(token)


class Span:
    """The span of one request; also the `Ending` that ends it."""

    __slots__ = (
        "_began_ns",
        "_failure",
        "_is_over",
        "_request",
        "_span",
        "_spans",
        "context",
        "route",
        "status",
    )

    run = 0  # INLINE: it never waits

    def __init__(self, spans: Spans, request: Request, began_ns: int) -> None:
        self._spans = spans
        self._request: Any = request
        self._began_ns = began_ns
        self._span: Any = None
        self._is_over = False
        self._failure: BaseException | None = None
        self.context: Any = None
        """OpenTelemetry's, with this span."""
        self.route: str | None = None
        self.status = 0
        """Of the response; 0: there is none yet."""
        request.span = self

    def begin(self) -> None:
        """Start it, and have the request be it."""
        if self._span is not None:
            return
        request = self._request
        self._span = span = self._spans.start(request, self._began_ns)
        self.context = self._spans.context_of(span)
        said = span.get_span_context()
        if said.is_valid and (not request.parent_id or said.span_id != int(request.parent_id, 16)):
            ids, state = read_context(said)
            request.join_trace((*ids[:2], request.parent_id, ids[3]), state)

    def fail(self, error: BaseException) -> None:
        """An exception was answered that nobody expected. From any thread."""
        if error is self._failure or self._is_over or self._span is None or isinstance(error, HTTPError):
            return
        self._failure = error
        if self._span.is_recording():
            self._span.record_exception(error, attributes=redacted(error))

    def end(self) -> None:
        """The reply is over. Once is enough, and any thread will do."""
        if self._is_over or self._span is None:
            return
        self._is_over = True
        span, request = self._span, self._request
        if span.is_recording():
            self._describe(span, request, self.status)
        span.end()
        self._request = None  # else each keeps the other, and the collector of garbage has to find them

    def _describe(self, span: Any, request: Request, status: int) -> None:
        route = request.route or self.route
        if route:
            span.update_name(f"{method_of(request)} {route}")
            span.set_attribute("http.route", route)
        if status and status != LEFT:
            span.set_attribute("http.response.status_code", status)
        is_error = status >= 500 or self._failure is not None  # a stream may fail behind a 200
        if is_error:
            self._spans.fail(span)
        if is_error or status == LEFT:
            span.set_attribute("error.type", self._type_of_error(status))

    def _type_of_error(self, status: int) -> str:
        if self._failure is not None:
            kind = type(self._failure)
            return (
                kind.__qualname__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__qualname__}"
            )
        return str(status) if status >= 500 else "client_disconnected"

    # What an `Ending` is asked for.

    def close(self, error: BaseException | None) -> None:
        """End it; `error` is what cut the content short."""
        if error is not None:
            self.fail(error)
        self.end()

    async def aclose(self, error: BaseException | None) -> None:
        """The same."""
        self.close(error)


def read_context(said: Any) -> tuple[Ids, str]:
    """Return the ids a span has, without its parent, and its trace state."""
    ids = f"{said.trace_id:032x}", f"{said.span_id:016x}", "", int(said.trace_flags)
    return ids, said.trace_state.to_header() if said.trace_state else ""
