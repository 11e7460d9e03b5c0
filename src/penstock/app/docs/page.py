"""The HTML of a page, and its response: rendered when it is first asked for, then kept.

Every address in it is relative to the page, so it is right below whatever prefix a proxy or another
application puts before it. The policy lets scripts ask this origin and those the document itself names:
servers, and where tokens are had.
"""

from __future__ import annotations

from html import escape
from posixpath import basename, dirname, relpath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from penstock.http.kept_response import KeptResponse
from penstock.http.request import Request  # noqa: TC001 - the annotation of a handler
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from penstock.app.docs.kinds import Kind

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%230b62c4' d='M2 2h12v3H2zm0 4.5h12v3H2zM2 11h8v3H2z'/%3E%3C/svg%3E"
)
_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{icon}">
{head}
</head>
<body>
<main id="ui" data-document="{document}" data-root="{root}"><noscript>
<p>This page needs JavaScript. The <a href="{document}">OpenAPI document</a> does not.</p></noscript></main>
</body>
</html>
"""


def page_handler(
    path: str, document_path: str, kind: Kind, document: Callable[[], Mapping[str, Any]]
) -> Callable[[Request], Response]:
    """Return the handler of the page at `path`; `document()` is what is served at `document_path`."""
    kept: list[Response] = []

    def docs(request: Request) -> Response:  # noqa: ARG001 - the same for all
        if not kept:
            described = document()
            html = render_page(path, document_path, kind, described["info"]["title"])
            fields = {"Content-Security-Policy": policy(kind, described), "Cache-Control": "no-cache"}
            kept.append(KeptResponse(Response(html.encode(), 200, fields, "text/html; charset=utf-8")))
        return kept[0]

    return docs


def render_page(path: str, document_path: str, kind: Kind, title: str) -> str:
    """Return the HTML."""
    own, foreign = (f"{basename(path)}/{folder}".lstrip("/") for folder in FOLDERS)
    head = [f'<link rel="stylesheet" href="{foreign}/{name}">' for name in kind.foreign if _is_style(name)]
    head += [f'<link rel="stylesheet" href="{own}/{name}">' for name in kind.own if _is_style(name)]
    head += [
        f'<script src="{foreign}/{name}" defer></script>' for name in kind.foreign if not _is_style(name)
    ]
    head.append(f'<script src="{own}/{kind.script}" type="module"></script>')
    return _HTML.format(
        title=escape(title),
        icon=_ICON,
        head="\n".join(head),
        document=escape(relpath(document_path, dirname(path))),
        root=escape(relpath("/", dirname(path))),
    )


def policy(kind: Kind, document: Mapping[str, Any]) -> str:
    """Return the Content-Security-Policy of a page."""
    connect = " ".join(["'self'", *sorted(set(_origins(document)))])
    return (
        f"default-src 'none'; script-src 'self'; {kind.policy}; connect-src {connect}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


FOLDERS = ("own", "ui")
"""Below a page: our files, and the extra's."""


def _is_style(name: str) -> bool:
    return name.endswith(".css")


def _origins(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the other origins a document says requests go to."""
    urls = [server.get("url", "") for server in document.get("servers", ())]
    for scheme in document.get("components", {}).get("securitySchemes", {}).values():
        urls += [flow.get("tokenUrl", "") for flow in scheme.get("flows", {}).values()]
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and "{" not in parts.netloc and _is_plain(parts.netloc):
            yield f"{parts.scheme}://{parts.netloc}"


def _is_plain(authority: str) -> bool:
    """True for what stands in a policy without ending it."""
    return bool(authority) and not set(authority) & set(" ;,'\"\t\r\n") and authority.isascii()
