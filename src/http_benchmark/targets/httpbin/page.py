"""`/`: what there is, made from the routes themselves, so that it cannot be out of date."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from penstock import HTMLResponse

if TYPE_CHECKING:
    from penstock import App

_HEAD = (
    "<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8><title>httpbin on Penstock</title>"
    "<style>body{font:16px/1.5 system-ui;margin:2em auto;max-width:50em}td{padding-right:1em}</style>"
    "</head>\n"
    "<body>\n<h1>httpbin on Penstock</h1>\n<p>A target for measurements. Routes:</p>\n<table>\n"
)


def compose_page(app: App) -> HTMLResponse:
    """The page, once all routes are there."""
    rows = []
    for route in app.routes():
        methods = ", ".join(sorted(set(route.methods) - {"HEAD", "OPTIONS"}))
        path = route.path.replace(":int}", "}").replace(":path}", "}")
        shown = escape(path)
        if "{" not in path and "GET" in methods:
            shown = f'<a href="{shown}">{shown}</a>'
        rows.append(f"<tr><td><code>{shown}</code></td><td>{methods}</td></tr>\n")
    return HTMLResponse(f"{_HEAD}{''.join(sorted(rows))}</table>\n</body>\n</html>\n")
