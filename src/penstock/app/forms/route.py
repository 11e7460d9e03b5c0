"""What a route does differently because of a form: its limits, where the content is received, what its
handler cannot take together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.forms.stream import MultipartStream
from penstock.app.routing.router import describe
from penstock.errors import ApplicationError
from penstock.http.form import DEFAULT_LIMITS, FormLimits
from penstock.http.handler import INLINE, TASK

if TYPE_CHECKING:
    from penstock.app.binding.signature import Argument
    from penstock.app.failures import Failures
    from penstock.app.routing.router import Placed
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request


def limits_of(placed: Placed) -> FormLimits:
    """Return the limits of a route: its own, else those of the innermost application that has some."""
    said = [placed.route.options.get("form_limits"), *(app.form_limits for app in reversed(placed.apps))]
    limits = next((one for one in said if one is not None), DEFAULT_LIMITS)
    if not isinstance(limits, FormLimits):
        raise ApplicationError(f"{placed.label}: form_limits={limits!r}; expected FormLimits(...)")
    return limits


def adapt_endpoint(endpoint: Endpoint, placed: Placed, scope: dict[str, Any], failures: Failures) -> None:
    """Have the endpoint of a route take its form; `scope` is that of its plan. ApplicationError when the
    handler wants the content in two ways, MissingExtra when what it wants is not installed.
    """
    arguments: tuple[Argument, ...] = scope["arguments"]
    where = describe(placed.route.handler)
    limits = limits_of(placed)
    of_form = [one for one in arguments if one.source in ("form", "file")]
    parts = next((one for one in arguments if one.source == "parts"), None)
    _check(where, arguments, placed)
    if parts is not None:
        from penstock.http.multipart import load_parser

        load_parser()
        if endpoint.run == INLINE and placed.route.run == "inline":
            raise ApplicationError(f"{where}: {parts.name} waits for the client, so it cannot run inline")

        def open_parts(request: Request) -> MultipartStream:
            return MultipartStream(request, limits)

        scope["open_parts"] = open_parts
        endpoint.streams_body = True
    elif any(one.form is not None and one.form.takes_file for one in of_form):
        from penstock.app.forms.receiving import receiving

        endpoint.call = receiving(endpoint.call, endpoint.run, limits, failures)
        endpoint.run, endpoint.streams_body, endpoint.lingers = TASK, True, True
    else:
        _limit_whole(endpoint, limits)
        return
    if endpoint.body_limit is None:
        endpoint.body_limit = limits.total_bytes


def _limit_whole(endpoint: Endpoint, limits: FormLimits) -> None:
    """Have `request.form()` keep to limits that are not the usual ones."""
    if limits == DEFAULT_LIMITS:
        return
    inner = endpoint.call

    def call(request: Request) -> Any:
        request.limit_form(limits)
        return inner(request)

    endpoint.call = call


def _check(where: str, arguments: tuple[Argument, ...], placed: Placed) -> None:
    content = {"body": "the JSON body", "stream": "the content as it comes", "parts": "the form as it comes"}
    wanted: dict[str, str] = {}
    for one in arguments:
        if one.source in content:
            wanted.setdefault(content[one.source], one.name)
        elif one.form is not None:
            wanted.setdefault("the form", one.name)
    if len(wanted) > 1:
        several = ", ".join(f"{name} wants {what}" for what, name in wanted.items())
        raise ApplicationError(f"{where}: {several}; keep one")
    if sum(one.source == "parts" for one in arguments) > 1:
        raise ApplicationError(f"{where}: two parameters want the form as it comes; keep one")
    if placed.route.run == "process":
        for one in arguments:
            if one.source == "parts" or (one.form is not None and one.form.takes_file and one.form.is_upload):
                raise ApplicationError(
                    f"{where}: parameter {one.name!r}: an open file cannot go to another process; take it as "
                    "bytes"
                )
