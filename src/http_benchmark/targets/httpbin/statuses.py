"""`/status/{code}`, also one of several by chance: `/status/200:0.9,500:0.1`."""

from __future__ import annotations

import random
from typing import Final

from penstock import BadRequest, JSONResponse, Response, Router, TextResponse

router = Router(tags=["status"])

_ALL: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_FIELDS: Final = {
    401: {"WWW-Authenticate": 'Basic realm="Fake Realm"'},
    402: {"X-More-Info": "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.3"},
    407: {"Proxy-Authenticate": 'Basic realm="Fake Realm"'},
    **{code: {"Location": "/redirect/1"} for code in (301, 302, 303, 305, 307, 308)},
}
_CHOICES: Final = 20


@router.route("/status/{codes}", _ALL, run="inline")
def status(codes: str) -> Response:
    """A reply of that status; of one of them where there are several, by weight."""
    code = _choose(codes)
    if code == 406:
        accepted = ["image/png", "image/svg+xml", "image/*"]
        told = {"message": "Client did not request a supported media type.", "accept": accepted}
        return JSONResponse(told, 406)
    if code == 418:
        return TextResponse(
            "I'm a teapot, short and stout.\n", 418, {"X-More-Info": "https://www.rfc-editor.org/rfc/rfc2324"}
        )
    content = "Payment required.\n" if code == 402 else ""
    response = Response(content.encode(), code, _FIELDS.get(code))
    if content:
        response.media_type = "text/plain; charset=utf-8"
    return response


def _choose(codes: str) -> int:
    """One status; `code:weight` where a weight is given, else 1."""
    choices, weights = [], []
    for each in codes.split(",", _CHOICES):
        code, _, weight = each.partition(":")
        choices.append(_code(code))
        weights.append(_weight(weight) if weight else 1.0)
    if len(choices) == 1:
        return choices[0]
    if not sum(weights):
        raise BadRequest("one of the weights must be above 0")
    return random.choices(choices, weights)[0]  # noqa: S311 - no secret


def _code(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) == 3 and 200 <= int(text) <= 599):
        raise BadRequest(f"a status is a number from 200 to 599, not {text[:40]!r}")
    return int(text)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1e9:
        raise BadRequest(f"a weight is a number from 0, not {text[:40]!r}")
    return weight
