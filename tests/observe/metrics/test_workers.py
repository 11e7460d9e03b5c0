"""Real servers with several workers: each answers for all, and no count is lost with a process."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from penstock.observe.memory import measure_rss
from tests.e2e.serving import WAIT_S, receive, serving
from tests.e2e.workers import children, wait_until, workers, write

APPLICATION = """
import os, time
from penstock import App, Counter, Gauge, Histogram, metrics_endpoint

app = App()
orders = Counter("shop_orders", "Orders placed", ["kind"])
started = Counter("shop_started", "Times the module was read")
started.inc()
level = Gauge("shop_level", "A level")
highest = Gauge("shop_highest", "The highest of them", across="max")
work = Histogram("shop_work_seconds", "Work done", unit="seconds")

app.get("/metrics")(metrics_endpoint)

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/inline/{number}", run="inline")
def inline(number: int) -> str:
    orders.inc(kind="inline")
    return "done"

@app.get("/thread/{number}")
def thread(number: int) -> str:
    orders.inc(kind="thread")
    work.observe(0.001)
    return "done"

@app.get("/wait/{seconds:float}", cancel_on_disconnect=True)
async def wait(seconds: float) -> str:
    import asyncio
    await asyncio.sleep(seconds)
    return "done"

@app.get("/set/{value:int}", run="inline")
def set_level(value: int) -> str:
    level.set(value)
    highest.set(value)
    return str(os.getpid())

@app.get("/pool", run="process")
def pool() -> str:
    orders.inc(kind="process")
    return "done"
"""
OPENMETRICS = "Accept: application/openmetrics-text"


def exchange(client, path, *fields):
    """One request on a kept connection: the content of its reply."""
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *fields])
    client.sendall(f"{head}\r\n\r\n".encode())
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += _some(client)
    head, _, content = octets.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: ([0-9]+)", head)[1])
    while len(content) < length:
        content += _some(client)
    return content


def _some(client):
    data = client.recv(65_536)
    if not data:
        raise ConnectionError
    return data


def scrape(server):
    """All samples as whichever worker tells them: by name and labels."""
    content = receive(server.ask("/metrics", OPENMETRICS, "Connection: close")).partition(b"\r\n\r\n")[2]
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_openmetrics(content.decode())
        for sample in family.samples
    }


def total(samples, name, **labels):
    wanted = set(labels.items())
    return sum(value for (found, *pairs), value in samples.items() if found == name and wanted <= set(pairs))


class Clients:
    """Ask until told to stop, and count the replies they got whole; a lost connection is made anew."""

    def __init__(self, server, paths, count=4):
        self.whole = [0] * count
        self.asked = [0] * count
        self._port = server.port
        self._paths = paths
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def _ask(self, at):
        client = None
        while not self._is_over.is_set():
            try:
                if client is None:
                    client = socket.create_connection(("127.0.0.1", self._port), WAIT_S)
                self.asked[at] += 1
                exchange(client, self._paths[self.asked[at] % len(self._paths)])
                self.whole[at] += 1
            except OSError:
                if client is not None:
                    client.close()
                client = None
        if client is not None:
            client.close()


def ask_each(server, count, path="/pid"):
    """Have each of `count` workers answer; by pid the connections, which stay open."""
    found, extra = {}, []
    end = time.monotonic() + WAIT_S
    try:
        while len(found) < count:
            assert time.monotonic() < end, "not every worker was reached"
            client = server.connect()
            extra.append(client)
            found.setdefault(int(exchange(client, path)), client)
    finally:
        for client in extra:
            if client not in found.values():
                client.close()
    return found


def test_any_worker_answers_for_all(tmp_path):
    with workers(tmp_path, count=3, text=APPLICATION) as server:
        clients = ask_each(server, 3)
        for number, client in enumerate(clients.values(), 1):
            for _ in range(number):
                exchange(client, "/inline/1")
                exchange(client, "/thread/1")
        told = []
        for client in clients.values():
            content = exchange(client, "/metrics", OPENMETRICS).decode()
            told.append(
                {
                    s.name: s.value
                    for f in parse_openmetrics(content)
                    for s in f.samples
                    if s.name == "shop_work_seconds_count"
                }
                | {
                    s.labels["kind"]: s.value
                    for f in parse_openmetrics(content)
                    for s in f.samples
                    if s.name == "shop_orders_total"
                }
                | {
                    s.labels["route"]: s.value
                    for f in parse_openmetrics(content)
                    for s in f.samples
                    if s.name == "http_requests_total" and s.labels["route"].startswith("/inline")
                }
            )
            client.close()

    assert told == [{"shop_work_seconds_count": 6, "inline": 6, "thread": 6, "/inline/{number}": 6}] * 3


def kill_one(server, load):
    """Kill a worker in the midst of it, and wait for its successor."""
    before = sum(load.whole)
    wait_until(lambda: sum(load.whole) > before + 100, "the clients are served")
    killed = min(children(server))
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in children(server), "it is buried")
    wait_until(lambda: len(children(server)) == 2, "it is replaced")


def test_a_worker_killed_under_load_loses_no_counts(tmp_path):
    with workers(tmp_path, count=2, text=APPLICATION) as server:
        with Clients(server, ["/inline/1"], 3) as inline, Clients(server, ["/thread/1"], 3) as threads:
            kill_one(server, inline)
            kill_one(server, threads)
            kill_one(server, inline)
        found = scrape(server)

    lost = found["penstock_requests_lost_total",]
    for kind, load in (("inline", inline), ("thread", threads)):
        recorded = total(found, "http_requests_total", route=f"/{kind}/{{number}}", status="200")
        assert recorded + lost >= sum(load.whole)
        assert recorded <= sum(load.asked)
        assert sum(load.whole) <= found["shop_orders_total", ("kind", kind)] <= sum(load.asked)
    assert total(found, "http_requests_total", status="200") + lost >= sum(inline.whole) + sum(threads.whole)
    assert found["penstock_worker_restarts_total",] == 3
    assert lost <= 3 * 6  # what was in flight


def test_a_reload_keeps_counts_and_loses_no_request(tmp_path):
    with workers(tmp_path, count=2, text=APPLICATION) as server:
        old = children(server)
        with Clients(server, ["/inline/1", "/thread/1"]) as load:
            wait_until(lambda: sum(load.whole) > 50, "the clients are served")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not old & children(server), "all are replaced")
        found = scrape(server)

    assert total(found, "http_requests_total", status="200") >= sum(load.whole)
    assert found["penstock_requests_lost_total",] == 0
    assert found["penstock_worker_restarts_total",] == 0
    assert found["shop_started_total",] == 4


def test_gauges_of_the_dead_are_gone_and_others_are_joined(tmp_path):
    with workers(tmp_path, count=2, text=APPLICATION) as server:
        clients = ask_each(server, 2)
        values = dict(zip(clients, (3, 5), strict=True))
        for pid, client in clients.items():
            exchange(client, f"/set/{values[pid]}")
        both = scrape(server)
        gone = max(values, key=values.get)
        os.kill(gone, signal.SIGKILL)
        for client in clients.values():
            client.close()
        wait_until(lambda: gone not in children(server), "it is buried")
        wait_until(lambda: len(children(server)) == 2, "it is replaced")
        one = scrape(server)

    assert (both["shop_level",], both["shop_highest",]) == (8.0, 5.0)
    assert (one["shop_level",], one["shop_highest",]) == (3.0, 3.0)


def test_what_a_preloaded_application_counted_before_the_fork_counts_once(tmp_path):
    with workers(tmp_path, "--preload", count=3, text=APPLICATION) as server:
        with Clients(server, ["/inline/1"]) as load:
            wait_until(lambda: sum(load.whole) > 20, "the clients are served")
        found = scrape(server)

    assert found["shop_started_total",] == 1
    assert found["shop_orders_total", ("kind", "inline")] == sum(load.whole)


def test_one_process_keeps_what_was_counted_as_it_started(tmp_path):
    write(tmp_path, APPLICATION)
    with serving("shop:app", "--no-access-log", cwd=tmp_path) as server:
        receive(server.ask("/pool", "Connection: close"))
        found = scrape(server)

    assert found["shop_started_total",] == 1
    assert ("shop_orders_total", ("kind", "process")) not in found  # see `registry`


def test_raw_paths_and_unknown_methods_are_no_labels(tmp_path):
    write(tmp_path, APPLICATION)
    with serving("shop:app", "--no-access-log", cwd=tmp_path) as server:
        client = server.connect()
        before = rss(server)
        for start in range(0, 10_000, 100):  # pipelined
            paths = [f"/inline/{number}" for number in range(start, start + 50)]
            paths += [f"/absent/{number}" for number in range(start, start + 50)]
            client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for path in paths))
            received = b""
            while received.count(b"HTTP/1.1 ") < 100 or not received.endswith((b"}", b"done")):
                received += _some(client)
        client.close()
        for method in ("PROPFIND", "BREW", "X" * 20):
            client = server.connect()
            client.sendall(f"{method} / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
            receive(client)
        found = scrape(server)
        grown = rss(server) - before

    routes = {dict(pairs)["route"] for (name, *pairs) in found if name == "http_requests_total"}
    methods = {dict(pairs)["method"] for (name, *pairs) in found if name == "http_requests_total"}
    assert routes == {"/inline/{number}", ""}
    assert methods <= {"GET", "other"}
    assert total(found, "http_requests_total", route="/inline/{number}") == 5000
    assert found["penstock_parse_errors_total", ("kind", "unknown_method")] == 3
    assert grown < 5_000_000


def rss(server):
    return measure_rss(server.process.pid)


def ask_admin(path, accept):
    """Head and content of what the admin endpoint says of the metrics."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        client.sendall(
            f"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAccept: {accept}\r\n\r\n".encode()
        )
        octets = b""
        while data := client.recv(65_536):
            octets += data
    head, _, content = octets.decode().partition("\r\n\r\n")
    return head.lower(), content


def test_figures_of_the_server_are_told(tmp_path):
    path = tmp_path / "admin.sock"
    with workers(tmp_path, "--admin", f"unix:{path}", count=2, text=APPLICATION) as server:
        waiting = [server.ask("/wait/60") for _ in range(3)]
        wait_until(
            lambda: total(scrape(server), "http_requests_in_flight") >= 3,
            "the gauges of all workers are told",
        )
        found = scrape(server)
        head, content = ask_admin(path, "application/openmetrics-text;version=1.0.0,*/*;q=0.1")
        json_head, json_content = ask_admin(path, "*/*")
        for client in waiting:
            client.close()

    assert "application/openmetrics-text" in head and "application/json" in json_head
    told = {family.name for family in parse_openmetrics(content)}
    assert told >= {"http_requests", "http_requests_in_flight", "penstock_gc_pause_seconds", "shop_level"}
    assert '"shop_level":[{"value":0}]' in json_content
    assert total(found, "penstock_connections") >= 3
    assert found["penstock_connections_accepted_total",] >= 4
    assert total(found, "penstock_thread_pool_threads") >= 1
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"):
        assert {key[1] for key in found if key[0] == name} == {("worker", "1"), ("worker", "2")}, name
    assert total(found, "penstock_build_info") == 1


def test_without_metrics_an_application_tells_its_own(tmp_path):
    with workers(tmp_path, "--no-metrics", count=2, text=APPLICATION) as server:
        clients = ask_each(server, 2)
        for client in clients.values():
            exchange(client, "/inline/1")
            client.close()
        found = scrape(server)

    assert found["shop_orders_total", ("kind", "inline")] == 2
    assert not [key for key in found if key[0] == "http_requests_total"]
