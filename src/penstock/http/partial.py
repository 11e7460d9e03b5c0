"""What is left to send of a response once the request's conditions and ranges are heard.

`narrow` takes the 200 a GET or HEAD would get, content in memory or in a file, and returns that, a 304, 412,
206 or 416. The response's own ETag and Last-Modified decide, so whoever makes it says what they are.
Everything that is not such a 200 passes unchanged, and narrowing twice is narrowing once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.conditional import ETag, Outcome, evaluate, range_applies
from penstock.http.dates import parse_date
from penstock.http.file_response import FileResponse
from penstock.http.problem import problem
from penstock.http.ranges import UNSATISFIABLE, Multipart, content_range, parse_range, unsatisfied_range
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.http.ranges import Range
    from penstock.http.request import Request

# RFC 9110 §15.4.5, and Last-Modified for who has no other validator.
_IN_304 = frozenset(
    {"cache-control", "content-location", "etag", "expires", "last-modified", "set-cookie", "vary"}
)
_OF_CONTENT = frozenset({"content-length", "content-type", "content-encoding", "content-disposition"})


def narrow(request: Request, response: Response) -> Response:
    """Return what answers the request, given the response with the whole content.

    >>> from penstock.http.request import Request
    >>> asked = Request.build(headers=[("Range", "bytes=1-2")])
    >>> narrow(asked, Response(b"abcd", headers={"ETag": '"1"'})).body
    b'bc'
    """
    method, asked = request.method, request.headers
    if response.status != 200 or method not in ("GET", "HEAD"):
        return response
    if isinstance(response, FileResponse) and response.is_final:
        return response
    own = response.headers
    etag, modified = ETag.parse(own.get("etag", "")), parse_date(own.get("last-modified", ""))
    outcome = evaluate(method, asked, etag=etag, last_modified=modified)
    if outcome is Outcome.NOT_MODIFIED:
        fields = [line for line in own.lines() if line[0].lower() in _IN_304]
        return Response(b"", 304, fields)
    if outcome is Outcome.FAILED:
        return problem(412, headers=_others(response))
    wanted = asked.get("range")
    if wanted is None or method != "GET" or not range_applies(asked, etag, modified):
        return response
    size = response.file.size if isinstance(response, FileResponse) else len(response.body)
    ranges = parse_range(wanted, size)
    if ranges is None:
        return response
    if ranges is UNSATISFIABLE:
        return problem(416, headers=[("Content-Range", unsatisfied_range(size)), *_others(response)])
    return _part(response, ranges, size)


def _part(response: Response, ranges: Sequence[Range], size: int) -> Response:
    fields = [line for line in response.headers.lines() if line[0].lower() != "content-length"]
    if len(ranges) == 1:
        media_type = response.media_type
        fields.append(("Content-Range", content_range(*ranges[0], size)))
        spans: list[bytes | Range] = [ranges[0]]
    else:
        parts = Multipart(ranges, size, response.media_type)
        media_type = parts.media_type
        fields = [line for line in fields if line[0].lower() != "content-type"]
        spans = [piece for pair in zip(parts.heads, ranges, strict=True) for piece in pair]
        spans.append(parts.tail)
    if isinstance(response, FileResponse):
        return FileResponse(response.file, 206, fields, media_type, spans=spans)
    body = response.body
    pieces = [span if isinstance(span, bytes) else body[span[0] : span[1]] for span in spans]
    return Response(b"".join(pieces), 206, fields, media_type)


def _others(response: Response) -> list[tuple[str, str]]:
    """Return the fields that are not about the content: they hold for a refusal, too."""
    validators = {"etag", "last-modified", "cache-control", "expires"}
    return [line for line in response.headers.lines() if line[0].lower() not in _OF_CONTENT | validators]
