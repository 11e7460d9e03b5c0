"""The document: read and put together when it is first asked for, then kept.

Scripts are parts of one: they share a scope and come in the order of `_SCRIPTS`.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.server.admin.sources import Sources

_FILES: Final = Path(__file__).parent / "files"
_SCRIPTS: Final = ("format.js", "dom.js", "table.js", "chart.js", "heat.js", "panels.js", "page.js")


def tell_dashboard(_: Request, __: Sources) -> Response:
    """The page, which then asks for `live/events`."""
    html, fields = _make()
    return Response(html, 200, fields, "text/html; charset=utf-8")


@cache
def _make() -> tuple[bytes, dict[str, str]]:
    style = _read("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_read, _SCRIPTS)) + "})();\n"
    html = _read("page.html").replace("{style}", style).replace("{script}", script)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html.encode(), {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _read(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
