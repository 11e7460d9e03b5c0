"""The pages of the demo: templates from `www/`, and the list of routes for the index."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from penstock import __version__
from penstock.app.application import RouteRow

WWW = Path(__file__).parent.parent / "www"

# A link needs a whole address, so templates with parameters get an example.
EXAMPLES = {"/echo/{text}": "/echo/hello", "/files/{path:path}": "/files/welcome.txt"}


def page(name: str, **values: str) -> str:
    """A page from `www/`; `$style`, `$version` and the given values are filled in."""
    style = (WWW / "style.css").read_text("utf-8")
    return Template((WWW / name).read_text("utf-8")).substitute(values, style=style, version=__version__)


def index_page(routes: Iterable[RouteRow], host: str) -> str:
    return page("index.html", rows="\n".join(map(row, routes)), host=escape(host))


def row(route: RouteRow) -> str:
    methods = "".join(f'<span class="method {method.lower()}">{method}</span>' for method in route.methods)
    path = f"<code>{escape(route.path)}</code>"
    target = EXAMPLES.get(route.path, route.path)
    if "GET" in route.methods and "{" not in target:
        path = f'<a href="{escape(target)}">{path}</a>'
    name, run = escape(route.name.replace("_", " ")), escape(route.run)
    return f'<tr><td>{methods}</td><td>{path}</td><td class="name">{name}</td><td class="run">{run}</td></tr>'
