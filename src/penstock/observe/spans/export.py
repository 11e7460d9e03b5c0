"""Where the spans of a server go: a tracer provider of the OpenTelemetry SDK, set up by its own variables.

`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and the others mean
what they mean everywhere. Each process makes its own, after the fork: a provider has a thread. An application
that has set a global provider is asked for no other.

Exporting is the SDK's: a thread with a bounded queue, which drops what it cannot send.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import ConfigError, MissingExtra
from penstock.http.trace import new_span_id, read_ids
from penstock.observe.release import get_release
from penstock.observe.spans.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP: Final = "opentelemetry_traces_exporter"
_PROTOCOLS: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_MISSING: Final = "otel needs an extra: pip install 'penstock[otel]'"


class SpanExport:
    """The spans of one process, on their way to a collector."""

    def __init__(self, service: str) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise MissingExtra(_MISSING) from None

        self._provider: Any = None
        """Ours to shut down; None: the application has its own."""
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            ids: Any = _Ids()
            self._provider = TracerProvider(
                resource=_make_resource(service), id_generator=ids, shutdown_on_exit=False
            )
            for exporter in _make_exporters():
                self._provider.add_span_processor(BatchSpanProcessor(exporter))
            trace.set_tracer_provider(self._provider)
        self.spans = Spans(self._provider or trace.get_tracer_provider())

    def stop(self, timeout_s: float) -> None:
        """Send what is left, for so long at most: a collector that does not answer keeps no server."""
        if self._provider is None:
            return
        thread = threading.Thread(target=self._provider.shutdown, name="penstock-spans", daemon=True)
        thread.start()
        thread.join(timeout_s)


def _make_resource(service: str) -> Any:
    from opentelemetry.sdk.resources import Resource

    told = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    attributes: dict[str, Any] = {"process.pid": os.getpid()}
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in told:
        attributes["service.name"] = service.partition(":")[0] or "penstock"
    if get_release() and "service.version=" not in told:
        attributes["service.version"] = get_release()
    return Resource.create(attributes)


class _Ids:
    """An `IdGenerator` of ids as those of requests: not by `random` itself, which applications seed."""

    def generate_trace_id(self) -> int:
        return int(read_ids(None)[0], 16)

    def generate_span_id(self) -> int:
        return int(new_span_id(), 16)

    def is_trace_id_random(self) -> bool:
        return True


def _make_exporters() -> Iterator[Any]:
    """Yield those that `OTEL_TRACES_EXPORTER` names."""
    from importlib.metadata import entry_points

    for word in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        name = word.strip() or "otlp"
        if name == "none":
            continue
        if name == "otlp":
            name = _otlp()
        found = list(entry_points(group=_GROUP, name=name))
        if not found and name in _PROTOCOLS.values():
            raise MissingExtra(
                _MISSING
                if name == "otlp_proto_http"
                else "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs a package: pip install "
                "opentelemetry-exporter-otlp-proto-grpc"
            )
        if not found:
            raise ConfigError(f"OTEL_TRACES_EXPORTER: {name[:80]!r} is no exporter that is installed")
        yield found[0].load()()


def _otlp() -> str:
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = os.environ.get(variable)
        if protocol:
            if protocol not in _PROTOCOLS:
                raise ConfigError(
                    f"{variable}: expected one of {', '.join(_PROTOCOLS)}, got {protocol[:80]!r}"
                )
            return _PROTOCOLS[protocol]
    return "otlp_proto_http"
