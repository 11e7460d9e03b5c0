"""Whether a server gives the right answer, asked before anything is timed.

Twice on one connection: a server that closes it, or answers differently the second time, would be measured
doing something else than the others.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Final

from http_benchmark.servers.subject import SubjectFailed

if TYPE_CHECKING:
    from http_benchmark.servers.definitions import Workload

TIMEOUT_S: Final = 10.0
_TOLD: Final = 100
_ASKED: Final = 2


def check(port: int, workload: Workload, timeout_s: float = TIMEOUT_S) -> int:
    """Return how many octets the content has; SubjectFailed when anything is wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    length = 0
    try:
        for number in range(_ASKED):
            connection.request(
                workload.method, workload.path, body=workload.body or None, headers=dict(workload.headers)
            )
            reply = connection.getresponse()
            content = reply.read()
            _check_reply(reply.status, content, workload)
            length = len(content)
            if number + 1 < _ASKED and connection.sock is None:
                raise SubjectFailed("it closes the connection after a reply: keep-alive does not work")
    except (OSError, http.client.HTTPException) as error:
        again = "" if not length else "a second time on the same connection: "
        raise SubjectFailed(f"it does not answer: {again}{str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    return length


def _check_reply(status: int, content: bytes, workload: Workload) -> None:
    if status != workload.status:
        raise SubjectFailed(f"wrong status {status}, right is {workload.status}: {_short(content)}")
    if workload.method == "HEAD":
        return
    right = workload.content
    if workload.kind == "length":
        if len(content) != right:
            raise SubjectFailed(f"wrong content of {len(content)} octets, right are {right}")
    elif workload.kind == "sha256":
        if (found := hashlib.sha256(content).hexdigest()) != right:
            raise SubjectFailed(f"wrong content: its SHA-256 is {found}, right is {right}")
    elif workload.kind == "json":
        try:
            value = json.loads(content)
        except ValueError:
            raise SubjectFailed(f"wrong content, no JSON: {_short(content)}") from None
        if json.dumps(value, sort_keys=True) != json.dumps(right, sort_keys=True):  # 1 is not true
            raise SubjectFailed(f"wrong content {_short(content)}, right is {json.dumps(right)}")
    elif content != right.encode():
        raise SubjectFailed(f"wrong content {_short(content)}, right is {_short(right.encode())}")


def _short(content: bytes) -> str:
    return repr(content[:_TOLD])[1:] + ("..." if len(content) > _TOLD else "")
