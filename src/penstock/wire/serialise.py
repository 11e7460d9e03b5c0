"""Responses to octets (RFC 9112 §4, §6).

The head of a response depends on its status, media type and own fields alone, up to the digits of
Content-Length; it is rendered once a second, with the Date, and looked up after that; one with own fields
when it comes again. Every octet an application chose is checked before it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import LocalProtocolError
from penstock.http.dates import format_date
from penstock.http.headers import render_fields
from penstock.http.status import REASONS, has_content, reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.headers import MutableHeaders
    from penstock.http.kept_response import KeptFile, KeptResponse
    from penstock.http.request import Request
    from penstock.http.response import Response

    Key = tuple[Any, ...]  # status, media type, and each own field as (name, value)
    from penstock.http.upgrade import UpgradeResponse

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# What an application may say about framing is read, never copied.
_FRAMING = frozenset({"content-length", "connection"})

_UPGRADE = frozenset({"connection", "upgrade", "content-length", "content-type", "transfer-encoding"})

_HEADS = 256  # heads kept; media types and fields come from applications, so there has to be a bound
_SEEN = 1_024


def closes(response: Response) -> bool:
    """True when the application asked for the connection to end with this response."""
    if response.own_headers is None:
        return False
    # PERF: most have no such field, 0.3 us for three others against 1.2 through `get`.
    for name, value in response.own_headers.lines():
        if (
            len(name) == len("connection")
            and name.lower() == "connection"
            and "close" in [option.strip().lower() for option in value.split(",")]
        ):
            return True
    return False


def render_interim(status: int, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return an interim response (RFC 9110 §15.2); LocalProtocolError for fields that cannot be sent."""
    line = b"HTTP/1.1 %d %b\r\n" % (status, reason(status).encode("ascii"))
    return b"%b%b\r\n" % (line, render_fields(fields))


class Serialiser:
    """Renders responses. `set_date` must be called before the first one, and then each second."""

    __slots__ = ("_date", "_heads", "_seen", "_server")

    def __init__(self, server: str | None = None) -> None:
        self._server = render_fields([("Server", server)]) if server else b""
        self._date = b""  # the Date line
        self._heads: dict[Key, bytes] = {}
        self._seen: set[int] = set()
        """Hashes of keys that came once."""

    def set_date(self, epoch: float) -> None:
        """Set the time, in seconds since the epoch, that Date shows from now on."""
        self._date = b"Date: %b\r\n" % format_date(epoch).encode("ascii")
        self._heads = {}

    def render(
        self,
        request: Request | None,
        response: Response,
        persistent: bool = True,  # noqa: FBT001, FBT002 - PERF: positional, 30 ns
    ) -> bytes:
        """Return a complete response. LocalProtocolError when the application asked for what is not HTTP."""
        if response.is_kept:
            return self._render_kept(request, response, persistent=persistent)  # type: ignore[arg-type]
        # PERF: one look-up and one format, 0.35 us against 1.9 us through `_render_fully`, 0.7 against 4 with
        # three fields of one's own; benchmarks/serialise.py.
        if persistent and (request is None or (request.method != "HEAD" and request.version == b"1")):
            own = response.own_headers
            key: Key = (response.status, response.media_type)
            if own is not None:
                key += tuple(own.lines())
            head = self._heads.get(key)
            if head is not None:
                body = response.body
                return b"%b%d\r\n\r\n%b" % (head, len(body), body)
            if self._is_worth_keeping(response, key):
                self._keep_head(response, key)
        return self._render_fully(request, response, persistent=persistent)

    def _render_kept(self, request: Request | None, response: KeptResponse, *, persistent: bool) -> bytes:
        if not persistent or request is None or request.method == "HEAD" or request.version != b"1":
            return self._render_fully(request, response.original, persistent=persistent)
        date, octets = response.rendered
        if date is not self._date:
            octets = self._render_fully(request, response.original, persistent=True)
            response.rendered = (self._date, octets)
        return octets

    def render_kept_head(self, request: Request, response: KeptFile, *, persistent: bool) -> bytes:
        """Return the head of a file that is kept open; the content follows."""
        if not persistent or request.version != b"1":
            return self.render_stream_head(request, response, persistent=persistent)[0]
        date, head = response.rendered
        if date is not self._date:
            date = self._date
            head = self.render_stream_head(request, response, persistent=True)[0]
            response.rendered = (date, head)
        return head

    def _is_worth_keeping(self, response: Response, key: Key) -> bool:
        """A head that is followed by nothing but the length of the content, and comes again: fields of an
        application may never be the same.
        """
        if response.status not in REASONS or not has_content(response.status):
            return False
        fields = key[2:]
        if not fields:
            return True
        if hash(key) not in self._seen:
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen.add(hash(key))
            return False
        return not any(name.lower() in _FRAMING for name, _ in fields)

    def _keep_head(self, response: Response, key: Key) -> None:
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        head = self._status_and_fields(response, response.own_headers) + b"Content-Length: "
        self._heads[key] = head

    def _render_fully(self, request: Request | None, response: Response, *, persistent: bool) -> bytes:
        head = [self._status_and_fields(response, response.own_headers)]
        is_head = request is not None and request.method == "HEAD"
        body = response.body
        if not has_content(response.status):
            body = b""
            if response.status == 205:  # RFC 9110 §15.3.6: it says that there is no content
                head.append(b"Content-Length: 0\r\n")
        elif not is_head or body or _declared_length(response) is not None:
            head.append(b"Content-Length: %d\r\n" % self._length(response, is_head=is_head))
        # else: whoever answers HEAD by hand leaves the content out, and 0 would not be the length of it (RFC
        # 9110 §8.6)
        head.append(self._connection(request, persistent=persistent))
        head.append(b"\r\n")
        if not is_head:
            head.append(body)
        return b"".join(head)

    def _length(self, response: Response, *, is_head: bool) -> int:
        declared = _declared_length(response)
        if declared is None:
            return len(response.body)
        if declared != len(response.body) and not (is_head and not response.body):
            raise LocalProtocolError(
                500, f"Content-Length is {declared}, the content has {len(response.body)} octets"
            )
        return declared

    def render_stream_head(
        self, request: Request, response: Response, *, persistent: bool
    ) -> tuple[bytes, bool, int | None]:
        """Return the head of a response whose content follows, whether it is chunked, and its length when
        declared.

        Neither chunked nor a length: the content ends with the connection, which the head then says.
        """
        head = [self._status_and_fields(response, response.own_headers)]
        chunked, length = False, _declared_length(response)
        if not has_content(response.status):
            length = 0
        elif length is not None:
            head.append(b"Content-Length: %d\r\n" % length)
        elif request.version == b"1":
            chunked = True
            head.append(b"Transfer-Encoding: chunked\r\n")
        else:
            persistent = False
        head.append(self._connection(request, persistent=persistent))
        head.append(b"\r\n")
        return b"".join(head), chunked, length

    def render_upgrade_head(self, request: Request, response: UpgradeResponse) -> bytes:
        """Return the head of a 101. LocalProtocolError when the client did not ask for that protocol."""
        asked = (request.framing.upgrade or "").split(",")  # in lower case; None: HTTP/1.0, or not asked
        if not request.framing.persistent or response.protocol.lower() not in [
            name.strip() for name in asked
        ]:
            raise LocalProtocolError(500, f"the client did not ask for an upgrade to {response.protocol}")
        lines = [] if response.own_headers is None else response.own_headers.lines()
        fields = [("Upgrade", response.protocol), ("Connection", "Upgrade")]
        fields += [(name, value) for name, value in lines if name.lower() not in _UPGRADE]
        line = b"HTTP/1.1 101 Switching Protocols\r\n"
        return b"%b%b%b%b\r\n" % (line, self._date, self._server, render_fields(fields))

    @staticmethod
    def _connection(request: Request | None, *, persistent: bool) -> bytes:
        if not persistent:
            return b"Connection: close\r\n"
        if request is not None and request.version == b"0":
            return b"Connection: keep-alive\r\n"
        return b""

    def _status_and_fields(self, response: Response, headers: MutableHeaders | None) -> bytes:
        """Return status line, Date, and the application's fields without those that frame the message."""
        status = response.status
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise LocalProtocolError(500, f"status {status!r} is not a final status from 200 to 599")
        line = b"HTTP/1.1 %d %b\r\n" % (status, reason(status).encode("ascii"))
        lines = [] if headers is None else headers.lines()
        names = {name.lower() for name, _ in lines}
        if "transfer-encoding" in names:
            raise LocalProtocolError(
                500, "Transfer-Encoding belongs to the server; a StreamResponse is chunked by itself"
            )
        if names & _FRAMING:
            lines = [(name, value) for name, value in lines if name.lower() not in _FRAMING]
        if "upgrade" in names:  # RFC 9110 §7.8: a 426 says so for this hop
            lines = [*lines, ("Connection", "Upgrade")]
        if response.media_type is not None and "content-type" not in names:
            lines = [("Content-Type", response.media_type), *lines]
        fixed = b"" if "date" in names else self._date
        if "server" not in names:
            fixed += self._server
        return line + fixed + render_fields(lines)


def _declared_length(response: Response) -> int | None:
    """Return the Content-Length the application set itself, or None."""
    declared = response.own_headers.get("content-length") if response.own_headers is not None else None
    if declared is None:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise LocalProtocolError(500, f"Content-Length {declared!r} is not a number")
    return int(declared)
