"""Tests replace what an application depends on."""

from __future__ import annotations

import asyncio

import pytest

from penstock import App, AsyncTestClient, Depends, Router, TestClient
from penstock.errors import ApplicationError
from tests.app.driver import get


def database() -> str:
    return "real"


async def fake(name: str = "fake") -> str:
    return name


def make_app() -> App:
    app = App()

    @app.get("/")
    def handler(db: str = Depends(database)) -> str:
        return db

    return app


def test_an_override_is_called_instead_with_parameters_of_its_own():
    app = make_app()
    app.overrides[database] = fake

    assert get(app, "/").body == b"fake"
    assert get(app, "/?name=x").body == b"x"


def test_overrides_may_change_between_tests_and_in_a_client():
    app = make_app()

    assert TestClient(app).get("/").text == "real"
    app.overrides[database] = fake
    assert TestClient(app).get("/").text == "fake"
    with TestClient(app) as client:
        app.overrides.clear()
        assert client.get("/").text == "real"
        app.overrides[database] = lambda: "other"
        assert client.get("/").text == "other"
        app.overrides = {}
        assert client.get("/").text == "real"


def test_the_client_of_coroutines_sees_them_too():
    app = make_app()

    async def run() -> list[str]:
        async with AsyncTestClient(app) as client:
            before = (await client.get("/")).text
            app.overrides[database] = fake
            return [before, (await client.get("/")).text]

    assert asyncio.run(run()) == ["real", "fake"]


def test_overrides_hold_below_what_is_not_overridden():
    app = App()

    def service(db: str = Depends(database)) -> str:
        return f"service on {db}"

    @app.get("/", dependencies=[Depends(service)])
    async def handler(found: str = Depends(service)) -> str:
        return found

    app.overrides[database] = fake

    assert get(app, "/").body == b"service on fake"


def test_an_override_may_depend_on_what_it_replaces():
    app = make_app()

    def wrapped(original: str = Depends(database)) -> str:
        return f"wrapped {original}"

    app.overrides[database] = wrapped

    assert get(app, "/").body == b"wrapped real"


def test_overrides_hold_for_applications_that_are_mounted():
    inner, outer, router = make_app(), App(), Router("/r")
    router.mount("/inner", inner)
    outer.include(router)

    outer.overrides[database] = fake
    assert TestClient(outer).get("/r/inner/").text == "fake"
    inner.overrides[database] = lambda: "of the inner"
    assert TestClient(outer).get("/r/inner/").text == "fake"  # the outermost wins
    outer.overrides.clear()
    assert TestClient(outer).get("/r/inner/").text == "of the inner"


def test_the_class_a_parameter_is_annotated_with_may_be_overridden():
    class Mailer:
        sent = "real"

    class FakeMailer(Mailer):
        sent = "none"

    app = App()

    def handler(mailer=Depends()) -> str:
        return mailer.sent

    handler.__annotations__["mailer"] = Mailer
    app.get("/")(handler)
    app.overrides[Mailer] = FakeMailer

    assert get(app, "/").body == b"none"


def test_what_cannot_be_called_is_no_override():
    app = make_app()
    app.overrides[database] = "fake"

    with pytest.raises(
        ApplicationError, match=r"database .* is to be replaced by 'fake', which is no function"
    ):
        app.compile()


def test_what_cannot_be_hashed_is_not_overridden():
    class Limit:
        __hash__ = None

        def __call__(self) -> str:
            return "limit"

    app = App()

    @app.get("/")
    def handler(found: str = Depends(Limit())) -> str:
        return found

    app.overrides[database] = fake

    assert get(app, "/").body == b"limit"
