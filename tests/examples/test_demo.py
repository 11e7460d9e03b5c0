"""examples/demo.py: every route, with good input and bad."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

PROBLEM = "application/problem+json"
ADA = {"name": "Ada", "email": "ada@example.org"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One demo for the tests that leave nothing behind that another one sees."""
    from tests.e2e.serving import serving
    from tests.examples.conftest import Site

    folder = tmp_path_factory.mktemp("files")
    with serving("examples.demo:app", DEMO_FILES=str(folder)) as server:
        yield Site(server)


@pytest.fixture
def fresh(run_example):
    with run_example("demo") as site:
        yield site


# -------------------------------------------------------------------------------------------------------------- pages


def test_index_lists_every_route_there_is(site):
    reply = site.get("/")
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td>", reply.text)
    shown = {(re.sub("<.*?>", "", method), re.sub("<.*?>", "", path)) for method, path in rows}

    assert (reply.status, reply.media_type) == (200, "text/html; charset=utf-8")
    assert shown == {
        ("GET", "/"),
        ("GET", "/about"),
        ("GET", "/api/hello"),
        ("GET", "/echo/{text}"),
        ("GET", "/files/{path:path}"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/user-agent"),
        ("GET", "/users"),
        ("GET", "/users/{user_id}"),
        ("POST", "/files/{path:path}"),
        ("POST", "/users"),
        ("PUT", "/users/{user_id}"),
        ("DELETE", "/users/{user_id}"),
    }


def test_every_link_of_the_index_leads_somewhere(site):
    links = re.findall(r'<a href="(/[^"]*)"', site.get("/").text)

    statuses = {link: site.get(link).status for link in links if link != "/files/welcome.txt"}

    assert len(links) >= 9
    assert set(statuses.values()) == {200}


def test_index_shows_the_host_it_was_asked_for_and_nothing_else(site):
    assert "curl demo.example:81/api/hello" in site.get("/", host="demo.example:81").text


@pytest.mark.parametrize("path", ["/", "/about"])
def test_page_is_whole(site, path):
    text = site.get(path).text

    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert not re.search(r"\$[a-z]", text)
    assert "http://" not in text
    assert "https://" not in text  # nothing is loaded from elsewhere


def test_hello_is_json(site):
    reply = site.get("/api/hello")

    assert (reply.status, reply.media_type) == (200, "application/json")
    assert reply.json == {"message": "Hello, World!"}
    assert site.get("/api/hello?name=J%C3%BCrgen").json == {"message": "Hello, Jürgen!"}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/echo/hello", "hello"),
        ("/echo/a%20b", "a b"),
        ("/echo/a+b", "a+b"),
        ("/echo/%C3%BC", "ü"),
        ("/echo/a%2Fb", "a/b"),
        ("/echo/%3Cscript%3E", "<script>"),
    ],
)
def test_echo_gives_the_text_back_as_plain_text(site, target, text):
    reply = site.get(target)

    assert (reply.status, reply.media_type, reply.text) == (200, "text/plain; charset=utf-8", text)


@pytest.mark.parametrize(
    ("target", "status"), [("/echo/%FF", 400), ("/echo/%4", 400), ("/echo/", 404), ("/echo", 404)]
)
def test_echo_of_nothing_sensible(site, target, status):
    assert site.get(target).status == status


def test_user_agent_is_told_back(site):
    assert site.get("/user-agent", user_agent="tester/1.0").text == "tester/1.0"
    assert site.get("/user-agent").text == ""


def test_health(site):
    reply = site.get("/health").json

    at = datetime.fromisoformat(reply["timestamp"])
    assert set(reply) == {"status", "uptime_seconds", "timestamp"}
    assert reply["status"] == "ok"
    assert reply["timestamp"].endswith("Z")
    assert abs((datetime.now(UTC) - at).total_seconds()) < 10
    assert 0 < reply["uptime_seconds"] < 600


# ------------------------------------------------------------------------------------------------------------ methods


@pytest.mark.parametrize("path", ["/", "/about", "/api/hello", "/echo/x", "/user-agent", "/users"])
def test_head_has_the_fields_of_get_and_no_content(site, path):
    with_content, without = site.get(path, user_agent="t"), site.ask("HEAD", path, user_agent="t")

    assert (without.status, without.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert without.headers[name] == with_content.headers[name]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/users", "GET, HEAD, OPTIONS, POST"),
        ("/users/1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/files/a.txt", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_options_and_405_name_what_is_allowed(site, path, allowed):
    options, refused = site.ask("OPTIONS", path), site.ask("PATCH", path)

    assert (options.status, options.headers["allow"], options.content) == (204, allowed, b"")
    assert (refused.status, refused.headers["allow"], refused.media_type) == (405, allowed, PROBLEM)


def test_path_without_a_route_is_a_problem(site):
    reply = site.get("/nothing/here")

    assert (reply.status, reply.media_type) == (404, PROBLEM)
    assert reply.json == {"type": "about:blank", "title": "Not Found", "status": 404}


# -------------------------------------------------------------------------------------------------------------- users


def test_user_is_created_read_replaced_and_deleted(fresh):
    created = fresh.ask("POST", "/users", ADA)
    place = created.headers["location"]
    assert (created.status, place, created.json) == (201, "/users/1", {"id": 1} | ADA)

    assert fresh.get(place).json == {"id": 1} | ADA
    assert fresh.get("/users").json == [{"id": 1} | ADA]

    replaced = fresh.ask("PUT", place, ADA | {"name": "Ada Lovelace"})
    assert (replaced.status, replaced.json) == (200, {"id": 1} | ADA | {"name": "Ada Lovelace"})
    assert fresh.get(place).json["name"] == "Ada Lovelace"

    deleted = fresh.ask("DELETE", place)
    assert (deleted.status, deleted.content) == (204, b"")
    assert fresh.get("/users").json == []
    assert [fresh.ask(method, place, ADA).status for method in ("GET", "PUT", "DELETE")] == [404, 404, 404]
    assert fresh.ask("POST", "/users", ADA).headers["location"] == "/users/2"  # a number is never used again


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_user_that_is_not_there_is_a_problem(site, method):
    reply = site.ask(method, "/users/999", ADA if method == "PUT" else None)

    assert (reply.status, reply.media_type) == (404, PROBLEM)
    assert reply.json["detail"] == "there is no user 999"


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, [["body", "name"], ["body", "email"]]),
        ({"name": "Ada"}, [["body", "email"]]),
        ({"name": 1, "email": None}, [["body", "name"], ["body", "email"]]),
        ([], [["body"]]),
        (ADA | {"name": " "}, [["body", "name"]]),
        (ADA | {"name": " ", "email": "nobody"}, [["body", "name"], ["body", "email"]]),
    ],
)
def test_user_with_wrong_values_is_refused_with_every_fault(site, body, places):
    reply = site.ask("POST", "/users", body)

    assert (reply.status, reply.media_type) == (422, PROBLEM)
    assert [fault["loc"] for fault in reply.json["errors"]] == places


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"name=Ada", "application/x-www-form-urlencoded", 415),
    ],
)
def test_user_that_is_no_json_is_refused(site, body, media_type, status):
    reply = site.ask("POST", "/users", body, content_type=media_type)

    assert (reply.status, reply.media_type) == (status, PROBLEM)


def test_number_of_a_user_must_be_one(site):
    reply = site.get("/users/ada")

    assert reply.status == 422
    assert reply.json["errors"][0]["loc"] == ["path", "user_id"]


def test_users_created_at_once_all_get_a_number_of_their_own(fresh):
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: fresh.ask("POST", "/users", ADA), range(200)))

    assert sorted(reply.json["id"] for reply in replies) == list(range(1, 201))
    assert len(fresh.get("/users").json) == 200


# ------------------------------------------------------------------------------------------------------------ figures


def test_metrics_have_their_shape(fresh):
    reply = fresh.get("/metrics").json

    assert set(reply) == {
        "uptime_seconds",
        "requests_total",
        "requests_by_status",
        "requests_by_path",
        "thread_pool",
    }
    assert set(reply["thread_pool"]) == {"total_workers", "active_workers", "idle_workers", "queue_depth"}
    assert (reply["requests_total"], reply["requests_by_status"], reply["requests_by_path"]) == (0, {}, {})


def test_metrics_count_by_status_and_by_template_highest_first(fresh):
    for target in (
        "/echo/a",
        "/echo/b",
        "/echo/c",
        "/api/hello",
        "/api/hello",
        "/users/7",
        "/no/1",
        "/%2e/no/2",
    ):
        fresh.get(target)
    fresh.ask("POST", "/users", ADA)
    fresh.ask("POST", "/users", {})
    fresh.ask("PUT", "/api/hello")
    fresh.ask("HEAD", "/echo/d")
    for _ in range(3):
        fresh.get("/health")
        reply = fresh.get("/metrics").json

    assert reply["requests_total"] == 12
    assert reply["requests_by_status"] == {"200": 6, "201": 1, "404": 3, "405": 1, "422": 1}
    assert list(reply["requests_by_path"].items())[:2] == [("/echo/{text}", 4), ("(no route)", 3)]
    assert reply["requests_by_path"] == {
        "/echo/{text}": 4,
        "(no route)": 3,
        "/api/hello": 2,
        "/users": 2,
        "/users/{user_id}": 1,
    }
    counts = list(reply["requests_by_path"].values())
    assert counts == sorted(counts, reverse=True)


def test_metrics_are_exact_after_many_requests_at_once(fresh):
    targets = ["/api/hello", "/users", "/files/none", "/nowhere"] * 100

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(fresh.get, targets))
    reply = fresh.get("/metrics").json

    assert reply["requests_total"] == 400
    assert reply["requests_by_status"] == {"200": 200, "404": 200}
    assert reply["requests_by_path"] == {
        "/api/hello": 100,
        "/users": 100,
        "/files/{path:path}": 100,
        "(no route)": 100,
    }


def test_thread_pool_tells_its_threads(fresh):
    fresh.get("/users")
    deadline = time.monotonic() + 30
    while (pool := fresh.get("/metrics").json["thread_pool"])["active_workers"]:
        assert time.monotonic() < deadline

    assert pool == {"total_workers": 1, "active_workers": 0, "idle_workers": 1, "queue_depth": 0}
