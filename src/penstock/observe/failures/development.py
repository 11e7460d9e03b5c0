"""What development adds: failures answered with all there is to know of them, and a log for the eye.

`explain` is what a server in development offers an application (`ServerView.explain`); a server that is not
has None there, so nothing here is even imported. The client chooses the form: a page for a browser, a problem
for a program that asks for JSON, else text. Secrets of the request are not shown, by their names, and not
where the exception or a variable repeats them under another.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from penstock.http.negotiation import choose_media_type
from penstock.http.problem import problem
from penstock.http.redaction import redactor
from penstock.http.response import HTML, Response, TextResponse
from penstock.observe.failures.failure import ANSI, PLAIN, read_parts, render_text
from penstock.observe.failures.request_secrets import hide_for, query_of
from penstock.observe.logs.format import TextFormatter
from penstock.observe.terminal import wants_colour

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.observe.logs.format import ExceptionInfo

_log = logging.getLogger("penstock.error")

# Nothing is loaded and nothing runs, whatever stands in the texts; and no cache keeps it.
_PAGE_FIELDS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


def explain(
    request: Request, error: BaseException, *, status: int = 500, heading: str | None = None
) -> Response:
    """Return the answer to a failure nobody handled. Never raises."""
    try:
        return _explain(request, error, status, heading)
    except Exception:  # an exception that cannot even be shown: its own __str__ may fail
        _log.exception("the failure could not be explained")
        return problem(status, trace_id=request.trace_id)


def _explain(request: Request, error: BaseException, status: int, heading: str | None) -> Response:
    accept = ", ".join(request.headers.get_all("accept"))
    # `*/*` of a command line gets text; who names JSON, maybe among others of equal weight, means it.
    forms = ["text/plain", "application/problem+json", "application/json", "text/html"]
    if "json" in accept:
        forms.append(forms.pop(0))
    form = choose_media_type(accept, forms)
    hide = hide_for(request)
    if form == "text/html":
        from penstock.observe.failures.page import render_page

        page = render_page(
            read_parts(error, variables=True),
            hide=hide,
            title=heading or f"{request.method} {_path_of(request)}",
            status=status,
            facts=describe_request(request),
            trace_id=request.trace_id,
        )
        return Response(page.encode("utf-8", "backslashreplace"), status, _PAGE_FIELDS, HTML)
    text = hide(render_text(error))
    if form is not None and "json" in form:
        summary = hide(read_parts(error)[-1].summary)
        return problem(
            status,
            detail=heading or summary,
            headers={"Cache-Control": "no-store"},
            trace_id=request.trace_id,
            exception=_shown(summary),
            traceback=_shown(text).split("\n"),
        )
    lead = f"{heading}\n\n" if heading else ""
    body = f"{lead}{text}\n\ntrace id {request.trace_id}\n"
    return TextResponse(_shown(body), status, {"Cache-Control": "no-store"})


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def describe_request(request: Request) -> list[tuple[str, str]]:
    """Return what a request said, by name, without its secrets."""
    facts = [("path", _path_of(request))]
    if request.route:
        facts.append(("route", request.route))
    redacted = redactor()
    facts += [(f"?{redacted.text(name)}", redacted.field(name, value)) for name, value in query_of(request)]
    facts += [(name, redacted.field(name, value)) for name, value in request.headers.items()]
    return facts


def _path_of(request: Request) -> str:
    return redactor().path(request.raw_path)


class DevelopmentFormatter(TextFormatter):
    """Lines as in production, tracebacks folded; on a terminal, unless NO_COLOR, in colours."""

    def __init__(self) -> None:
        super().__init__(is_coloured=wants_colour(sys.stderr))

    def describe_exception(self, exc_info: ExceptionInfo) -> str:
        error = exc_info[1]
        return render_text(error, ANSI if self.is_coloured else PLAIN) if error is not None else ""

    def escape_stack(self, stack: str) -> str:
        return stack  # `render_text` did, and put colours in


def show(error: BaseException) -> None:
    """Write an exception to stderr."""
    text = render_text(error, ANSI if wants_colour(sys.stderr) else PLAIN)
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
