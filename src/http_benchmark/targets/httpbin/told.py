"""What a request was, in httpbin's members: `args`, `headers`, `origin`, `url`, `method`, and of its content
`data`, `form`, `files` and `json`.

A text stays a text; octets that are no UTF-8 become a `data:` URL. Content is looked at as JSON whatever its
type says. Absent on purpose: anything of the connection.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.targets.httpbin.bounds import BODY_OCTETS
from penstock import BadRequest, FormLimits, HTTPError
from penstock.http.form import MULTIPART, URLENCODED, media_type_of
from penstock.http.json import loads
from penstock.http.multipart import boundary_of, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock import Request

_PARTS: Final = 1000
_LIMITS: Final = FormLimits(field_bytes=BODY_OCTETS, fields_bytes=BODY_OCTETS, total_bytes=BODY_OCTETS)


def tell_request(request: Request) -> dict[str, Any]:
    """What a request without content was."""
    return {
        "args": gather(request.query.items()) if request.raw_query else {},
        "headers": headers_of(request),
        "origin": origin_of(request),
        "url": request.url,
    }


def tell_content(request: Request) -> dict[str, Any]:
    """The same, and its content."""
    content = request.body
    told = tell_request(request)
    data: str = ""
    form: dict[str, Any] = {}
    files: dict[str, Any] = {}
    value: object = None
    kind = media_type_of(request.headers.get("content-type", "")) if content else ""
    if kind == URLENCODED:
        try:
            form = gather(request.form(_LIMITS).items())
        except HTTPError:  # a client's default type, and octets that are no form
            data = to_text(content)
    elif kind == MULTIPART:
        form, files = _parse_multipart(request)
    elif content:
        data, value = to_text(content), _json_of(content)
    return {**told, "data": data, "files": files, "form": form, "json": value}


def gather(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Values by name: a list where there are several."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def headers_of(request: Request) -> dict[str, str]:
    """The fields, with the first letters of their names in capitals."""
    fields = request.headers
    return {_spelled(name): fields[name] for name in fields.keys()}  # noqa: SIM118 - each name once


@lru_cache(512)
def _spelled(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))


def origin_of(request: Request) -> str:
    """The client's address; "" on a unix socket."""
    return request.client[0] if request.client else ""


def to_text(octets: bytes) -> str:
    """As UTF-8, or a `data:` URL."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return "data:application/octet-stream;base64," + base64.b64encode(octets).decode("ascii")


def _json_of(content: bytes) -> object:
    try:
        return loads(content)
    except ValueError:
        return None


def _parse_multipart(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields and files (RFC 7578), without the package that Penstock's own forms need: a target has to run
    where nothing is installed.
    """
    try:
        boundary = boundary_of(request.headers["content-type"]).encode("latin-1")
    except HTTPError:
        raise BadRequest("multipart content without a boundary") from None
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary, _PARTS)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadRequest("multipart content that is cut short, or of too many parts")
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, str]] = []
    for piece in pieces[1:-1]:
        head, _, octets = piece.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
        described = {name.strip().lower(): value.strip() for name, _, value in lines}
        try:
            _, parameters = parse_parameters(described.get("content-disposition", ""))
        except (ValueError, HTTPError):
            parameters = {}
        place = files if "filename" in parameters else fields
        place.append((parameters.get("name", ""), to_text(octets)))
    return gather(fields), gather(files)
