"""What a test says about a request, as URL, head and content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from urllib.parse import quote, urljoin, urlsplit

from penstock.app.routing.options import told_options
from penstock.app.testing.multipart import encode_multipart
from penstock.http.headers import MutableHeaders, render_fields
from penstock.http.json import dumps
from penstock.http.query import encode_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping

    from penstock.app.asgi_server import ForeignServer
    from penstock.app.testing.multipart import Files
    from penstock.http.headers import HeaderSource

    Content = str | bytes | Iterable[bytes] | AsyncIterable[bytes]

_KEPT_IN_URLS = "%/:?#[]@!$&'()*+,;=~"  # RFC 3986 §2.2, and what is encoded already
_FRAMING = ("content-length", "transfer-encoding")
_END = object()


class Options(TypedDict, total=False):
    """What every kind of request takes."""

    params: Mapping[str, object]
    """Appended to the query; a list gives one field for each element."""
    headers: HeaderSource
    cookies: Mapping[str, str]
    """For this request alone."""
    json: Any
    content: Content
    data: Mapping[str, object]
    """Sent as an urlencoded form."""
    files: Files
    """Sent with `data` as a multipart form: by field name octets, (name, octets) or (name, octets, type)."""
    follow_redirects: bool
    timeout: float | None
    """Seconds for each wait; None: no limit."""


class Outgoing(NamedTuple):
    """One request."""

    method: str
    url: str
    headers: MutableHeaders
    content: Content | None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def target(self) -> str:
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def to_octets(self, cookie: str) -> bytes:
        """Return the head. LocalProtocolError for fields that cannot be sent."""
        fields = list(self.headers.lines())
        if "host" not in self.headers:
            fields.insert(0, ("Host", urlsplit(self.url).netloc))
        if cookie:
            fields.append(("Cookie", cookie))
        content = self.content
        if isinstance(content, (str, bytes)) or (content is None and self.method in ("POST", "PUT", "PATCH")):
            fields.append(("Content-Length", str(len(content or b""))))
        elif content is not None:
            fields.append(("Transfer-Encoding", "chunked"))
        line = f"{self.method} {self.target} HTTP/1.1\r\n".encode("ascii")
        return b"%b%b\r\n" % (line, render_fields(fields))

    async def pieces(self, server: ForeignServer) -> AsyncIterator[bytes]:
        """Give the content; a plain iterator is asked in a thread."""
        content: Any = self.content
        if isinstance(content, bytes):
            if content:
                yield content
        elif hasattr(content, "__aiter__"):
            async for piece in content:
                yield piece
        elif content is not None:
            iterator = iter(content)
            while (piece := await server.run_in_thread(next, iterator, _END)) is not _END:
                yield piece

    def redirected(self, status: int, location: str) -> Outgoing | None:
        """Return the request a redirect asks for (RFC 9110 §15.4); None for one to another host."""
        url = normal_url(urljoin(self.url, location))
        if urlsplit(url).netloc != urlsplit(self.url).netloc or urlsplit(url).scheme not in ("http", "https"):
            return None
        headers = MutableHeaders(self.headers.lines())
        becomes_get = (status == 303 and self.method != "HEAD") or (
            status in (301, 302) and self.method == "POST"
        )
        if not becomes_get:
            if self.content is not None and not isinstance(self.content, bytes):
                raise RuntimeError(f"{status} to {location}: content from an iterator cannot be sent again")
            return Outgoing(self.method, url, headers, self.content)
        for name in list(headers):
            if name.startswith("content-"):
                headers.delete(name)
        return Outgoing("GET", url, headers, None)


def make_outgoing(
    method: str, base_url: str, path: str, defaults: MutableHeaders, options: Options
) -> Outgoing:
    """Return the request of these options. ValueError for those that contradict each other, TypeError for one
    there is none of: a test that means to send something must not pass without.
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        told = told_options(min(unknown), Options.__annotations__)
        raise TypeError(f"{method} {path}: unknown option {min(unknown)!r}; {told}")
    url = normal_url(path if "://" in path else urljoin(base_url, path))
    query = encode_query(options.get("params") or {})
    if query:
        url += ("&" if "?" in url else "?") + query
    headers = MutableHeaders(defaults.lines())
    headers.update(options.get("headers") or {})
    wrong = next((name for name in _FRAMING if name in headers), None)
    if wrong is not None:
        raise ValueError(f"{wrong} follows from the content; give an iterator for chunked content")
    given = [name for name in ("json", "content", "data") if name in options]
    if len(given) > 1:
        raise ValueError(f"give one of json, content and data, not {' and '.join(given)}")
    content: Content | None = options.get("content")
    if isinstance(content, str):
        content = content.encode()
    if "files" in options:
        if "json" in options or "content" in options:
            raise ValueError("files go with data, not with json or content")
        kind, content = encode_multipart(options.get("data") or {}, options["files"])
        headers.set("Content-Type", kind)
    elif "json" in options:
        content = dumps(options["json"])
        headers.setdefault("Content-Type", "application/json")
    elif options.get("data") is not None:
        content = encode_query(options["data"]).encode("ascii")
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return Outgoing(method.upper(), url, headers, content)


def normal_url(url: str) -> str:
    """Return an absolute URL in ASCII, without its fragment."""
    return quote(url.partition("#")[0], safe=_KEPT_IN_URLS)
