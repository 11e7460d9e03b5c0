"""A problem in the form its client prefers: problem+json, a page for a browser, or plain text.

JSON is what everybody gets who does not ask for something else by name: `*/*` does not. The page is one file
that loads nothing and runs nothing, and says what the problem says; an application may render its own. Every
text is escaped here, at the place where it enters.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Final

from penstock.http.json import loads
from penstock.http.negotiation import choose_media_type
from penstock.http.problem import PROBLEM
from penstock.http.response import HTML, TEXT, Response

if TYPE_CHECKING:
    from penstock.http.request import Request

ErrorPage = Callable[["Request", dict[str, Any]], str]
"""Renders the page of a problem, given its members."""

_FORMS: Final = (PROBLEM, "application/json", "text/html", "text/plain")
_PAGE_FIELDS: Final = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
_STYLE: Final = """
:root { color-scheme: light dark; --back: #fbfaf8; --text: #23211e; --soft: #6d675f; --line: #e4dfd7 }
@media (prefers-color-scheme: dark) { :root { --back: #191816; --text: #ebe6de; --soft: #a39b8f;
  --line: #3a3630 } }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 40rem; margin: 0 auto; padding: 12vh 1.25rem 3rem; overflow-wrap: anywhere }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.3 }
h1 span { color: var(--soft); font-weight: 400 }
p { margin: .5rem 0 } li { margin: .25rem 0 }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .87em }
footer { margin-top: 2rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .87rem }
"""


def negotiated(request: Request, response: Response, page: ErrorPage | bool) -> Response:  # noqa: FBT001
    """Return a response that is a problem in the form the client prefers; `page` is the application's own."""
    fields = response.headers
    vary = fields.get("vary")
    if vary != "*":
        fields.set("Vary", "Accept" if vary is None else f"{vary}, Accept")
    accept = request.headers.get("accept", "")
    if "text/" not in accept and "TEXT/" not in accept.upper():
        return response
    form = choose_media_type(", ".join(request.headers.get_all("accept")), _FORMS)
    if form is None or not form.startswith("text/"):
        return response
    members = loads(response.body)
    assert isinstance(members, dict)  # noqa: S101 - a problem is an object
    if form == "text/plain":
        return _like(response, _render_text(members), TEXT)
    text = _render_page(members) if page is True or page is False else page(request, members)
    made = _like(response, text, HTML)
    if page is True:
        for name, value in _PAGE_FIELDS:
            made.headers.set(name, value)
    return made


def _like(response: Response, text: str, media_type: str) -> Response:
    octets = text.encode("utf-8", "backslashreplace")
    return Response(octets, response.status, response.headers.lines(), media_type)


def _render_text(members: dict[str, Any]) -> str:
    lines = [f"{members.get('status', '')} {members.get('title', '')}".strip()]
    lines += [str(members[name]) for name in ("detail",) if name in members]
    lines += [f"{place}: {message}" for place, message in _faults(members)]
    if "trace_id" in members:
        lines.append(f"trace id {members['trace_id']}")
    return "\n".join(lines) + "\n"


def _render_page(members: dict[str, Any]) -> str:
    status, title = escape(str(members.get("status", ""))), escape(str(members.get("title", "")))
    body = [f"<h1>{title} <span>{status}</span></h1>"]
    if "detail" in members:
        body.append(f"<p>{escape(str(members['detail']))}</p>")
    faults = [f"<li><code>{escape(where)}</code>: {escape(what)}</li>" for where, what in _faults(members)]
    if faults:
        body.append(f"<ul>{''.join(faults)}</ul>")
    if "trace_id" in members:
        body.append(f"<footer>Trace id <code>{escape(str(members['trace_id']))}</code></footer>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{status} {title}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _faults(members: dict[str, Any]) -> list[tuple[str, str]]:
    """Return place and message of each fault a 422 names."""
    errors = members.get("errors")
    if not isinstance(errors, list):
        return []
    return [
        (".".join(map(str, error["loc"])), str(error.get("msg", "")))
        for error in errors
        if isinstance(error, dict) and isinstance(error.get("loc"), list)
    ]
