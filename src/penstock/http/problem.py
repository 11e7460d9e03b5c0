"""Problem details (RFC 9457): an error as data, application/problem+json.

Members without a value are left out. This runs where errors are answered, so what a client or a file name put
into a text cannot make it fail: a lone surrogate is shown as its escape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.json import dumps
from penstock.http.response import Response
from penstock.http.status import reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.http.request import Request

PROBLEM = "application/problem+json"


def problem(
    status: int,
    *,
    title: str | None = None,
    detail: str | None = None,
    type: str = "about:blank",
    instance: str | None = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    **extensions: object,
) -> Response:
    """Return the response that tells a client, and a program, what went wrong.

    `title` defaults to the status phrase and says the same every time; `detail` is about this occurrence.
    `extensions` are further members; a None among them is left out.

    >>> problem(404, detail="no user 7", user_id=7).body.decode()
    '{"type":"about:blank","title":"Not Found","status":404,"detail":"no user 7","user_id":7}'
    """
    members: dict[str, object] = {
        "type": type,
        "title": reason(status) if title is None else title,
        "status": status,
        "detail": _shown(detail),
        "instance": _shown(instance),
        **extensions,
    }
    present = {name: value for name, value in members.items() if value is not None}
    return Response(dumps(present), status, headers, PROBLEM)


def unexpected(request: Request | None, error: BaseException) -> Response:
    """Return the answer to a failure nobody handles: a bare 500 that names the trace id, and in development
    all there is to know.
    """
    if request is None:
        return problem(500)
    request.note_failure(error)
    server = request.server
    if server is not None and server.explain is not None:
        return server.explain(request, error)
    return problem(500, trace_id=request.trace_id)


def _shown(text: str | None) -> str | None:
    return text if text is None or text.isascii() else text.encode("utf-8", "backslashreplace").decode()
