"""All of it as one application."""

from __future__ import annotations

from http_benchmark.targets.httpbin import (
    auth,
    cookies,
    documents,
    fields,
    methods,
    octets,
    page,
    redirects,
    statuses,
    timed,
)
from penstock import App, HTMLResponse

app = App(title="httpbin on Penstock")
for _module in (methods, statuses, timed, octets, documents, fields, redirects, cookies, auth):
    app.include(_module.router)
_page = page.compose_page(app)


@app.get("/", run="inline", include_in_schema=False)
def index() -> HTMLResponse:
    """What there is."""
    return _page
