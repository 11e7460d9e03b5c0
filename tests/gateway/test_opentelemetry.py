"""Spans, from requests over sockets to a collector that takes them over HTTP and reads their protobuf."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from http.client import HTTPException

import pytest

from penstock import App, OpenTelemetry, Request, StreamResponse, TestClient
from penstock.errors import ConfigError
from tests.e2e.serving import environment, serving
from tests.gateway.foreign import serving as foreign
from tests.server.harness import request as octets_of
from tests.server.harness import serve, wait_until

pytestmark = pytest.mark.need_package(
    "opentelemetry.sdk.trace", "opentelemetry.proto", "opentelemetry.exporter.otlp.proto.http"
)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
FIELDS = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "tracestate": "a=1", "user-agent": "tests/1"}
SERVER, INTERNAL, ERROR, WAIT_S = 2, 1, 2, 20.0


class Collector:
    """An OTLP receiver, and what it was sent."""

    def __init__(self):
        self.app = App()
        self.app.post("/v1/traces", run="inline")(self.take)
        self.exports = []
        self.errors = []

    def take(self, request: Request) -> bytes:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        try:
            assert request.headers["content-type"] == "application/x-protobuf"
            is_coded = request.headers.get("content-encoding") == "gzip"
            body = gzip.decompress(request.body) if is_coded else request.body
            self.exports.append(ExportTraceServiceRequest.FromString(body))
        except Exception as error:  # for the test to see
            self.errors.append(error)
        return b""

    @property
    def spans(self):
        return [
            Told(span, resource)
            for export in list(self.exports)
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def of_trace(self, trace_id, count):
        """The spans of one trace, once there are so many."""
        wait_until(lambda: len([s for s in self.spans if s.trace_id == trace_id]) >= count, f"{count} spans")
        assert not self.errors
        return [span for span in self.spans if span.trace_id == trace_id]


class Told:
    """A span as it came."""

    def __init__(self, span, resource):
        self.name, self.kind, self.status = span.name, span.kind, span.status.code
        self.trace_id, self.span_id = span.trace_id.hex(), span.span_id.hex()
        self.parent_id, self.state = span.parent_span_id.hex(), span.trace_state
        self.attributes = values_of(span.attributes)
        self.resource = values_of(resource.resource.attributes)
        self.events = [(event.name, values_of(event.attributes)) for event in span.events]
        self.began_ns, self.ended_ns = span.start_time_unix_nano, span.end_time_unix_nano


def values_of(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    with serve(collector.app) as running:
        collector.url = running.urls[0]
        yield collector


def variables(url):
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_SERVICE_NAME": "shop",
        "PYTHONWARNINGS": "default",
    }


@pytest.fixture(scope="module")
def server(collector):
    words = ("--otel", "--workers", "2", "--processes", "1", "--release", "r7")
    with serving("tests.apps.spans:app", *words, may_fail=True, **variables(collector.url)) as running:
        yield running


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def hosting(request, collector):
    application = f"tests.apps.spans:{request.param}"
    words = ("--otel", "--interface", request.param)
    with serving(application, *words, may_fail=True, **variables(collector.url)) as running:
        yield running


def fetch(server, path, content=None, **fields):
    url = getattr(server, "url", server)
    asked = urllib.request.Request(url + path, content, {**FIELDS, **fields})
    try:
        with urllib.request.urlopen(asked, timeout=WAIT_S) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def in_trace(number):
    """Fields of a trace of its own, and its id."""
    trace_id = f"{number:032x}"
    return trace_id, {"traceparent": f"00-{trace_id}-{PARENT_ID}-01"}


def only(spans, kind):
    found = [span for span in spans if span.kind == kind]
    assert len(found) == 1, [(span.name, span.kind) for span in spans]
    return found[0]


@pytest.mark.parametrize("place", ["inline", "thread", "task", "late", "to-thread"])
def test_a_request_is_a_span_and_those_of_its_handler_are_its_children(collector, server, place):
    trace_id, fields = in_trace(1 + sum(map(ord, place)) * 100_000_000)
    status, content = fetch(server, f"/{place}/7?token=secret&page=2", **fields)

    spans = collector.of_trace(trace_id, 2)
    span, inner = only(spans, SERVER), only(spans, INTERNAL)
    assert status == 200
    assert (span.name, span.parent_id, span.state, span.status) == (
        f"GET /{place}/{{n}}",
        PARENT_ID,
        "a=1",
        0,
    )
    assert inner.parent_id == span.span_id
    assert json.loads(content)["traceparent"] == f"00-{trace_id}-{inner.span_id}-01"
    assert json.loads(content)["tracestate"] == "a=1"
    host, port = server.url.removeprefix("http://").split(":")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": f"/{place}/{{n}}",
        "url.scheme": "http",
        "url.path": f"/{place}/7",
        "url.query": "token=[redacted]&page=2",
        "server.address": host,
        "server.port": int(port),
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "tests/1",
    }
    assert span.began_ns <= inner.began_ns <= inner.ended_ns <= span.ended_ns
    assert (span.resource["service.name"], span.resource["service.version"]) == ("shop", "r7")


def test_the_ids_are_those_the_application_and_the_log_tell(collector, server):
    told = json.loads(fetch(server, "/plain", traceparent="")[1])

    span = only(collector.of_trace(told["trace_id"], 1), SERVER)
    assert (span.span_id, span.parent_id) == (told["span_id"], "")
    assert told["traceparent"][:53] == f"00-{told['trace_id']}-{told['span_id']}-"
    failed = json.loads(fetch(server, "/fails", traceparent="")[1])
    collector.of_trace(failed["trace_id"], 1)
    server.wait_for_log(failed["trace_id"])


def test_an_exception_is_recorded_without_its_secrets(collector, server):
    trace_id, fields = in_trace(100)
    status, _ = fetch(server, "/fails", **fields)

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert (status, span.status) == (500, ERROR)
    assert span.attributes["error.type"] == "RuntimeError"
    assert span.attributes["http.response.status_code"] == 500
    ((name, event),) = span.events
    assert (name, event["exception.type"]) == ("exception", "RuntimeError")
    assert "no access with" in event["exception.message"]
    assert "in fails" in event["exception.stacktrace"]
    assert "hunter2" not in str(span.events)


@pytest.mark.parametrize(
    ("path", "status", "is_error"),
    [("/refuses", 503, True), ("/missing", 404, False), ("/nowhere", 404, False)],
)
def test_only_the_servers_own_errors_are_errors(collector, server, path, status, is_error):
    trace_id, fields = in_trace(50_000 + sum(map(ord, path)))
    assert fetch(server, path, **fields)[0] == status

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert span.status == (ERROR if is_error else 0)
    assert span.attributes.get("error.type") == (str(status) if is_error else None)
    assert span.events == []
    assert span.name == ("GET" if path == "/nowhere" else f"GET {path}")


def test_a_stream_is_over_when_its_last_piece_is(collector, server):
    trace_id, fields = in_trace(300)
    told = json.loads(fetch(server, "/stream/1", **fields)[1])

    spans = collector.of_trace(trace_id, 2)
    span, last = only(spans, SERVER), only(spans, INTERNAL)
    assert told["traceparent"] == f"00-{trace_id}-{span.span_id}-01"
    assert last.parent_id == span.span_id
    assert span.ended_ns >= last.ended_ns
    assert span.ended_ns - span.began_ns >= 40_000_000


def test_a_stream_that_breaks_is_an_error(collector, server):
    trace_id, fields = in_trace(305)
    with pytest.raises((OSError, HTTPException)):  # a reset, or an end before the last chunk
        fetch(server, "/breaks", **fields)

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert (span.status, span.attributes["error.type"]) == (ERROR, "RuntimeError")
    assert span.attributes["http.response.status_code"] == 200
    assert [name for name, _ in span.events] == ["exception"]


def test_a_handler_past_its_deadline_is_an_error(collector, server):
    trace_id, fields = in_trace(306)
    assert fetch(server, "/overdue", **fields)[0] == 504

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert (span.status, span.attributes["error.type"]) == (ERROR, "504")


def test_what_runs_behind_the_reply_is_a_child_too(collector, server):
    trace_id, fields = in_trace(310)
    fetch(server, "/background/1", **fields)

    spans = collector.of_trace(trace_id, 3)
    assert {span.parent_id for span in spans if span.kind == INTERNAL} == {only(spans, SERVER).span_id}
    assert {span.name for span in spans if span.kind == INTERNAL} == {"work", "behind"}


def test_a_process_of_the_pool_tells_the_span_as_parent(collector, server):
    trace_id, fields = in_trace(320)
    told = json.loads(fetch(server, "/process", **fields)[1])

    assert told["traceparent"] == f"00-{trace_id}-{only(collector.of_trace(trace_id, 1), SERVER).span_id}-01"


def test_a_conversation_has_the_span_of_its_handshake(collector, server, need_package):
    connect = need_package("websockets.sync.client").connect
    trace_id, fields = in_trace(330)
    with connect(server.url.replace("http", "ws") + "/socket", additional_headers=fields) as peer:
        told = json.loads(peer.recv(WAIT_S))

    spans = collector.of_trace(trace_id, 2)
    span, inner = only(spans, SERVER), only(spans, INTERNAL)
    assert span.attributes["http.response.status_code"] == 101
    assert inner.parent_id == span.span_id
    assert told["traceparent"].split("-")[2] == inner.span_id


@pytest.mark.parametrize(
    ("method", "told", "name"),
    [("PUT", "PUT", "PUT"), ("QUERY", "QUERY", "QUERY"), ("PURGE", "_OTHER", "HTTP")],
)
def test_a_method_nobody_knows_is_other(memory, method, told, name):
    provider, finished = memory
    app = App(hooks=[OpenTelemetry(provider)])
    app.route("/", methods=["PUT", "PURGE", "QUERY"])(lambda: "x")
    with serve(app) as running, running.connect(octets_of("/", method)) as client:
        assert client.take().status == 200
        wait_until(finished)

    (span,) = finished()
    assert span.name == f"{name} /"
    assert span.attributes["http.request.method"] == told
    assert span.attributes.get("http.request.method_original") == (method if told == "_OTHER" else None)


def test_a_client_that_leaves_is_no_error_of_the_server(collector, server):
    trace_id, fields = in_trace(350)
    octets = octets_of("/body", "POST", f"traceparent: {fields['traceparent']}", body=b"ab")[:-1]
    with server.connect() as client:
        client.sendall(octets)
        client.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: it leaves with a reset

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert span.status == 0
    assert span.name == "POST /body"


def test_a_trace_that_is_not_sampled_is_not_exported_and_goes_on_so(collector, server):
    trace_id = f"{360:032x}"
    told = json.loads(fetch(server, "/task/1", traceparent=f"00-{trace_id}-{PARENT_ID}-00")[1])
    after, fields = in_trace(361)
    fetch(server, "/task/1", **fields)

    collector.of_trace(after, 2)
    assert told["traceparent"].startswith(f"00-{trace_id}-")
    assert told["traceparent"].endswith("-00")
    assert trace_id not in {span.trace_id for span in collector.spans}


def test_workers_export_each_their_own_and_no_span_is_lost_or_sent_twice(collector, server):
    def ask(numbers):
        for number in numbers:
            fetch(server, "/plain", **in_trace(number)[1])

    threads = [
        threading.Thread(target=ask, args=(range(first, first + 25),)) for first in (1000, 2000, 3000, 4000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {f"{first + number:032x}" for first in (1000, 2000, 3000, 4000) for number in range(25)}

    wait_until(lambda: wanted <= {span.trace_id for span in collector.spans})
    counts = Counter(span.trace_id for span in collector.spans)
    assert {counts[trace_id] for trace_id in wanted} == {1}
    pids = {span.resource["process.pid"] for span in collector.spans if span.trace_id in wanted}
    assert server.process.pid not in pids


def test_hosted_applications_have_spans_and_their_own_are_children(collector, hosting):
    trace_id, fields = in_trace(10_000 + hosting.port)
    told = json.loads(fetch(hosting, "/x?password=p", **fields)[1])

    spans = collector.of_trace(trace_id, 2)
    span, inner = only(spans, SERVER), only(spans, INTERNAL)
    assert (span.name, span.parent_id) == ("GET", PARENT_ID)
    assert span.attributes["url.query"] == "password=[redacted]"
    assert "http.route" not in span.attributes
    assert inner.parent_id == span.span_id
    assert told["traceparent"] == f"00-{trace_id}-{inner.span_id}-01"


def test_what_a_hosted_application_raises_is_recorded(collector, hosting):
    trace_id, fields = in_trace(100_000 + hosting.port)
    assert fetch(hosting, "/fails", **fields)[0] == 500

    span = only(collector.of_trace(trace_id, 1), SERVER)
    assert (span.status, span.attributes["error.type"]) == (ERROR, "RuntimeError")
    assert [name for name, _ in span.events] == ["exception"]


def test_the_last_spans_are_sent_before_a_server_ends(collector):
    settings = {**variables(collector.url), "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    traces = [in_trace(7000 + number) for number in range(20)]
    with serving("tests.apps.spans:app", "--otel", **settings) as server:
        for _, fields in traces:
            fetch(server, "/plain", **fields)
        assert not {trace_id for trace_id, _ in traces} & {span.trace_id for span in collector.spans}

    assert {trace_id for trace_id, _ in traces} <= {span.trace_id for span in collector.spans}


def test_a_collector_that_does_not_answer_costs_no_request_and_no_stop():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with serving("tests.apps.spans:app", "--otel", may_fail=True, **variables(url)) as server:
            for _ in range(30):
                assert fetch(server, "/plain")[0] == 200
            # And it ends in time: `serving` sees to that.


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "OTEL_TRACES_EXPORTER",
            "nonsense",
            "OTEL_TRACES_EXPORTER: 'nonsense' is no exporter that is installed",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "smoke",
            "OTEL_EXPORTER_OTLP_PROTOCOL: expected one of http/protobuf",
        ),
    ],
)
def test_a_mistake_in_the_variables_is_told(monkeypatch, name, value, message):
    from penstock.observe.spans.export import SpanExport

    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=message):
        SpanExport("shop")


def test_no_exporter_is_one_as_well(monkeypatch):
    from penstock.observe.spans import export as span_export

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")

    assert list(span_export._make_exporters()) == []


def test_without_the_sdk_the_extra_is_named(tmp_path):
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('it is not installed')")
    (tmp_path / "plain.py").write_text("from penstock import App\napp = App()\n")
    variables = environment()
    variables["PYTHONPATH"] = f"{tmp_path}:{variables['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", "plain:app", "--otel", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "pip install 'penstock[otel]'" in done.stderr.splitlines()[-1]


# The hook, with a provider of one's own.


@pytest.fixture
def memory():
    """A provider, and what it was given."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter.get_finished_spans


def make_app(provider):
    app = App(hooks=[OpenTelemetry(provider)])
    tracer = provider.get_tracer("shop")

    def work():
        with tracer.start_as_current_span("work"):
            return "x"

    app.get("/thread")(work)
    app.get("/inline", run="inline")(work)

    @app.get("/task")
    async def task() -> str:
        return work()

    @app.get("/stream")
    async def stream() -> StreamResponse:
        async def pieces():
            yield "x"
            work()

        return StreamResponse(pieces())

    def mounted(environ, start_response):
        start_response("200 OK", [])
        return [work().encode()]

    app.mount("/mounted", mounted)
    return app


@pytest.mark.parametrize("path", ["/thread", "/inline", "/task", "/stream", "/mounted/x"])
@pytest.mark.parametrize("host", ["penstock", "test client"])
def test_the_hook_makes_spans_by_the_provider_it_is_given(memory, path, host):
    provider, finished = memory
    app = make_app(provider)
    if host == "penstock":
        with serve(app) as running:
            assert running.ask(path).status == 200
            wait_until(lambda: len(finished()) == 2)
    else:
        with TestClient(app) as client:
            assert client.get(path).status == 200
        wait_until(lambda: len(finished()) == 2)

    inner, span = sorted(finished(), key=lambda span: span.kind.value)
    assert inner.parent.span_id == span.context.span_id
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["url.path"] == path


def test_the_hook_leaves_nothing_behind_in_the_context_of_a_caller(memory):
    from opentelemetry import trace

    provider, finished = memory
    app = make_app(provider)
    with TestClient(app) as client:
        client.get("/inline")

    assert not trace.get_current_span().get_span_context().is_valid
    assert len(finished()) == 2


def test_a_foreign_server_has_spans_by_the_hook(collector, need_package):
    need_package("uvicorn")
    with foreign("uvicorn", "tests.apps.spans_hook:app", **variables(collector.url)) as port:
        trace_id, fields = in_trace(20_000)
        fetch(f"http://127.0.0.1:{port}", "/task", **fields)
        spans = collector.of_trace(trace_id, 2)

    assert only(spans, INTERNAL).parent_id == only(spans, SERVER).span_id
