"""Replies held against the OpenAPI document of their application: `TestClient(app, check_schema=True)`.

What a route answers has to be described: the status, the content type, fields that are required, and JSON by
its schema. A reply no route made (404 for no such path, 405, OPTIONS) and one of a route the document leaves
out are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.openapi.conformance import Conformance
from penstock.app.openapi.document import described_routes, make_document
from penstock.http.json import loads
from penstock.http.problem import PROBLEM

if TYPE_CHECKING:
    from penstock.app.application import App
    from penstock.app.testing.exchange import Head

# What conditions and ranges make of a 200 that is described, and a failure nobody meant to answer with.
_BY_THEMSELVES = frozenset({206, 304, 412, 416, 500})


class DescribedReplies:
    """Checks the replies of one application."""

    def __init__(self, app: App) -> None:
        self._document = make_document(app)
        self._conforms = Conformance(self._document)
        self._paths = {one.placed.path: one.path for one in described_routes(app)}

    def check(self, method: str, route: str | None, head: Head, content: bytes | None) -> None:
        """Raise AssertionError when a reply is not what the document says; `content` None: not known yet."""
        path = self._paths.get(route or "")
        item = self._document["paths"].get(path, {})
        operation = item.get(method.lower()) or (item.get("get") if method == "HEAD" else None)
        if operation is None:
            return
        where = f"{method} {path} ({operation['operationId']})"
        response = _described(operation["responses"], head.status)
        if response is None:
            if head.status not in _BY_THEMSELVES:
                known = ", ".join(operation["responses"])
                raise AssertionError(
                    f"{where} answered {head.status}, its description has {known}; add "
                    f"responses={{{head.status}: ...}} to the route, its router or the application"
                )
            return
        for name, field in response.get("headers", {}).items():
            if field.get("required") and name not in head.headers:
                raise AssertionError(f"{where} answered {head.status} without {name}, which is required")
        media_type = head.headers.get("content-type")
        contents = response.get("content", {})
        if media_type is None or not contents:
            return
        described = _matching(contents, media_type)
        is_page = PROBLEM in contents and _essence(media_type) == "text/html"  # of a problem, for a browser
        if described is None and not is_page:
            raise AssertionError(
                f"{where} answered {head.status} as {media_type}, described as {', '.join(contents)}"
            )
        if content is not None and method != "HEAD" and described is not None and "schema" in described:
            self._check_content(f"{where} answered {head.status}", media_type, content, described["schema"])

    def _check_content(self, where: str, media_type: str, content: bytes, schema: Any) -> None:
        essence = _essence(media_type)
        if essence != "application/json" and not essence.endswith("+json"):
            return
        try:
            value = loads(content)
        except ValueError as error:
            raise AssertionError(f"{where} with what is no JSON: {error}") from None
        fault = self._conforms.fault(value, schema)
        if fault is not None:
            place, expected = fault
            shown = repr(_at(value, place))
            raise AssertionError(
                f"{where} with another value than described: at {place or '/'} expected {expected}, "
                f"found {shown if len(shown) < 200 else shown[:200] + '...'}"
            )


def _described(responses: dict[str, Any], status: int) -> Any:
    for code in (str(status), f"{status // 100}XX", "default"):
        if code in responses:
            return responses[code]
    return None


def _matching(contents: dict[str, Any], media_type: str) -> Any:
    essence = _essence(media_type)
    for key in (essence, f"{essence.partition('/')[0]}/*", "*/*"):
        if key in contents:
            return contents[key]
    return next((one for key, one in contents.items() if _essence(key) == essence), None)


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _at(value: Any, pointer: str) -> Any:
    """Return what stands at a place, or the nearest thing round it."""
    for step in pointer.split("/")[1:]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            break
    return value
