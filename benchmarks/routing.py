"""Routing: `App.resolve`, from a request to the endpoint that answers it, in tables of 1, 100 and 1,000
routes.

A table of n routes has n of each kind that is asked for. "backtracking" is the path for which literal text
leads astray: `/items17/special/{tail}` matches its beginning, `/items17/{name}/details` answers. "miss"
ends in the endpoint that says 404.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Case, time_cases
from penstock import App
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_SIZES = (1, 100, 1_000)

# case -> target of a route in the middle of the table; the template it takes; the values of its parameters
_ASKED: dict[str, tuple[str, str | None, dict[str, object]]] = {
    "literal": ("/about{n}", "/about{n}", {}),
    "parameter": ("/users{n}/42", "/users{n}/{{user_id:int}}", {"user_id": 42}),
    "deep": ("/a{n}/b/c/7/d/e/f/8", "/a{n}/b/c/{{one}}/d/e/f/{{two}}", {"one": "7", "two": "8"}),
    "backtracking": ("/items{n}/special/details", "/items{n}/{{name}}/details", {"name": "special"}),
    "miss": ("/users{n}/42/nothing/here", None, {}),
}


def make_app(size: int) -> App:
    """Return an application with `size` routes of each kind."""
    app = App()

    def answer() -> str:
        return ""

    for number in range(size):
        for _, template, _ in _ASKED.values():
            if template is not None:
                app.get(template.format(n=number), name=f"{template}{number}", run="inline")(
                    _with_parameters(template)
                )
        app.get(f"/items{number}/special/{{tail}}/more", name=f"astray{number}", run="inline")(
            _with_parameters("{{tail}}")
        )
    return app


def _with_parameters(template: str) -> Callable[..., str]:
    """Return a handler whose parameters are those of the template."""

    def none() -> str:
        return ""

    def user(user_id: int) -> str:
        return str(user_id)

    def two(one: str, two: str) -> str:
        return one + two

    def by_name(name: str) -> str:
        return name

    def by_tail(tail: str) -> str:
        return tail

    known: dict[str, Callable[..., str]] = {
        "user_id": user,
        "{{one}}": two,
        "{{name}}": by_name,
        "{{tail}}": by_tail,
    }
    return next((handler for part, handler in known.items() if part in template), none)


def measure(options: Options) -> Report:
    """Time every case in every table."""
    cases = []
    for size in _SIZES:
        resolve = make_app(size).compile().resolve
        for name, (target, template, values) in _ASKED.items():
            middle = size // 2
            request = Request.build(target=target.format(n=middle))
            found = resolve(request).route, dict(request.path_params or {})
            right = (template and template.format(n=middle)), values
            if found != right:
                raise SystemExit(f"{name} of {size}: found {found}, right is {right}")
            cases.append(Case(f"{name}, {size} routes", "penstock", partial(_ask, resolve, request), _BATCH))
    return Report(time_cases(cases, is_quick=options.is_quick))


def _ask(resolve: Callable[[Request], object], request: Request) -> None:
    for _ in repeat(None, _BATCH):
        resolve(request)


if __name__ == "__main__":
    sys.exit(main(["routing"]))
