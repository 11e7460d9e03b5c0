"""`OpenTelemetry`: spans of requests by a tracer provider of the application's own choice.

For an App under another server, in tests, or with a provider made by code. Under `penstock run --otel` the
server makes the spans, and this one leaves it to it. The span begins when the handler is called, and is over
when the reply is; what the server answers by itself has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.observe.spans.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request

    Resolve = Callable[[Request], Endpoint]


class OpenTelemetry:
    """A hook of the outermost application that makes a span of each request. `tracer_provider`: by default
    the global one. MissingExtra without the package `opentelemetry-api`.
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        self._spans = Spans(tracer_provider)

    def resolving(self, resolve: Resolve, make_endpoint: object) -> Resolve:  # noqa: ARG002 - none is needed
        """Put the spans round whatever answers."""
        return self._spans.put_round(resolve, lingers=True)
