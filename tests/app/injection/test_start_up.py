"""What cannot be injected is found at start-up, and the message names the whole chain."""

from __future__ import annotations

import re
from typing import Annotated

import pytest

from penstock import App, Body, BodyStream, Depends, Router, WebSocket
from penstock.app.injection.depends import Declared
from penstock.app.injection.tree import walk
from penstock.errors import ApplicationError


def fails(app: App, *parts: str) -> None:
    """Compiling fails, and the message has these parts in this order."""
    with pytest.raises(ApplicationError, match="(?s)" + ".*".join(map(re.escape, parts))):
        app.compile()


def settings(url: complex) -> None: ...


def database(found: None = Depends(settings)) -> None: ...


def test_a_parameter_that_cannot_be_bound_is_named_with_its_chain():
    app = App()

    @app.get("/")
    def handler(db: None = Depends(database)) -> None: ...

    fails(
        app,
        "handler -> tests.app.injection.test_start_up:database -> tests.app.injection.test_start_up:settings (",
        "parameter 'url'",
        "complex",
    )


def test_those_of_routers_are_named_too():
    app = App()
    router = Router("/x", dependencies=[Depends(database)])

    @router.get("/")
    def handler() -> None: ...

    app.include(router)

    fails(app, ":test_those_of_routers_are_named_too.<locals>.handler -> ", "database -> ", "settings (")


def first(value: Annotated[None, Depends(lambda: second)]) -> None: ...


def second(value: Annotated[None, Depends(first)]) -> None: ...


first.__annotations__["value"] = Annotated[None, Depends(second)]


def test_a_circle_is_named():
    app = App()

    @app.get("/")
    async def handler(value: Annotated[None, Depends(first)]) -> None: ...

    fails(app, "handler -> ", ":first -> ", ":second -> ", ":first: these depend on each other in a circle")


def test_a_function_that_depends_on_itself_is_a_circle():
    app = App()

    def again(value: None) -> None: ...

    again.__annotations__["value"] = Annotated[None, Depends(again)]
    app.get("/", dependencies=[Depends(again)])(lambda: None)

    fails(app, "again -> ", "again: these depend")


def test_only_the_handler_takes_the_stream():
    app = App()

    def reading(stream: BodyStream) -> None: ...

    @app.post("/")
    def handler(value: None = Depends(reading)) -> None: ...

    fails(app, "handler -> ", "reading (", "parameter 'stream': only the handler itself takes the BodyStream")


def test_one_whole_body_is_for_one_function():
    app = App()

    def one(first: Annotated[dict, Body()]) -> None: ...

    @app.post("/")
    def handler(second: Annotated[dict, Body()], value: None = Depends(one)) -> None: ...

    fails(app, "handler (", "second and first both want the whole body")


def test_members_of_one_body_must_agree():
    app = App()

    def one(first: Annotated[int, Body(embed=True)]) -> None: ...

    @app.post("/")
    def handler(first: Annotated[str, Body(embed=True)], value: None = Depends(one)) -> None: ...

    fails(app, "handler (", "first and first share the body and have the same alias")


def test_a_stream_and_a_body_exclude_each_other():
    app = App()

    def one(first: Annotated[dict, Body()]) -> None: ...

    @app.post("/")
    def handler(stream: BodyStream, value: None = Depends(one)) -> None: ...

    fails(app, "stream streams the body that first needs whole")


def test_a_websocket_is_for_the_dependencies_of_websocket_routes():
    app = App()

    def one(websocket: WebSocket) -> None: ...

    @app.get("/")
    def handler(value: None = Depends(one)) -> None: ...

    fails(app, "takes a WebSocket; declare it with @app.websocket")


def test_a_websocket_has_no_body_for_its_dependencies_either():
    app = App()

    def one(body: Annotated[dict, Body()]) -> None: ...

    @app.websocket("/")
    async def handler(websocket: WebSocket, value: None = Depends(one)) -> None: ...

    fails(app, "parameter 'body': a WebSocket has no body")


def test_an_async_dependency_runs_nowhere_else():
    app = App()

    async def waiting() -> None: ...

    @app.get("/")
    async def handler(value: None = Depends(waiting, run="thread")) -> None: ...

    fails(app, "waiting: an async def dependency always runs on the loop; remove run='thread'")


def test_one_call_runs_in_one_place():
    app = App()

    def plain() -> None: ...

    @app.get("/")
    async def handler(a: None = Depends(plain, run="thread"), b: None = Depends(plain)) -> None: ...

    fails(app, "plain: Depends says run=None here and run='thread' elsewhere")


@pytest.mark.parametrize("wrong", [3, "settings"])
def test_only_what_can_be_called_is_depended_on(wrong):
    with pytest.raises(ApplicationError, match="expected a function, or a class"):
        Depends(wrong)


def test_run_is_one_of_two():
    with pytest.raises(ApplicationError, match="expected 'inline' or 'thread'"):
        Depends(settings, run="process")


def test_depends_without_a_function_needs_a_class():
    app = App()

    @app.get("/")
    def handler(value: int | None = Depends()) -> None: ...

    fails(app, "handler: Depends() stands for the class it is annotated with")


def test_depends_without_a_function_needs_an_annotation():
    app = App()

    @app.get("/")
    def handler(value=Depends()) -> None: ...

    fails(app, "the class it is annotated with, and that is none; write Depends(function)")


@pytest.mark.parametrize("wrong", [settings, Depends()])
def test_dependencies_takes_depends_of_functions(wrong):
    with pytest.raises(ApplicationError, match=r"dependencies takes Depends\(function\), not"):
        App(dependencies=[wrong])
    with pytest.raises(ApplicationError, match=r"the router with prefix '/x': dependencies takes"):
        Router("/x", dependencies=[wrong])
    app = App()
    app.get("/", dependencies=[wrong])(lambda: None)
    fails(app, "<lambda>", "dependencies takes Depends(function)")


def test_depends_shows_what_it_says():
    assert repr(Depends(settings)) == "Depends(settings)"
    assert repr(Depends()) == "Depends()"
    assert isinstance(Depends(settings), Declared)


def test_a_signature_tells_what_is_called_in_which_order():
    app = App(dependencies=[Depends(fine)])

    @app.get("/")
    def handler(value: int = Depends(nested)) -> None: ...

    _, plan = app.compile().plans[0]

    assert [node.function for node in walk(plan.signature)] == [fine, nested]
    argument = plan.signature.arguments[0]
    assert (argument.source, argument.dependency.function) == ("dependency", nested)
    assert argument.dependency.signature.arguments[0].dependency is plan.signature.dependencies[0]
    assert plan.signature.dependencies[0].signature.arguments[0].key == "page"


def fine(page: int = 1) -> int:
    return page


def nested(value: Annotated[int, Depends(fine)]) -> int:
    return value


def test_the_plan_is_straight_line_code():
    app = App(dependencies=[Depends(fine)])

    @app.get("/", run="inline")
    def handler(value: int = Depends(nested)) -> str: ...

    _, plan = app.compile().plans[0]

    assert [line.strip() for line in plan.source.splitlines()[3:-2]] == [
        "try:",
        "if request.raw_query:",
        "get = first_values(request)",
        "text = get('page')",
        "arg1_page = default1_page if text is None else convert1_page(text)",
        "else:",
        "arg1_page = default1_page",
        "except ValueError:",
        "raise binding_error(arguments, request) from None",
        "value1_fine = call1_fine(arg1_page)",
        "value2_nested = call2_nested(value1_fine)",
        "result = handler(value2_nested)",
        "if type(result) is str:",
        "return Response(result.encode(), 200, None, TEXT)",
        "return respond(request, result)",
    ]
