"""`MethodOverride`: a POST that means PUT, PATCH or DELETE, for forms and for clients that can send no other.

The method is known before a route is looked for, so routes and hooks see the one that is meant. A field of
the request is read with the head. A field of an urlencoded form is there only with the content: such a POST
is received whole, by the limit and the deadline of a POST, and then takes the route of the method it names.

It never makes a safe method, nor of one: what checks unsafe methods checks these. But a page of another site
may send a POST without asking, so it belongs beside `FetchMetadata` or `CSRF`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.app.layers import hand_over
from penstock.errors import ApplicationError, HTTPError
from penstock.http.handler import TASK, THREAD, Endpoint
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from penstock.http.request import Request

    Resolve = Callable[[Request], Endpoint]
    MakeEndpoint = Callable[[Callable[[], Response]], Endpoint]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_FORM = "application/x-www-form-urlencoded"


class MethodOverride:
    """Takes the method from the field `header`, or from `field` of an urlencoded form; None for neither. For
    `App(hooks=[...])` only.
    """

    def __init__(self, header: str | None = "X-HTTP-Method-Override", field: str | None = "_method") -> None:
        for what, name in (("header", header), ("field", field)):
            if name is not None and (not isinstance(name, str) or _NAME.fullmatch(name) is None):
                raise ApplicationError(f"MethodOverride: {what}={name!r} is no name of a field")
        if header is None and field is None:
            raise ApplicationError("MethodOverride: header or field says where the method is")
        self._header = header.lower() if header is not None else None
        self._field = None
        if field is not None:
            self._field = re.compile(rf"(?:\A|&){re.escape(field)}=([^&]*+)".encode())

    def resolving(self, resolve: Resolve, make_endpoint: MakeEndpoint) -> Resolve:
        """Return what finds the endpoint of a request, by the method that is meant."""
        header, field = self._header, self._field

        def resolve_meant(request: Request) -> Endpoint:
            if request.method != "POST":
                return resolve(request)
            named = request.headers.get(header) if header is not None else None
            if named is not None:
                method = named.strip(" \t").upper()
                if method not in _METHODS:
                    return make_endpoint(_refuse)
                request.method = method
                return resolve(request)
            endpoint = resolve(request)
            # What streams its content, or sends its reply itself, has no form to look into.
            if field is None or endpoint.streams_body or endpoint.after is not None or not _is_form(request):
                return endpoint
            return _later(endpoint, resolve, make_endpoint, field)

        return resolve_meant


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip(" \t").lower() == _FORM


def _refuse() -> Response:
    raise HTTPError(400, "a POST may stand for PUT, PATCH or DELETE only")


def _refuse_length() -> Response:
    raise HTTPError(413)


def _later(
    posted: Endpoint, resolve: Resolve, make_endpoint: MakeEndpoint, field: re.Pattern[bytes]
) -> Endpoint:
    """Return what receives a form and then has it answered by the route of the method it names."""

    async def call(request: Request) -> Response:
        found = field.search(request.body)
        if found is None:
            return await _run(posted, request)
        method = found[1].decode("latin-1").upper()
        if method not in _METHODS:
            return await _run(make_endpoint(_refuse), request)
        request.method = method
        endpoint = resolve(request)
        if endpoint.body_limit is not None and len(request.body) > endpoint.body_limit:
            return await _run(make_endpoint(_refuse_length), request)
        if endpoint.streams_body:
            request.stream = Whole(request.body)
            request.body = b""
        return await _run(endpoint, request)

    return Endpoint(
        call,
        TASK,
        body_limit=posted.body_limit,
        route=posted.route,
        timeout_s=posted.timeout_s,
        lingers=True,  # the route that is meant may
    )


async def _run(endpoint: Endpoint, request: Request) -> Response:
    server = request.server
    if endpoint.run == THREAD and server is not None:
        answer = await hand_over(server, endpoint.call, request)
    else:
        answer = endpoint.call(request)
    return answer if isinstance(answer, Response) else await answer


class Whole:
    """A body that is there, as a stream."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def _take(self) -> bytes:
        octets, self._octets = self._octets, b""
        return octets

    def __iter__(self) -> Iterator[bytes]:
        if octets := self._take():
            yield octets

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if octets := self._take():
            yield octets

    async def read(self) -> bytes:
        return self._take()

    def read_sync(self) -> bytes:
        return self._take()
