"""`Compression`: which responses are compressed for whom, and what then changes in them.

    app = App(compression=Compression())

It is put round what makes a response, at start-up, so it costs nothing where it is not wanted, and the
application and the server share it. A response is coded when its type gains by it, it is not tiny, its client
accepts a coding, and nobody has coded it or forbidden it before; the rest is left as it was. Content on the
loop beyond 32 KiB is coded in a thread. Streams are coded piece by piece (`http.coded_streams`).

Absent on purpose: files, which the server sends without reading them, see `app.static`; and a 406 for who
takes no coding at all, since the work is done by then (RFC 9110 §12.4.1 allows either).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.http.coded_streams import LOOP_BYTES, code_stream, declared_length, with_fields
from penstock.http.coders import LEVELS, available, check_coding, check_level, compress
from penstock.http.handler import TASK, THREAD
from penstock.http.headers import MutableHeaders
from penstock.http.kept_response import KeptResponse
from penstock.http.media_types import is_compressible
from penstock.http.negotiation import choose_encoding
from penstock.http.response import Response, StreamResponse
from penstock.http.status import has_content

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from penstock.http.handler import Call
    from penstock.http.request import Request

# A response that fits into one packet with its head arrives no sooner for being shorter.
MINIMUM_BYTES = 1024

# Whoever states these has settled what is sent: a part, a coding, or a digest of just these octets.
_SETTLED = frozenset({"content-encoding", "content-range", "content-digest", "repr-digest", "digest"})
_VARY = ("Vary", "Accept-Encoding")


class Compression:
    """What is compressed, and how. `types`: media types such as "application/json" or "text/*"; None for a
    table of those that gain by it. `codings`: the best first; None for zstd and br where they are installed,
    and gzip. `levels`: by coding, {"gzip": 6}.

    MissingExtra when a coding is named that is not installed.
    """

    def __init__(
        self,
        *,
        minimum_bytes: int = MINIMUM_BYTES,
        types: Iterable[str] | None = None,
        codings: Sequence[str] | None = None,
        levels: Mapping[str, int] | None = None,
    ) -> None:
        if minimum_bytes < 0:
            raise ValueError(f"minimum_bytes={minimum_bytes!r}: expected a number of octets")
        self._minimum = minimum_bytes
        self._levels = {**LEVELS, **(levels or {})}
        self._codings = available() if codings is None else tuple(codings)
        for coding in self._codings:
            check_coding(coding)
        for coding, level in self._levels.items():
            check_level(coding, level)
        if isinstance(types, str):
            raise TypeError("types takes several media types, not one str")
        self._types = None if types is None else frozenset(one.lower() for one in types)

    def put_round(self, call: Call, run: int) -> Call:
        """Return `call`, which runs as `http.handler` says by `run`, with compression behind it."""

        async def finish(request: Request, awaitable: Awaitable[Response]) -> Response:
            answer = await awaitable
            if not isinstance(answer, Response):
                return answer  # the server says what is wrong with it
            coded = self._answer(request, answer)
            return coded if isinstance(coded, Response) else await coded

        async def coroutine(request: Request) -> Response:
            return await finish(request, call(request))  # type: ignore[arg-type]  # see TASK

        def compressed(request: Request) -> Response | Awaitable[Response]:
            answer = call(request)
            if not isinstance(answer, Response):
                return finish(request, answer)
            return self.apply(request, answer) if run == THREAD else self._answer(request, answer)

        return coroutine if run == TASK else compressed

    def apply(self, request: Request, response: Response) -> Response:
        """Return what is sent for this response. May take long for long content."""
        if response.is_kept:
            return self._apply_kept(request, response)
        coding = self._decide(request, response)
        if coding is None:
            return _as_its_client_knows_it(request, response)
        if coding == "identity":
            return _with_fields(response, None)
        if isinstance(response, StreamResponse):
            if request.method == "HEAD":  # its content goes nowhere, coded or not
                return with_fields(response, _fields(response, coding))
            return code_stream(request, response, _fields(response, coding), coding, self._levels[coding])
        if not response.body:  # to HEAD, from an application that spares itself the content
            bare = StreamResponse((), response.status)
            bare.media_type, bare.own_headers = response.media_type, _fields(response, coding)
            return bare
        body = compress(coding, response.body, self._levels[coding])
        if len(body) >= len(response.body) and _takes_identity(request):
            return _with_fields(response, None)
        return _with_fields(response, coding, body)

    def _apply_kept(self, request: Request, response: Response) -> Response:
        """Code what is sent many times once, and keep that."""
        if not isinstance(response, KeptResponse) or response.coded is None:
            return response
        coding = self._decide(request, response.original)
        if coding is None:
            return response
        kept = response.coded.get(coding)
        if kept is None:
            kept = KeptResponse(self.apply(request, response.original))
            if _takes_identity(request):  # else what it gets is not what others get
                response.coded[coding] = kept
        return kept

    def _answer(self, request: Request, response: Response) -> Response | Awaitable[Response]:
        """The same on the loop: long content is coded in a thread."""
        if response.is_kept:
            return self._answer_kept(request, response)
        if len(response.body) > LOOP_BYTES and request.server is not None:
            if self._decide(request, response) in (None, "identity"):
                return self.apply(request, response)
            return request.server.continue_in_thread(self.apply, request, response)
        return self.apply(request, response)

    def _answer_kept(self, request: Request, response: Response) -> Response | Awaitable[Response]:
        if isinstance(response, KeptResponse) and response.coded is not None and request.server is not None:
            coding = self._decide(request, response.original)
            is_new = coding not in (None, "identity") and coding not in response.coded
            if is_new and len(response.body) > LOOP_BYTES:
                return request.server.continue_in_thread(self._apply_kept, request, response)
        return self._apply_kept(request, response)

    def _decide(self, request: Request, response: Response) -> str | None:
        """Return the coding for a response; "identity" when another client may get another one, None when
        it is left alone.
        """
        if response.is_kept or (response.is_stream and not isinstance(response, StreamResponse)):
            return None
        if not has_content(response.status) or response.status == 206:
            return None
        fields, media_type = response.own_headers, response.media_type
        length = None if response.is_stream else len(response.body)
        if fields is not None:
            if not _SETTLED.isdisjoint(fields.keys()):
                return None
            if "no-transform" in fields.get("cache-control", "").lower():  # RFC 9110 §7.7
                return None
            media_type = fields.get("content-type", media_type)
            if response.is_stream or (not length and request.method == "HEAD"):
                length = declared_length(response, length)
        accepted: Any = request.headers.get("accept-encoding")
        if length == 0 or not self._is_worth(media_type or "", length):
            # RFC 9110 §12.5.3: who refuses identity is served in another coding all the same.
            if length == 0 or choose_encoding(accepted, ()) is not None:
                return None
            return choose_encoding(accepted, self._codings)
        return choose_encoding(accepted, self._codings) or "identity"

    def _is_worth(self, media_type: str, length: int | None) -> bool:
        if length is not None and length < self._minimum:
            return False
        if self._types is None:
            return is_compressible(media_type)
        essence = media_type.partition(";")[0].strip(" \t").lower()
        return essence in self._types or f"{essence.partition('/')[0]}/*" in self._types


def _takes_identity(request: Request) -> bool:
    accepted: Any = request.headers.get("accept-encoding")
    return choose_encoding(accepted, ()) is not None


def _with_fields(response: Response, coding: str | None, body: bytes | None = None) -> Response:
    """Return a copy that varies and, with a coding, is another representation: the response itself may be
    sent to others.
    """
    fields = _fields(response, coding)
    if isinstance(response, StreamResponse):
        return with_fields(response, fields)
    copy = Response(response.body if body is None else body, response.status)
    copy.media_type = response.media_type
    copy.own_headers = fields
    return copy


def _fields(response: Response, coding: str | None) -> MutableHeaders:
    """Return the fields with Vary and, when the content is coded, with what that changes."""
    own = response.own_headers
    if own is None:
        return MutableHeaders([_VARY] if coding is None else [("Content-Encoding", coding), _VARY])
    fields = MutableHeaders(own.lines())
    if coding is not None:
        fields.delete("content-length")
        fields.delete("accept-ranges")  # ranges are of the content that was coded
        fields.set("Content-Encoding", coding)
        etag = fields.get("etag")
        if etag is not None:
            fields.set("ETag", _weak(etag))
    vary = fields.get("vary")
    names = [name.strip().lower() for name in (vary or "").split(",")]
    if vary is None:
        fields.append(*_VARY)
    elif "*" not in names and "accept-encoding" not in names:
        fields.set("Vary", f"{vary}, Accept-Encoding")
    return fields


def _weak(etag: str) -> str:
    """RFC 9110 §8.8.3.3: other octets need another strong validator, but a weak one may be shared. And what
    the client sends back still matches in If-None-Match, whoever evaluates that.
    """
    return etag if etag.startswith("W/") else f"W/{etag}"


def _as_its_client_knows_it(request: Request, response: Response) -> Response:
    """Return a 304 with the ETag under which this client got the coded content (RFC 9110 §15.4.5)."""
    if response.status != 304 or response.own_headers is None:
        return response
    etag, asked = response.own_headers.get("etag", ""), request.headers.get("if-none-match")
    if not etag.startswith('"') or not isinstance(asked, str):
        return response
    known = [one.strip(" \t") for one in asked.split(",")]
    if etag in known or _weak(etag) not in known:
        return response
    copy = Response(b"", 304)
    copy.own_headers = _fields(response, None)
    copy.own_headers.set("ETag", _weak(etag))
    return copy
