"""Request heads to parse: of a bare client, of an HTTP library, of a browser, each of one exact size.

Target and one field carry a number, so that any count of heads differs in the target only, or in the
fields only.
"""

from __future__ import annotations

_BARE = "GET /{target:05d} HTTP/1.1\r\nHost: h{field:08d}\r\n\r\n"
_LIBRARY = (
    "GET /users/{target:05d}?verbose=true HTTP/1.1\r\n"
    "Host: example.org\r\n"
    "User-Agent: python-requests/2.32\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept: */*\r\n"
    "Connection: keep-alive\r\n"
    "X-Request-ID: {field:030d}\r\n"
    "\r\n"
)
_BROWSER = (
    "GET /articles/{target:05d}?page=1 HTTP/1.1\r\n"
    "Host: example.org\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    'sec-ch-ua: "Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
    "image/avif,image/webp,image/apng,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session={field:039d}\r\n"
    "\r\n"
)

SIZES = {40: _BARE, 214: _LIBRARY, 714: _BROWSER}
"""Octets of a head -> its template."""


def make_head(octets: int, *, target: int = 0, field: int = 0) -> bytes:
    r"""Return the head of that size with these numbers in it.

    >>> make_head(40, target=7)
    b'GET /00007 HTTP/1.1\r\nHost: h00000000\r\n\r\n'
    """
    return SIZES[octets].format(target=target, field=field).encode("ascii")
