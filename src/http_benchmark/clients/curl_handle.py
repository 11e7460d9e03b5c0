"""A transfer of libcurl as both of pycurl's interfaces make it: options, what came, classes of errors."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from http_benchmark.clients.adapter import Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import find_authorities

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring

INSTALL: Final = "pip install pycurl"

_CLASSES: Final = {
    1: "protocol",  # no http URL
    3: "protocol",  # malformed URL
    6: "unreachable",  # no such host
    8: "protocol",  # a reply that is none
    16: "protocol",  # HTTP/2 framing
    18: "short",
    28: "timeout",
    35: "tls",
    52: "reset",  # closed without a reply
    55: "reset",  # cannot send
    56: "reset",  # cannot receive
    58: "tls",
    59: "tls",
    60: "tls",  # not verified
    61: "protocol",  # content coding
    66: "tls",
    77: "tls",
    80: "tls",
    83: "tls",
    90: "tls",
    91: "tls",
    92: "protocol",  # HTTP/2 stream
    95: "protocol",  # HTTP/3
}


class Handle:
    """An easy handle, set up anew only for another call."""

    def __init__(self, wiring: Wiring) -> None:
        self.pycurl = load("pycurl", INSTALL)
        self.curl = self.pycurl.Curl()
        self._wiring = wiring
        self._trusted = find_authorities() if wiring.verify else None
        self._call: Call | None = None
        self._pieces: list[bytes] = []
        self._octets = 0

    def prepare(self, call: Call) -> None:
        """Be ready to perform the call."""
        if call is not self._call:
            self._set_options(call)
            self._call = call
        self._pieces.clear()
        self._octets = 0

    def finish(self, call: Call, started_ns: int, ended_ns: int) -> Exchange:
        """Return what came. libcurl's own clock, in us, says how long before its end the head was there."""
        if call.keeps_content or not call.streams:
            content: bytes | None = b"".join(self._pieces)
            octets = len(content or b"")
        else:
            content, octets = None, self._octets
        finished_ns = perf_counter_ns()
        getinfo, pycurl = self.curl.getinfo, self.pycurl
        since_head_us = getinfo(pycurl.TOTAL_TIME_T) - getinfo(pycurl.STARTTRANSFER_TIME_T)
        return Exchange(
            getinfo(pycurl.RESPONSE_CODE),
            octets,
            started_ns,
            max(ended_ns - since_head_us * 1000, started_ns),
            finished_ns,
            content,
        )

    def connects(self) -> int:
        """How many connections the last transfer opened."""
        return int(self.curl.getinfo(self.pycurl.NUM_CONNECTS))

    def explain(self, error: Exception) -> None:
        """Give an error of connecting, sending or receiving the error of the system as its cause."""
        number = self.curl.getinfo(self.pycurl.OS_ERRNO)
        if number and error.args[0] in {7, 55, 56}:
            error.__cause__ = OSError(number, error.args[1])

    def _count(self, piece: bytes) -> None:
        self._octets += len(piece)

    def _set_options(self, call: Call) -> None:
        pycurl, curl, wiring = self.pycurl, self.curl, self._wiring
        curl.reset()
        curl.setopt(pycurl.URL, call.url)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROXY, "")  # the environment's else
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.MAXCONNECTS, wiring.connections)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, _to_ms(wiring.timeout_s))
        curl.setopt(pycurl.TIMEOUT_MS, _to_ms(wiring.timeout_s))
        http2 = pycurl.CURL_HTTP_VERSION_2TLS if wiring.http2 else pycurl.CURL_HTTP_VERSION_1_1
        curl.setopt(pycurl.HTTP_VERSION, http2)
        self._set_trust()
        self._set_request(call)
        keeps = call.keeps_content or not call.streams
        curl.setopt(pycurl.WRITEFUNCTION, self._pieces.append if keeps else self._count)

    def _set_trust(self) -> None:
        pycurl, curl, trusted = self.pycurl, self.curl, self._trusted
        curl.setopt(pycurl.SSL_VERIFYPEER, int(trusted is not None))
        curl.setopt(pycurl.SSL_VERIFYHOST, 2 if trusted else 0)
        if trusted and trusted.file:
            curl.setopt(pycurl.CAINFO, trusted.file)
        if trusted and trusted.folder:
            curl.setopt(pycurl.CAPATH, trusted.folder)

    def _set_request(self, call: Call) -> None:
        pycurl, curl = self.pycurl, self.curl
        if call.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif call.body or call.method in {"POST", "PUT", "PATCH"}:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, call.body)
        curl.setopt(pycurl.CUSTOMREQUEST, call.method)
        fields = make_fields(call)
        lines = []
        for name, value in fields.items():
            if name.lower() == "accept-encoding" and value != "identity":
                curl.setopt(pycurl.ACCEPT_ENCODING, value)  # sent, and taken off the content as all others do
            else:
                lines.append(f"{name}: {value}" if value else f"{name};")
        given = {name.lower() for name in fields}
        lines += [f"{name}:" for name in ("Content-Type", "Expect") if name.lower() not in given]  # not sent
        curl.setopt(pycurl.HTTPHEADER, lines)


def _to_ms(seconds: float) -> int:
    return max(round(seconds * 1000), 1)


def classify(error: BaseException) -> str | None:
    """Return the class of an error of libcurl by its number."""
    pycurl = load("pycurl", INSTALL)
    if not isinstance(error, pycurl.error) or not error.args:
        return None
    number = getattr(error.__cause__, "errno", None)
    return None if number else _CLASSES.get(error.args[0])
