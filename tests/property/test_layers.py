"""Any stack of hooks, plain or async, does what the rule in docs/middleware.md says, wherever the route runs."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import App, HTTPError, Response, Router
from tests.app.driver import get

DOES = st.sampled_from(["pass", "pass", "pass", "answer", "raise"])
HOOK = st.fixed_dictionaries(
    {
        "before": st.none() | DOES,
        "after": st.none() | DOES,
        "around": st.none() | st.none() | DOES,
        "kind": st.sampled_from(["plain", "async", "both"]),
    }
).filter(lambda hook: hook["before"] or hook["after"] or hook["around"])
SCOPES = st.lists(st.lists(HOOK, max_size=3), min_size=3, max_size=3)
STATUS = {"answer": 299, "raise": 409}


def make_hook(spec: dict[str, Any], name: str, log: list[str]) -> Any:
    def act(what: str, does: str) -> Response | None:
        log.append(f"{name} {what}")
        if does == "raise":
            raise HTTPError(409)
        return Response(b"", 299) if does == "answer" else None

    class Hook:
        pass

    def before(request: Any) -> Any:
        return act("before", spec["before"])

    def after(request: Any, response: Response) -> Any:
        return act(f"after {response.status}", spec["after"])

    def around(request: Any, call_next: Any) -> Any:
        return act("in", spec["around"]) or call_next(request)

    async def abefore(request: Any) -> Any:
        await asyncio.sleep(0)
        return before(request)

    async def aafter(request: Any, response: Response) -> Any:
        await asyncio.sleep(0)
        return after(request, response)

    async def aaround(request: Any, call_next: Any) -> Any:
        return act("in", spec["around"]) or await call_next(request)

    plain = {"before": before, "after": after, "around": around}
    waiting = {"before": abefore, "after": aafter, "around": aaround}
    for part in ("before", "after", "around"):
        if spec[part] is None:
            continue
        # A plain `around` alone is refused on the loop.
        if spec["kind"] != "async" or part == "around":
            setattr(Hook, part, staticmethod(plain[part]))
        if spec["kind"] == "both" or part == "around":
            setattr(Hook, f"a{part}", staticmethod(waiting[part]))
        elif spec["kind"] == "async":
            setattr(Hook, part, staticmethod(waiting[part]))
    return Hook()


def model(scopes: list[list[tuple[str, dict[str, Any]]]], log: list[str]) -> int:
    """What the rule says: layers from the outside in, each ended by an `around`."""
    layers: list[list[tuple[str, dict[str, Any]]]] = []
    for scope in scopes:
        layer: list[tuple[str, dict[str, Any]]] = []
        for hook in scope:
            layer.append(hook)
            if hook[1]["around"]:
                layers.append(layer)
                layer = []
        layers.append(layer)

    def enter(depth: int) -> int:
        if depth == len(layers):
            log.append("handler")
            return 200
        layer = layers[depth]
        status = 0
        for name, spec in layer:
            if spec["before"] and not status:
                log.append(f"{name} before")
                status = STATUS.get(spec["before"], 0)
        if not status:
            around = layer[-1] if layer and layer[-1][1]["around"] else None
            if around is not None:
                log.append(f"{around[0]} in")
                status = STATUS.get(around[1]["around"], 0)
            status = status or enter(depth + 1)
        for name, spec in reversed(layer):
            if spec["after"]:
                log.append(f"{name} after {status}")
                status = STATUS.get(spec["after"], status)
        return status

    return enter(0)


@settings(max_examples=100)
@given(SCOPES, st.sampled_from(["def", "inline", "async"]), st.booleans())
def test_any_stack_of_hooks_does_what_the_rule_says(specs, place, has_async_handler):
    named = [
        [(f"{at}.{number}", spec) for number, spec in enumerate(scope)] for at, scope in enumerate(specs)
    ]
    has_around = any(spec["around"] for scope in specs for spec in scope)
    log: list[str] = []
    outer, middle, inner = ([make_hook(spec, name, log) for name, spec in scope] for scope in named)
    app, router = App(hooks=outer), Router("/r", hooks=middle)

    def plain() -> str:
        log.append("handler")
        return ""

    async def later() -> str:
        await asyncio.sleep(0)
        return plain()

    options: dict[str, Any] = {"run": "inline"} if place == "inline" else {}
    router.get("/x", hooks=inner, **options)(later if place == "async" else plain)
    app.include(router)
    if has_async_handler and not has_around:  # a plain `around` cannot wait for one

        @app.exception_handler(409)
        async def answer(request: Any, error: HTTPError) -> Response:
            await asyncio.sleep(0)
            return Response(b"", 409)

    expected: list[str] = []
    status = model(named, expected)

    assert get(app, "/r/x").status == status
    assert log == expected
