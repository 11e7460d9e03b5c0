"""How a page writes its answer: never stored, and in the form its reader prefers.

JSON is what everybody gets who does not ask for something else by name: `*/*`, which probes and curl send,
does not. A page with several forms names them, the first for whoever has no preference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.http.negotiation import choose_media_type
from penstock.http.problem import problem
from penstock.http.response import TEXT, JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.http.request import Request

JSON: Final = "application/json"
PLAIN: Final = "text/plain"
_NOT_STORED: Final = {"Cache-Control": "no-store"}
_VARIES: Final = {"Cache-Control": "no-store", "Vary": "Accept"}


def as_json(content: object, status: int = 200) -> Response:
    """For a page that has no other form."""
    return JSONResponse(content, status, headers=_NOT_STORED)


def as_text(text: str, status: int = 200, media_type: str = TEXT) -> Response:
    """Text of any kind; `media_type` with its charset."""
    return Response(text, status, _NOT_STORED, media_type)


def choose(request: Request, forms: Mapping[str, Callable[[], Response]]) -> Response:
    """Answer in the form, by media type, that the client likes best; 406 when it takes none of them."""
    form = choose_media_type(", ".join(request.headers.get_all("accept")), list(forms))
    if form is None:
        return problem(406, detail=f"here are {', '.join(forms)}", headers=_VARIES)
    response = forms[form]()
    response.headers.set("Vary", "Accept")
    return response


def json_or_text(request: Request, content: Any, render: Callable[[Any], str], status: int = 200) -> Response:
    """Answer with values as JSON, or as the text that `render` makes of them."""
    return choose(
        request,
        {JSON: lambda: as_json(content, status), PLAIN: lambda: as_text(render(content), status)},
    )
