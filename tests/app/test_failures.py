"""Exceptions to responses: problems, exception handlers, what is logged and what is told."""

import asyncio
import logging

import pytest

from penstock.app.application import App
from penstock.errors import ApplicationError, ClientDisconnected, HTTPError, ValidationError
from penstock.http.request import Request
from penstock.http.response import Response
from tests.app.driver import content, get, send


def raising(error, kind="def"):
    """Return an application whose only handler raises."""
    app = App()

    if kind == "def":

        @app.get("/{x}")
        def handler(x):
            raise error
    else:

        @app.get("/{x}")
        async def handler(x):
            raise error

    return app


both = pytest.mark.parametrize("kind", ["def", "async def"])


@both
def test_an_http_error_is_the_problem_it_describes(kind, caplog):
    error = HTTPError(
        409, "taken", title="Conflict!", type="https://x/taken", headers={"Retry-After": "3"}, user_id=7
    )

    response = get(raising(error, kind), "/x")

    assert (response.status, response.media_type, response.headers["retry-after"]) == (
        409,
        "application/problem+json",
        "3",
    )
    assert content(response) == {
        "type": "https://x/taken",
        "title": "Conflict!",
        "status": 409,
        "detail": "taken",
        "user_id": 7,
    }
    assert not caplog.records


@both
def test_a_validation_error_raised_by_a_handler_is_422(kind):
    response = get(raising(ValidationError([{"loc": ["query", "x"], "msg": "no", "type": "x"}]), kind), "/x")

    assert response.status == 422
    assert content(response)["errors"] == [{"loc": ["query", "x"], "msg": "no", "type": "x"}]


@both
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret"),
        SystemExit("secret"),
        KeyboardInterrupt("secret"),
        GeneratorExit("secret"),
        asyncio.CancelledError("secret"),
        BaseException("secret"),
        StopIteration("secret"),
        StopAsyncIteration("secret"),
        RecursionError("secret"),
        MemoryError("secret"),
    ],
)
def test_any_other_exception_is_a_500_that_tells_nothing_but_a_trace_id(kind, error, caplog):
    app = raising(error, kind)
    request = Request.build(
        "GET", "/x?token=hidden", [("host", "t"), ("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01")]
    )

    answer = app.resolve(request).call(request)
    response = asyncio.run(_wait(answer)) if hasattr(answer, "__await__") else answer

    assert content(response) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "trace_id": "ab" * 16,
    }
    assert b"secret" not in response.body
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("penstock.error", logging.ERROR)
    assert "GET /x?token=[redacted] HTTP/1.1" in record.getMessage()
    assert "ab" * 16 in record.getMessage()
    assert "hidden" not in caplog.text
    assert "secret" in caplog.text
    assert "test_failures.py" in caplog.text
    assert "Traceback" in caplog.text


async def _wait(answer):
    return await answer


@both
def test_a_client_that_left_is_no_crash(kind, caplog):
    assert get(raising(ClientDisconnected("gone"), kind), "/x").status == 400
    assert not caplog.records


def test_a_log_line_cannot_be_forged(caplog):
    app = raising(RuntimeError("x"))
    request = Request.build(target="/x")
    request.raw_path = b"/x\r\nforged\x1b[0m"

    app.resolve(request).call(request)

    assert "\n" not in caplog.records[0].getMessage()
    assert "\x1b" not in caplog.records[0].getMessage()


def test_the_traceback_shows_the_plan(caplog):
    get(raising(RuntimeError("x")), "/x")

    assert "result = handler(arg_x)" in caplog.text


def test_cancelling_the_task_of_a_handler_goes_through():
    app, started = App(), asyncio.Event()

    @app.exception_handler(BaseException)
    def never(request, error) -> str:
        return "answered"

    @app.get("/")
    async def slow() -> None:
        started.set()
        await asyncio.sleep(60)

    async def main():
        request = Request.build()
        task = asyncio.create_task(app.resolve(request).call(request))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_timeout_inside_a_handler_is_its_own_affair():
    app = App()

    @app.get("/")
    async def slow() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        except TimeoutError:
            return "timed out"
        return "?"

    assert get(app, "/").body == b"timed out"


def test_a_coroutine_that_is_closed_answers_nobody(caplog):
    app = App()

    class Forever:
        def __await__(self):
            yield

    @app.get("/")
    async def slow() -> None:
        await Forever()

    request = Request.build()
    coroutine = app.resolve(request).call(request)
    coroutine.send(None)

    coroutine.close()

    assert not caplog.records


def _teapot(request, error):
    return Response(b"teapot", 418)


async def _async_teapot(request, error):
    await asyncio.sleep(0)
    return Response(b"teapot", 418)


@both
@pytest.mark.parametrize("handler", [_teapot, _async_teapot])
def test_an_exception_handler_answers_its_type(kind, handler, caplog):
    app = raising(KeyError("x"), kind)
    app.exception_handler(KeyError)(handler)

    assert get(app, "/x").status == 418
    assert not caplog.records


def test_the_nearest_class_wins():
    app = raising(KeyError("x"))
    app.exception_handler(Exception)(lambda request, error: "Exception")
    app.exception_handler(LookupError)(lambda request, error: "LookupError")

    assert get(app, "/x").body == b"LookupError"


def test_status_comes_before_type():
    app = raising(HTTPError(404, "x"))
    app.exception_handler(HTTPError)(lambda request, error: "type")
    app.exception_handler(404)(lambda request, error: "status")

    response = get(app, "/x")

    assert (response.status, response.body) == (404, b"status")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/a/b/c", 404), ("PUT", "/x", 405), ("GET", "/..", 400), ("GET", "/n/x", 422)],
)
def test_a_status_handler_sees_what_routing_and_binding_refuse(method, target, status):
    app = raising(KeyError())
    app.get("/n/{n}")(_number)

    @app.exception_handler(status)
    def handler(request, error) -> dict:
        return {"status": error.status, "path": request.path}

    response = send(app, method, target)

    assert response.status == status
    assert content(response)["status"] == status


def _number(n: int): ...


def test_plain_values_take_the_status_given_else_the_errors_else_500():
    app = App()
    app.exception_handler(KeyError, status=404)(lambda request, error: {"gone": True})
    app.exception_handler(ValueError)(lambda request, error: {"bad": True})
    app.exception_handler(409)(lambda request, error: None)

    @app.get("/{kind}")
    def handler(kind):
        raise {"key": KeyError(), "value": ValueError(), "http": HTTPError(409)}[kind]

    assert [get(app, path).status for path in ("/key", "/value", "/http")] == [404, 500, 409]


@both
def test_a_handler_for_500_sees_crashes_after_they_were_logged(kind, caplog):
    app = raising(RuntimeError("secret"), kind)
    app.exception_handler(500)(lambda request, error: f"sorry, {request.trace_id}")

    response = get(app, "/x")

    assert (response.status, response.body[:5]) == (500, b"sorry")
    assert "secret" in caplog.text


@both
@pytest.mark.parametrize("failing", [lambda request, error: 1 / 0, lambda request, error: object()])
def test_an_exception_handler_that_fails_is_a_logged_500(kind, failing, caplog):
    app = raising(KeyError("x"), kind)
    app.exception_handler(KeyError)(failing)

    assert get(app, "/x").status == 500
    assert len(caplog.records) == 1


def test_an_async_exception_handler_that_fails_is_a_logged_500(caplog):
    app = raising(KeyError("x"))

    @app.exception_handler(KeyError)
    async def failing(request, error):
        raise SystemExit

    assert get(app, "/x").status == 500
    assert len(caplog.records) == 1


@pytest.mark.parametrize("error", [HTTPError(400, bad=object()), HTTPError(400, headers={"X": "a\r\nb"})])
def test_an_http_error_that_cannot_be_sent_is_a_500_or_refused_when_rendered(error):
    app = raising(error)
    response = get(app, "/x")

    if response.status == 400:
        with pytest.raises(Exception, match="500"):
            response.headers.rendered()
    else:
        assert response.status == 500


def test_each_error_response_is_new():
    app = App()

    first, second = get(app, "/a"), get(app, "/b")
    first.headers["X"] = "1"

    assert "X" not in second.headers


@pytest.mark.parametrize("key", ["KeyError", 200, 600, int, None, KeyError("x")])
def test_only_exception_types_and_error_statuses_are_handled(key):
    with pytest.raises(ApplicationError, match="takes an exception type or a status"):
        App().exception_handler(key)


def test_two_handlers_for_one_exception_are_an_error():
    app = App()
    app.exception_handler(KeyError)(_teapot)

    with pytest.raises(ApplicationError, match=r"_teapot.*_async_teapot"):
        app.exception_handler(KeyError)(_async_teapot)


def test_a_mounted_application_answers_its_own_exceptions_first():
    app, admin = App(), App()
    app.mount("/admin", admin)
    app.exception_handler(KeyError)(lambda request, error: "outer key")
    app.exception_handler(404)(lambda request, error: "outer 404")
    admin.exception_handler(LookupError)(lambda request, error: "inner lookup")
    admin.exception_handler(404)(lambda request, error: "inner 404")

    def fail(kind):
        raise {"key": KeyError(), "type": TypeError(), "http": HTTPError(404)}[kind]

    app.get("/{kind}")(fail)
    admin.get("/{kind}")(fail)

    assert get(app, "/key").body == b"outer key"
    assert get(app, "/admin/key").body == b"inner lookup"
    assert get(app, "/admin/http").body == b"inner 404"
    assert get(app, "/admin/no/route").body == b"outer 404"
    assert get(app, "/admin/type").status == 500


@pytest.mark.parametrize(
    ("target", "body", "read"),
    [
        ("/x", b"{", lambda request: request.json()),
        ("/x", b"[" * 10_000, lambda request: request.json()),
        ("/x", b"1" * 5_000, lambda request: request.json()),
        ("/x", b'"\xff"', lambda request: request.json()),
        ("/x", b"\xff", lambda request: request.text()),
        ("/x?a=%ff", b"", lambda request: request.query),
    ],
)
def test_what_a_handler_reads_of_a_malformed_request_is_answered_400(target, body, read, caplog):
    app, caught = App(), []

    @app.post("/{rest}")
    @app.post("/caught/{rest}")
    def handle(request: Request) -> str:
        if request.raw_path.startswith(b"/caught"):
            try:
                read(request)
            except ValueError as error:
                caught.append(str(error))
                return "caught"
        return str(read(request))

    reply = send(app, "POST", target, body)

    assert reply.status == 400
    assert b"detail" in reply.body
    assert not caplog.records
    assert send(app, "POST", f"/caught{target}", body).status == 200
    assert len(caught[0]) < 200
