"""What users write: `Depends(f)`, as a default, in an annotation or in `dependencies=[...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    RunsDependency = Literal["inline", "thread"]


class Declared:
    """One `Depends(...)`, as written."""

    __slots__ = ("function", "run", "use_cache")

    def __init__(
        self, function: Callable[..., Any] | None, run: RunsDependency | None, *, use_cache: bool
    ) -> None:
        self.function = function
        """What to call; None: the class that the parameter is annotated with."""
        self.run = run
        self.use_cache = use_cache

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", None) or repr(self.function)
        return f"Depends({name if self.function is not None else ''})"


def Depends(  # noqa: N802 - reads as the noun it stands for
    function: Callable[..., Any] | None = None,
    *,
    use_cache: bool = True,
    run: RunsDependency | None = None,
) -> Any:
    """Have a parameter filled with what `function` returns; its own parameters are bound like a handler's.

    Without a function it is the class the parameter is annotated with. A function that several depend on is
    called once for each request; `use_cache=False` calls it here anew. A `def` function runs where its
    handler does: in a thread for a `def` handler, on the loop for an `async def` one, where `run="thread"`
    sends it into a thread. `run="inline"` says that it never blocks.
    """
    if function is not None and not callable(function):
        raise ApplicationError(f"Depends({function!r}): expected a function, or a class")
    if run not in (None, "inline", "thread"):
        raise ApplicationError(f"Depends(..., run={run!r}): expected 'inline' or 'thread'")
    return Declared(function, run, use_cache=use_cache)


def check_dependencies(where: str, dependencies: Iterable[Any]) -> tuple[Declared, ...]:
    """Return what stands in a `dependencies=[...]`; ApplicationError for what does not belong there."""
    checked = tuple(dependencies)
    for one in checked:
        if not isinstance(one, Declared) or one.function is None:
            raise ApplicationError(f"{where}: dependencies takes Depends(function), not {one!r}")
    return checked
