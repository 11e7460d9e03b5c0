"""Checks of what an application needs: `@app.check("database")`, run beside requests in every worker.

Each check has a Task that runs it and waits, so that no probe waits for one and no two runs of one overlap.
An `async def` runs on the loop, where the clients it asks live; a `def` in a thread of its own, so that it
does not queue behind requests. What takes too long has failed; it is cancelled where that is possible, and
begins again only when it has ended. How a check stands is kept in `observe.checks`, where probes look.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.app.routing.router import describe
from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError
from penstock.http.redaction import redactor
from penstock.observe.checks import CHECKS, NAME_CHARS, Check, bounded, unwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from penstock.http.handler import ServerView

_log = logging.getLogger("penstock.app")

_NAME: Final = re.compile(rf"[A-Za-z0-9._:-]{{1,{NAME_CHARS}}}")
# A start waits so long for critical checks at most, whatever they are given.
_FIRST_S: Final = 10.0
_CANCEL_S: Final = 1.0
_SPREAD: Final = 0.1
_READ_CHARS: Final = 4096


class Declared(NamedTuple):
    """A check as written."""

    name: str
    function: Callable[[], Any]
    every_s: float
    timeout_s: float
    is_critical: bool


def declare(
    function: Callable[[], Any], name: str, every_s: float, timeout_s: float, *, is_critical: bool
) -> Declared:
    """Return what was declared; ApplicationError when it cannot be run like that."""
    where = describe(function) if callable(function) else repr(function)
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ApplicationError(
            f"{where}: check({name!r}): expected a name of up to {NAME_CHARS} letters, digits, . _ : -"
        )
    for key, value in (("every_s", every_s), ("timeout_s", timeout_s)):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 < value < float("inf"):
            raise ApplicationError(f"{where}: check({key}={value!r}): expected seconds, more than 0")
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        raise ApplicationError(f"{where}: a check is a function without arguments") from None
    return Declared(name, function, every_s, timeout_s, is_critical)


def check_together(declared: Sequence[Declared]) -> None:
    """ApplicationError: two have one name, or there are too many."""
    names: set[str] = set()
    for one in declared:
        if one.name in names:
            raise ApplicationError(f"{describe(one.function)}: there is another check {one.name!r}")
        names.add(one.name)
    if len(names) > CHECKS:
        raise ApplicationError(f"{len(names)} checks: {CHECKS} at most")


class Checks:
    """The checks of some applications, under way. On the loop."""

    def __init__(self, declared: Iterable[Declared], server: ServerView | None) -> None:
        self._runners = [_Runner(one, server) for one in declared]

    async def start(self) -> None:
        """Begin; wait for the first result of those that are critical: before, nobody is told ready."""
        for runner in self._runners:
            runner.start()
        critical = [runner for runner in self._runners if runner.declared.is_critical]
        if critical:
            longest_s = max(runner.declared.timeout_s for runner in critical)
            await asyncio.wait([runner.first for runner in critical], timeout=min(longest_s, _FIRST_S))

    async def stop(self) -> None:
        """End; what hangs is left behind."""
        tasks = [task for runner in self._runners for task in runner.stop()]
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)


class _Runner:
    """Runs one check again and again."""

    def __init__(self, declared: Declared, server: ServerView | None) -> None:
        self.declared = declared
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the first result."""
        self._check = Check(
            declared.name, timeout_s=declared.timeout_s, is_critical=declared.is_critical, owner=server
        )
        self._failure: str | None = None
        """As told in the log last."""
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._repeat(), name=f"check {self.declared.name}"))

    def stop(self) -> list[asyncio.Task[Any]]:
        """Return what is cancelled."""
        unwatch(self._check)
        if not self.first.done():
            self.first.cancel()
        for task in self._tasks:
            task.cancel()
        return self._tasks

    async def _repeat(self) -> None:
        while True:
            await self._run()
            if not self.first.done():
                self.first.set_result(None)
            # Not at the same moment in each worker.
            await asyncio.sleep(self.declared.every_s * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311

    async def _run(self) -> None:
        self._check.begin()
        run = asyncio.create_task(self._call(), name=f"a run of check {self.declared.name}")
        self._tasks[1:] = [run]
        done, _ = await asyncio.wait([run], timeout=self.declared.timeout_s)
        if not done:
            late = f"no result within {self.declared.timeout_s:g} s"
            self._tell(late)
            if is_coroutine_function(self.declared.function):
                run.cancel()
            await asyncio.wait([run])
            self._check.end(late)
            return
        # Cancelled, though not from here: its function has cancelled the Task that runs it.
        reason = _told("CancelledError" if run.cancelled() else run.result())
        self._check.end(reason)
        self._tell(reason)

    async def _call(self) -> str | None:
        """Return why it failed, None when it did not. Nothing is raised unless it is cancelled from here."""
        function = self.declared.function
        try:
            if is_coroutine_function(function):
                result = await function()
            else:
                result, error = await self._in_thread()
                if error is not None:
                    return _describe(error)
            if hasattr(result, "__await__"):  # a decorated async def
                result = await result
            return None if result is None or result else f"returned {result!r}"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return "CancelledError"
        except BaseException as error:  # the border of user code
            return _describe(error)

    def _in_thread(self) -> asyncio.Future[tuple[Any, BaseException | None]]:
        """Call it in a thread; what it returns and what it raises is the result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not future.done():
                future.set_result((result, error))

        def work() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = self.declared.function()
            except BaseException as raised:  # the same border
                error = raised
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                pass  # the loop has ended before it

        threading.Thread(target=work, name=f"penstock-check-{self.declared.name}", daemon=True).start()
        return future

    def _tell(self, failure: str | None) -> None:
        """Log it when it comes to fail, or to do well again."""
        if (failure is None) == (self._failure is None):
            return
        self._failure = failure
        name = self.declared.name
        if failure is None:
            _log.info("check %s is well again", name)
        elif self.declared.is_critical:
            _log.error("check %s has failed, this process is not ready: %s", name, failure)
        else:
            _log.warning("check %s has failed, what it checks is not critical: %s", name, failure)


def _told(reason: str | None) -> str | None:
    """Return it fit for logs and pages: it may quote what no operator is to read."""
    return None if reason is None else bounded(redactor().text(reason[:_READ_CHARS]))


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
