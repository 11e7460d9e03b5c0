"""What the parts of the framework count, seen through an application's own endpoint."""

from penstock import App, Cache, MemoryStore, RateLimit, ResponseCache, TestClient, metrics_endpoint
from penstock.observe.metrics.gather import gather


def grown(name, *labels):
    """A function that returns by how much a counter has grown since now."""
    before = gather().value(name, *labels)
    return lambda: gather().value(name, *labels) - before


def test_look_ups_in_a_cache_of_values_are_counted():
    cache = Cache(MemoryStore())
    hits, misses = (grown("penstock_cache_lookups", "values", outcome) for outcome in ("hit", "miss"))

    cache.get("a")
    cache.remember("a", 60, lambda: 1)
    cache.remember("a", 60, lambda: 2)
    cache.get("a")

    assert (hits(), misses()) == (2, 2)


def test_look_ups_in_a_cache_of_responses_are_counted():
    app = App(hooks=[ResponseCache(MemoryStore(), ttl_s=60)])

    @app.get("/")
    def home() -> str:
        return "served"

    hits, misses = (grown("penstock_cache_lookups", "responses", outcome) for outcome in ("hit", "miss"))
    with TestClient(app) as client:
        for _ in range(3):
            assert client.get("/").status == 200

    assert (hits(), misses()) == (2, 1)


def test_replies_that_are_kept_are_counted():
    app = App()

    @app.get("/", cached=60)
    def home() -> str:
        return "served"

    hits, misses = (grown("penstock_cache_lookups", "replies", outcome) for outcome in ("hit", "miss"))
    with TestClient(app) as client:
        for _ in range(3):
            assert client.get("/").status == 200

    assert (hits(), misses()) == (2, 1)


def test_what_a_rate_limit_refuses_is_counted_by_its_name():
    app = App(hooks=[RateLimit("2/minute", name="tests/metrics")])

    @app.get("/")
    def home() -> str:
        return "served"

    refused = grown("penstock_rate_limit_refusals", "tests/metrics")
    with TestClient(app) as client:
        statuses = [client.get("/").status for _ in range(5)]

    assert statuses == [200, 200, 429, 429, 429]
    assert refused() == 3


def test_an_application_under_any_server_tells_the_metrics_of_its_process():
    app = App()
    app.get("/metrics")(metrics_endpoint)

    with TestClient(app) as client:
        plain = client.get("/metrics")
        text = client.get("/metrics", headers={"Accept": "text/plain"})
        opened = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.json()["status"] == "ok" and plain.json()["metrics"]["penstock_worker_restarts"] == [
        {"value": 0}
    ]
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert opened.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert opened.text.endswith("# EOF\n")
    assert [reply.headers["cache-control"] for reply in (plain, text, opened)] == ["no-store"] * 3
    assert [reply.headers["vary"] for reply in (plain, text, opened)] == ["Accept"] * 3
