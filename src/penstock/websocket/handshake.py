"""The opening handshake (RFC 6455 §4.2): what a request must say to become a WebSocket connection.

Checked in the order of the answers: 426 to what is no handshake or another version, 400 to a malformed one,
403 to a page of a foreign origin. A browser lets any page connect anywhere and sends the user's cookies
along, so the Origin it sends is checked unless the application says otherwise; clients that are no browsers
send none.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from penstock.errors import HTTPError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Collection

    from penstock.http.request import Request

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")  # 16 octets in base64
_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}


def is_handshake(request: Request) -> bool:
    """True when a request asks for WebSocket, well or badly (RFC 9110 §7.8)."""
    names = (request.framing.upgrade or "").split(",")
    return "websocket" in [name.strip() for name in names] and request.framing.persistent


def check_handshake(request: Request, origins: Collection[str] | None = None) -> None:
    """Raise the HTTPError that answers a request which cannot be accepted. `origins`: those that pages may
    come from, `*` for any; None: this server's own.
    """
    headers = request.headers
    if request.method != "GET" or not is_handshake(request):
        raise HTTPError(426, "this path speaks WebSocket only", headers={"Upgrade": "websocket"})
    if headers.get("sec-websocket-version") != "13":
        fields = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        raise HTTPError(426, "the version of WebSocket spoken here is 13", headers=fields)
    if not _KEY.fullmatch(headers.get("sec-websocket-key", "")):  # two are joined by a comma, and no match
        raise HTTPError(400, "Sec-WebSocket-Key: expected 16 octets in base64, once")
    check_origin(request, origins)


def check_origin(request: Request, origins: Collection[str] | None = None) -> None:
    """Raise HTTPError 403 for a page of an origin that may not connect."""
    origin = request.headers.get("origin")
    if origin is not None and not _may_come_from(origin, request, origins):
        raise HTTPError(403, "WebSocket connections from pages of this origin are not accepted")


def _may_come_from(origin: str, request: Request, origins: Collection[str] | None) -> bool:
    origin = origin.lower()
    if origins is not None:
        return "*" in origins or origin in [one.lower() for one in origins]
    scheme, _, authority = origin.partition("://")
    # Not the scheme: behind a proxy that ends TLS unannounced it is not known.
    port = _PORTS.get(scheme, "")
    return bool(authority) and authority.removesuffix(port) == request.host.lower().removesuffix(port)


def offered_subprotocols(request: Request) -> list[str]:
    """Return the subprotocols the client offers, best first."""
    value = request.headers.get("sec-websocket-protocol", "")
    return [name for part in value.split(",") if (name := part.strip())]


def accept_key(request: Request) -> str:
    """Return the value of Sec-WebSocket-Accept (RFC 6455 §4.2.2)."""
    key = request.headers.get("sec-websocket-key", "").encode("ascii")
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode("ascii")


def negotiate_extensions(request: Request) -> tuple[str | None, list[Any]]:
    """Return the value of Sec-WebSocket-Extensions for the reply, None for none, and what it agrees to.
    HTTPError 400 when the client's is malformed.
    """
    offers = request.headers.get_all("sec-websocket-extensions")
    if not offers:
        return None, []
    load_protocol()
    from websockets.datastructures import Headers
    from websockets.exceptions import InvalidHandshake
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
    from websockets.server import ServerProtocol

    # Windows of 2^12 octets and level 5 take 43 KB a connection, zlib's own 2^15 and 8 take 300.
    factory = ServerPerMessageDeflateFactory(
        server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
    )
    headers = Headers([("Sec-WebSocket-Extensions", offer) for offer in offers])
    try:
        agreed: tuple[str | None, list[Any]] = ServerProtocol(extensions=[factory]).process_extensions(
            headers
        )
    except InvalidHandshake as error:
        raise HTTPError(400, f"Sec-WebSocket-Extensions: {error}") from None
    except ValueError:  # websockets before 17 agrees to a window of 2^8, which zlib cannot make
        return None, []
    return agreed


def load_protocol() -> None:
    """Raise MissingExtra when what speaks WebSocket is not installed."""
    try:
        import websockets.server  # noqa: F401 - to see whether it is there
    except ImportError:
        raise MissingExtra("WebSocket needs an extra: pip install 'penstock[standard]'") from None
