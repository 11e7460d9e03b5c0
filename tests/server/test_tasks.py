"""A coroutine handler runs as a Task in every respect, whether it waits or not."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from penstock.server.tasks import make_runner
from tests.server.harness import Running, endpoint, request, serve

USER: contextvars.ContextVar[str] = contextvars.ContextVar("USER", default="nobody")


def run_handlers(*handlers: Callable[[], Any]) -> list[Any]:
    """Run coroutine functions one after the other, as a server does, and return what each made: a value or an error."""

    async def main() -> list[Any]:
        run = make_runner(asyncio.get_running_loop())
        made: list[Any] = []

        def start() -> None:
            for handler in handlers:
                try:
                    made.append(run(handler()))
                except BaseException as error:
                    made.append(error)

        asyncio.get_running_loop().call_soon(start)
        while len(made) < len(handlers):  # noqa: ASYNC110 - a turn of the loop is what is waited for
            await asyncio.sleep(0)
        found = []
        for one in made:
            if isinstance(one, asyncio.Task):
                try:
                    found.append(await asyncio.wait_for(one, 5))
                except BaseException as error:
                    found.append(error)
            else:
                found.append(one)
        return found

    return asyncio.run(main(), debug=False)


def run_one(handler: Callable[[], Any]) -> Any:
    return run_handlers(handler)[0]


def test_what_does_not_wait_is_returned_at_once():
    async def handler() -> int:
        return 7

    async def main() -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        run = make_runner(asyncio.get_running_loop())
        asyncio.get_running_loop().call_soon(lambda: done.set_result(run(handler())))
        return await done

    assert asyncio.run(main()) == 7


def test_current_task_is_one_and_the_same_all_along():
    async def handler() -> bool:
        first = asyncio.current_task()
        await asyncio.sleep(0)
        second = asyncio.current_task()
        await asyncio.sleep(0.001)
        return first is not None and first is second is asyncio.current_task()

    assert run_one(handler) is True


def test_the_task_is_among_all_tasks_while_it_waits():
    async def handler() -> bool:
        await asyncio.sleep(0)
        return asyncio.current_task() in asyncio.all_tasks()

    assert run_one(handler) is True


def test_two_handlers_never_share_a_task_they_keep():
    kept = []

    async def handler() -> None:
        kept.append(asyncio.current_task())

    run_handlers(handler, handler, handler)

    assert len({id(task) for task in kept}) == 3


def test_a_kept_task_can_carry_attributes_of_one_request_only():
    async def first() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("mine")
        await asyncio.sleep(0)
        return task.get_name()

    async def second() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    made = run_handlers(first, second)

    assert made[0] == "mine"
    assert made[1] != "mine"


@pytest.mark.parametrize("early", [True, False])
def test_a_timeout_ends_what_takes_too_long(early: bool):
    async def handler() -> str:
        if not early:
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "?"

    assert run_one(handler) == "timed out"


def test_a_timeout_that_has_passed_already_ends_the_first_wait():
    async def handler() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "?"

    assert run_one(handler) == "timed out"


def test_a_task_group_gathers_and_cancels():
    async def handler() -> list[int]:
        async def child(number: int) -> int:
            await asyncio.sleep(0)
            return number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(number)) for number in range(3)]
        return [task.result() for task in tasks]

    async def failing() -> str:
        async def fail() -> None:
            raise ValueError("child")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.sleep(10)
        except ExceptionGroup as group_error:
            return str(group_error.exceptions[0])
        return "?"

    assert run_handlers(handler, failing) == [[0, 1, 2], "child"]


def test_a_handler_that_cancels_itself_is_cancelled_at_its_next_wait():
    waited: list[asyncio.Future[None]] = []

    async def handler() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        waited.append(asyncio.get_running_loop().create_future())
        try:
            await waited[0]
        except asyncio.CancelledError as error:
            return f"cancelled {error.args}"
        return "?"

    assert run_one(handler) == "cancelled ('enough',)"
    assert waited[0].cancelled()


def test_a_handler_that_cancels_itself_and_returns_harms_no_other():
    async def handler() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "returned"

    async def other() -> int:
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        return task.cancelling()

    made = run_handlers(handler, other)

    # An eager Task of Python 3.12+ returns as well: nothing was waited for.
    assert made[0] == "returned" or isinstance(made[0], asyncio.CancelledError)
    assert made[1] == 0


def cancel_at_once(handler: Callable[[], Any]) -> Any:
    """Start, and cancel before the loop has run once more; return the task and what came of it."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        run = make_runner(loop)
        started: asyncio.Future[asyncio.Task[Any]] = loop.create_future()

        def start() -> None:
            task = run(handler())
            task.cancel()
            started.set_result(task)

        loop.call_soon(start)
        task = await started
        try:
            return await asyncio.wait_for(asyncio.shield(task), 5)
        except asyncio.CancelledError:
            return "cancelled" if task.cancelled() else "?"

    return asyncio.run(main())


def test_a_cancel_before_the_first_wait_is_over_reaches_the_coroutine():
    cleaned = []

    async def handler() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            cleaned.append(True)

    assert cancel_at_once(handler) == "cancelled"
    assert cleaned == [True]


def test_a_cancel_reaches_what_is_waited_for():
    futures: list[asyncio.Future[None]] = []

    async def handler() -> None:
        futures.append(asyncio.get_running_loop().create_future())
        await futures[0]

    assert cancel_at_once(handler) == "cancelled"
    assert futures[0].cancelled()


def test_a_cancel_waits_for_a_child_that_cleans_up():
    order = []

    async def child() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            order.append("child")
            raise

    async def handler() -> None:
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        try:
            await task
        finally:
            order.append("handler")

    async def late() -> Any:
        loop = asyncio.get_running_loop()
        run = make_runner(loop)
        started: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(lambda: started.set_result(run(handler())))
        task = await started
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(late())

    assert order == ["child", "handler"]


def test_a_cancel_may_be_refused_by_the_coroutine():
    async def handler() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "refused"
        return "?"

    assert cancel_at_once(handler) == "refused"


def test_two_handlers_may_wait_for_one_future():
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        run = make_runner(loop)
        shared: asyncio.Future[int] = loop.create_future()

        async def handler() -> int:
            return await shared

        started: asyncio.Future[list[Any]] = loop.create_future()
        loop.call_soon(lambda: started.set_result([run(handler()), run(handler())]))
        tasks = await started
        await asyncio.sleep(0)
        shared.set_result(5)
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [5, 5]


def test_a_future_done_between_the_yield_and_the_first_turn_wakes_the_handler():
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        run = make_runner(loop)
        future: asyncio.Future[int] = loop.create_future()

        async def handler() -> int:
            return await future

        started: asyncio.Future[Any] = loop.create_future()

        def start() -> None:
            task = run(handler())
            future.set_result(3)
            started.set_result(task)

        loop.call_soon(start)
        return await asyncio.wait_for(await started, 5)

    assert asyncio.run(main()) == 3


def test_context_variables_are_isolated_and_kept():
    async def setter() -> str:
        USER.set("setter")
        await asyncio.sleep(0)
        return USER.get()

    async def reader() -> str:
        before = USER.get()
        await asyncio.sleep(0)
        return before + USER.get()

    async def quick() -> None:
        USER.set("quick")

    assert run_handlers(setter, quick, reader) == ["setter", None, "nobodynobody"]
    assert USER.get() == "nobody"


def test_a_token_of_a_context_variable_can_be_reset_after_a_wait():
    async def handler() -> str:
        token = USER.set("other")
        await asyncio.sleep(0)
        USER.reset(token)
        return USER.get()

    assert run_one(handler) == "nobody"


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=repr
)
def test_what_is_raised_at_once_is_raised_to_the_caller_and_harms_nothing(error: BaseException):
    async def failing() -> None:
        raise error

    async def fine() -> str:
        await asyncio.sleep(0)
        return "fine"

    made = run_handlers(failing, fine)
    gc.collect()

    assert made == [error, "fine"]


def test_an_exception_after_a_wait_is_in_the_task():
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("late")

    assert isinstance(run_one(failing), ValueError)


def test_the_stack_of_a_waiting_task_shows_the_handler():
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        run = make_runner(loop)

        async def handler_in_question() -> None:
            await asyncio.sleep(10)

        started: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(lambda: started.set_result(run(handler_in_question())))
        task = await started
        await asyncio.sleep(0)
        names = [frame.f_code.co_name for frame in task.get_stack()]
        task.cancel()
        return names

    assert "handler_in_question" in asyncio.run(main())


def ask_many(server: Running, paths: list[str]) -> list[bytes]:
    with server.connect() as client:
        client.send(b"".join(request(path) for path in paths))
        return [reply.content for _ in paths if (reply := client.take())]


def test_tasks_in_a_server_are_not_mixed_up():
    async def handler(request: Request) -> Response:
        name = request.raw_path.decode()
        USER.set(name)
        task = asyncio.current_task()
        for _ in range(len(name) % 3):
            await asyncio.sleep(0)
        assert asyncio.current_task() is task
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return TextResponse(USER.get())

    paths = [f"/.{'x' * (number % 5)}{number}" for number in range(200)]
    with serve({"/": endpoint("task", handler)}) as server:
        assert ask_many(server, paths) == [path.encode() for path in paths]
