"""What routers declare about exceptions: handlers by type and by status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock.app.routing.declared import check_takes
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.failures import Registered

F = TypeVar("F", bound="Callable[..., Any]")


class DeclaresExceptionHandlers:
    """A router: its exception handlers are for its routes, those of an App also for what finds none."""

    _check_open: Callable[[str], None]
    exception_handlers: dict[type[BaseException] | int, Registered]

    def exception_handler(
        self, key: type[BaseException] | int, *, status: int | None = None
    ) -> Callable[[F], F]:
        """Declare the decorated `handler(request, error)`, sync or async, for an exception type or the status
        of an HTTPError. That of the innermost router counts.

        It returns what a route's handler may. A plain value gets `status`, else the error's own, else 500.
        Registered for 500 it also gets every exception without a handler of its own, after that was logged.
        It runs where the failing handler ran.
        """
        from penstock.app.failures import Registered
        from penstock.app.routing.router import describe

        is_type = isinstance(key, type) and issubclass(key, BaseException)
        if not is_type and not (isinstance(key, int) and 400 <= key <= 599):
            raise ApplicationError(
                f"exception_handler takes an exception type or a status from 400 to 599, not {key!r}"
            )

        def declare(handler: F) -> F:
            self._check_open(f"exception handler for {key!r}")
            check_takes(handler, "an exception handler", "request", "error")
            other = self.exception_handlers.get(key)
            if other is not None:
                raise ApplicationError(
                    f"{key!r} is handled by {describe(other.handler)} and {describe(handler)}; keep one"
                )
            self.exception_handlers[key] = Registered(handler, status, is_last_resort=key == 500)
            return handler

        return declare
