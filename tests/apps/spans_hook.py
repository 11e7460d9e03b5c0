"""An application that makes its own provider, as one does under a server that makes none."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from penstock import App, OpenTelemetry

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("shop")
app = App(hooks=[OpenTelemetry(provider)])


@app.get("/task")
async def task() -> str:
    with tracer.start_as_current_span("work"):
        return "x"
