"""Status codes: the IANA registry with the phrases of RFC 9110, and which of them carry content.

The phrases are those of today's registry (413 Content Too Large, 422 Unprocessable Content), which the
standard library's `http.HTTPStatus` learnt only in Python 3.13.
"""

from __future__ import annotations

# https://www.iana.org/assignments/http-status-codes, without the unused 306 and the obsoleted 418 and 510
REASONS: dict[int, str] = {
    100: "Continue",
    101: "Switching Protocols",
    102: "Processing",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
}

_CLASSES = ("Informational", "Success", "Redirection", "Client Error", "Server Error")


def reason(status: int) -> str:
    """Return the phrase of a status; an unregistered one gets the name of its class (RFC 9110 §15).

    >>> reason(413), reason(499), reason(799)
    ('Content Too Large', 'Client Error', 'Unknown')
    """
    known = REASONS.get(status)
    if known is not None:
        return known
    return _CLASSES[status // 100 - 1] if 100 <= status <= 599 else "Unknown"


def has_content(status: int) -> bool:
    """Say whether a response of this status may carry content: not 1xx, 204, 205, 304 (RFC 9110 §15, §6.4.1).

    A 200 to HEAD carries none either, which the status cannot tell.

    >>> has_content(200), has_content(204)
    (True, False)
    """
    return status >= 200 and status not in (204, 205, 304)
