"""What the decorators of a router take beside the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.http.form import FormLimits

Run = Literal["inline", "thread", "process"]


class RouteOptions(TypedDict, total=False):
    """What every route decorator takes beside the path."""

    status: int
    """Status of the response when the handler returns a plain value; 200, or 204 for None."""
    name: str
    """For `url_for`; the handler's own name unless given."""
    run: Run
    """Where a `def` handler runs: "thread" (unless given), "inline" on the loop if it never blocks, "process"
    if it computes.
    """
    body_limit: int
    """Octets of content accepted, instead of the server's limit."""
    form_limits: FormLimits
    """How much a form may hold, instead of what the application says."""
    cancel_on_disconnect: bool
    """Cancel an `async def` handler when its client has gone."""
    timeout_s: float
    """Until the response begins, or 504, instead of the server's `handler_timeout`; 0 for no limit."""
    tags: Iterable[str]
    summary: str
    """For people; the first paragraph of the docstring unless given."""
    description: str
    """For people, in Markdown; the rest of the docstring unless given."""
    deprecated: bool
    operation_id: str
    """The name of the route unless given."""
    responses: Mapping[Any, Any]
    """What else it answers, by status: a text, a type, None for no content, or a Response Object of OpenAPI,
    in which "model" may name a type.
    """
    external_docs: str | Mapping[str, str]
    callbacks: Mapping[str, Mapping[str, Callable[..., Any]]]
    """Requests it makes to its client later: by name, then by the address as an expression such as
    "{$request.body#/url}", a function with the parameters of the request, which is never called.
    """
    include_in_schema: bool
    """False: the OpenAPI document says nothing of it."""
    openapi_extra: Mapping[str, Any]
    """Further members of its Operation Object; objects are merged."""
    response_model: object
    """The type whose fields are sent, and described, instead of the return annotation; None: all of it."""
    validate_response: bool
    """Check what is sent against that type: what does not fit is a 500, and logged."""
    cached: float
    """Seconds for which a reply is kept in this process, by path, query and what the handler declares of
    fields and cookies, and sent again as the same octets.
    """
    cached_vary: Iterable[str]
    """Header fields that a handler with a `Request` looks at, for `cached`."""
    hooks: Iterable[object]
    """Put round this route alone, inside those of routers and applications, the first outermost."""
    dependencies: Iterable[object]
    """`Depends(f)`: functions called for the route, not for their value, after those of its routers and
    before those the handler names.
    """


class WebSocketOptions(TypedDict, total=False):
    """What `websocket` takes beside the path; what is not given is the server's setting."""

    name: str
    """For `url_for`; the handler's own name unless given."""
    origins: Iterable[str]
    """Origins of pages that may connect, such as "https://example.org"; "*" for any. Unless given, those of
    the host that is connected to. Clients that send no Origin, and so are no browsers, always may.
    """
    subprotocols: Iterable[str]
    """Spoken by the handler, best first: the first that the client offers is accepted, unless the handler
    says otherwise.
    """
    drain: Literal["close", "finish"]
    """When the server stops: "close" at once (unless given), or let the handler "finish" by itself, which
    sees `draining`, until shortly before the drain deadline.
    """
    message_limit_bytes: int
    queue_limit: int
    ping_interval_s: float
    ping_timeout_s: float
    close_timeout_s: float
    compression: bool
    hooks: Iterable[object]
    """Put round the handshake alone, inside those of routers and applications, the first outermost."""
    dependencies: Iterable[object]
    """`Depends(f)`: functions called for the conversation, before those the handler names."""


_ELSEWHERE: Final = {
    "status_code": "status",
    "middleware": "hooks",
    "guards": "dependencies",
    "openapi_tags": "tag_descriptions",
    "license_info": "license",
    "redirect_slashes": "trailing_slash",
    "strict_slashes": "trailing_slash",
}
"""What other frameworks call some of our options."""


def told_options(unknown: str, known: Iterable[str]) -> str:
    """Return what to say of an option there is none of: which may be meant, and which there are."""
    from difflib import get_close_matches

    names = list(known)
    ours = _ELSEWHERE.get(unknown)
    meant = [ours] if ours in names else get_close_matches(unknown, names, 1)
    guess = f"did you mean {meant[0]}? " if meant else ""
    return f"{guess}there are {', '.join(names)}"
