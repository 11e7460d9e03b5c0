"""The subclasses of HTTPError, and the exception handlers of routers."""

from __future__ import annotations

import pickle

import pytest

import penstock
from penstock import App, Conflict, HTTPError, NotFound, Request, Router, TestClient, ValidationError
from penstock.errors import status_errors
from tests.app.driver import content, get, send


class OutOfStock(Conflict):
    type = "/problems/out-of-stock"
    title = "Out of stock"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("BadRequest", 400),
        ("Unauthorized", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("NotAcceptable", 406),
        ("Conflict", 409),
        ("Gone", 410),
        ("PreconditionFailed", 412),
        ("ContentTooLarge", 413),
        ("UnsupportedMediaType", 415),
        ("TooManyRequests", 429),
        ("ServiceUnavailable", 503),
    ],
)
def test_a_class_stands_for_a_status(name, status):
    app = App()

    @app.get("/")
    def handler() -> None:
        raise getattr(penstock, name)("why", headers={"X-More": "1"}, more=2)

    reply = get(app, "/")

    assert reply.status == status
    assert reply.headers["x-more"] == "1"
    assert content(reply)["detail"] == "why"
    assert content(reply)["more"] == 2


def test_every_class_is_public_and_has_a_status_of_its_own():
    kinds = status_errors()

    assert len({kind.status for kind in kinds}) == len(kinds) == 13
    assert all(getattr(penstock, kind.__name__) is kind for kind in kinds)


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (penstock.Unauthorized(), "www-authenticate", "Bearer"),
        (penstock.Unauthorized(challenge='Basic realm="x"'), "www-authenticate", 'Basic realm="x"'),
        (penstock.MethodNotAllowed(allow=["GET", "HEAD"]), "allow", "GET, HEAD"),
        (penstock.TooManyRequests(retry_after_s=1.2, headers=[("X", "y")]), "retry-after", "2"),
        (penstock.TooManyRequests(retry_after_s=30), "retry-after", "30"),
        (penstock.ServiceUnavailable(retry_after_s=0), "retry-after", "0"),
        (penstock.ServiceUnavailable(retry_after_s=-3), "retry-after", "0"),
    ],
)
def test_what_a_status_demands_is_said_in_a_field(error, name, value):
    app = App()

    @app.get("/")
    def handler() -> None:
        raise error

    assert get(app, "/").headers[name] == value


def test_a_class_has_a_type_and_a_title_for_all_its_occurrences():
    app = App()

    @app.get("/")
    def handler() -> None:
        raise OutOfStock("none left", item="pump")

    assert content(get(app, "/")) == {
        "type": "/problems/out-of-stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "none left",
        "item": "pump",
    }
    assert OutOfStock(type="/other").type == "/other"


@pytest.mark.parametrize(
    "error",
    [
        OutOfStock("x", headers={"A": "b"}, item=7),
        NotFound(),
        HTTPError(418, "x", title="t"),
        ValidationError([{"loc": ["query", "a"]}]),
        penstock.Unauthorized("who", challenge="Basic"),
    ],
)
def test_an_error_comes_back_from_another_process_as_it_was(error):
    other = pickle.loads(pickle.dumps(error))

    assert type(other) is type(error)
    assert other.__dict__ == error.__dict__
    assert str(other) == str(error)


def test_the_handler_of_a_class_takes_that_status_whatever_raised_it():
    app = App()

    @app.exception_handler(NotFound)
    def handler(request: Request, error: HTTPError) -> str:
        return f"no {request.path}"

    assert get(app, "/nowhere").body == b"no /nowhere"
    assert get(app, "/nowhere").status == 404


def test_the_nearest_of_status_and_classes_counts():
    app = App()
    app.exception_handler(HTTPError)(lambda request, error: "any")
    app.exception_handler(Conflict)(lambda request, error: "conflict")

    @app.get("/{kind}")
    def handler(kind: str) -> None:
        raise {"out": OutOfStock(), "plain": HTTPError(409), "gone": penstock.Gone()}[kind]

    assert [get(app, f"/{kind}").body for kind in ("out", "plain", "gone")] == [
        b"conflict",
        b"conflict",
        b"any",
    ]
    app = App()
    app.exception_handler(Conflict)(lambda request, error: "class")
    app.exception_handler(409)(lambda request, error: "status")
    app.get("/raise")(raise_out_of_stock)
    assert get(app, "/raise").body == b"status"


def raise_out_of_stock() -> None:
    raise OutOfStock


def test_the_exception_handlers_of_a_router_are_for_its_routes_alone():
    app, outer, inner = App(), Router("/outer"), Router("/inner")
    for router, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        router.get("/value")(raise_value_error)
        router.get("/key")(raise_key_error)
        router.exception_handler(ValueError, status=409)(lambda request, error, name=name: name)
    outer.exception_handler(LookupError, status=410)(lambda request, error: "outer lookup")
    outer.exception_handler(404)(lambda request, error: "outer 404")
    outer.include(inner)
    app.include(outer)

    replies = [
        get(app, path) for path in ("/value", "/outer/value", "/outer/inner/value", "/outer/inner/key")
    ]

    assert [(reply.status, reply.body) for reply in replies] == [
        (409, b"app"),
        (409, b"outer"),
        (409, b"inner"),
        (410, b"outer lookup"),
    ]
    assert get(app, "/outer/nowhere").media_type == "application/problem+json"


def raise_value_error() -> None:
    raise ValueError("secret")


def raise_key_error() -> None:
    raise KeyError("secret")


def test_a_router_may_handle_async_and_after_the_application_has_started_no_more():
    app, router = App(), Router()

    @router.exception_handler(ValueError, status=409)
    async def handler(request: Request, error: ValueError) -> dict:
        return {"handled": True}

    router.get("/")(raise_value_error)
    app.include(router)

    with TestClient(app) as client:
        assert client.get("/").json() == {"handled": True}
    with pytest.raises(penstock.errors.ApplicationError, match="has started"):
        router.exception_handler(KeyError)(lambda request, error: "late")


def test_send_is_the_same_for_every_method():
    app = App()
    app.post("/")(raise_out_of_stock)

    assert send(app, "POST", "/").status == 409
