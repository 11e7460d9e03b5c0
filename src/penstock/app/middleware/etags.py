"""`ETags`: entity-tags of replies that are made anew each time, and 304 for who has the same already.

The tag is a digest of the content, 1 us for each KB, so it spares the network, not the handler. A tag that a
route sets itself is used as it is, and may spare more: nothing here is asked before it. Streams and files
have none from here: a stream's content is not known before it is sent, a file has its own. For an unsafe
request, `current` says what is there now, and If-Match is answered 412 before the handler runs.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError, HTTPError
from penstock.http.conditional import ETag, Outcome, evaluate
from penstock.http.dates import parse_date
from penstock.http.response import Response
from penstock.http.response_copy import own_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.request import Request

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OF_CONTENT = frozenset({"content-type", "content-length", "content-encoding", "content-language"})


class ETags:
    """Adds ETag to GET replies with status 200, and answers 304 and 412 by it. `weak`: the tag promises the
    same meaning, not the same octets.

    `current`, plain or async: a function of an unsafe request that returns the tag, as text or `ETag`, of
    what it is about to change, None when there is nothing; the request is answered 412 when its conditions do
    not hold. `required`: and 428 when it has none.
    """

    replaces_outer = True
    copies = True

    def __init__(
        self,
        *,
        weak: bool = False,
        current: Callable[[Request], Any] | None = None,
        required: bool = False,
    ) -> None:
        if current is not None and not callable(current):
            raise ApplicationError(f"ETags: current={current!r}; expected a function of the request")
        if required and current is None:
            raise ApplicationError("ETags(required=True) needs current=, which says what the tag is now")
        self._weak = weak
        self._current = current
        self._required = required
        is_async = current is not None and is_coroutine_function(current)
        self.before = self._look if current is not None and not is_async else None
        self.abefore = self._alook if is_async else None

    def after(self, request: Request, response: Response) -> Response:
        """Return the response with its tag, or 304 or 412 in its place."""
        if response.status != 200 or response.is_stream or response.is_kept:
            return response
        if request.method not in ("GET", "HEAD"):
            return response
        own = response.own_headers
        given = own.get("etag") if own is not None else None
        if given is None:
            if own is not None and "no-store" in own.get("cache-control", "").lower():
                return response
            tag = ETag(blake2b(response.body, digest_size=12).hexdigest(), weak=self._weak)
            response = own_copy(response, request)
            response.headers.append("ETag", str(tag))
        else:
            parsed = ETag.parse(given)
            if parsed is None:
                return response
            tag = parsed
        changed = response.own_headers.get("last-modified") if response.own_headers is not None else None
        date = parse_date(changed) if changed is not None else None
        outcome = evaluate(request.method, request.headers, etag=tag, last_modified=date)
        if outcome is Outcome.PROCEED:
            return response
        if outcome is Outcome.FAILED:
            raise HTTPError(412, headers={"ETag": str(tag)})
        return _not_modified(response, request)

    def _look(self, request: Request) -> None:
        if self._asks(request):
            assert self._current is not None  # noqa: S101 - else this is no hook
            self._decide(request, self._current(request))

    async def _alook(self, request: Request) -> None:
        if self._asks(request):
            assert self._current is not None  # noqa: S101
            self._decide(request, await self._current(request))

    def _asks(self, request: Request) -> bool:
        """Tell whether the conditions of a request are to be looked at; HTTPError 428 when it lacks them."""
        if request.method in _SAFE:
            return False
        fields = request.headers
        if fields.get("if-match") is not None or fields.get("if-none-match") is not None:
            return True
        if self._required:
            raise HTTPError(428, "say what you are about to change, in If-Match")
        return False

    @staticmethod
    def _decide(request: Request, current: Any) -> None:
        tag = ETag.parse(current) if isinstance(current, str) else current
        if current is not None and not isinstance(tag, ETag):
            raise TypeError(f"ETags: current returned {current!r:.60}, which is no entity-tag")
        method, exists = request.method, current is not None
        if evaluate(method, request.headers, etag=tag, last_modified=None, exists=exists) != Outcome.PROCEED:
            raise HTTPError(412, headers={"ETag": str(tag)} if exists else None)


def _not_modified(response: Response, request: Request) -> Response:
    """Return the 304 for a response: all its fields but those of the content (RFC 9110 §15.4.5)."""
    bare = Response(b"", 304)
    if response.own_headers is not None:
        lines = response.own_headers.lines()
        bare.headers.lines().extend(line for line in lines if line[0].lower() not in _OF_CONTENT)
    request.own_response = bare
    return bare
