"""What was wrong with a request, in a word: the bounded kinds by which faults are counted.

What a client sends may stand in the text of a fault, so the text decides by how it begins or by words of
ours; whatever it says, the kind is one of these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.errors import RemoteProtocolError

_BY_STATUS: Final = {
    413: "content_too_large",
    414: "target_too_long",
    417: "expectation",
    431: "head_too_large",
    505: "version",
}
_BY_TEXT: Final = (
    (408, r"no complete head", "slow_head"),
    (408, r"", "slow_content"),
    (501, r"method ", "unknown_method"),
    (501, r"", "unknown_coding"),
    (400, r"the connection ended", "cut_short"),
    (400, r"expected a PROXY|PROXY protocol", "proxy_protocol"),
    (400, r"no Host|more than one Host|not a host|no such port", "host"),
    (400, r"unequal Content-Length|both Transfer-Encoding|Content-Length", "content_length"),
    (400, r"Transfer-Encoding|an empty element|the last transfer coding|chunked applied", "coding"),
    (400, r"expected CR LF after|malformed size|the size line|more chunk|expected 1 to 16", "chunk"),
    (400, r"a bare |control octet 0x..$", "octet"),
    (400, r"a request line|malformed request line|more than one empty line", "request_line"),
    (400, r"a method|method names", "method"),
    (400, r"a field|a line that begins|white space|not a field|the field", "field"),
    (
        400,
        r"CONNECT needs|the target|the request-target|.{1,80} (in the|in a|has no place in a) request-target",
        "target",
    ),
)
_COMPILED: Final = [(status, re.compile(words), kind) for status, words, kind in _BY_TEXT]
OTHER: Final = "malformed"
KINDS: Final = frozenset({*_BY_STATUS.values(), *(kind for _, _, kind in _BY_TEXT), OTHER})


def kind_of(fault: RemoteProtocolError) -> str:
    """Return one of `KINDS`."""
    status = fault.status
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    for number, words, kind in _COMPILED:
        if number == status and words.match(fault.detail):
            return kind
    return OTHER
