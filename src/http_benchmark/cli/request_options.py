"""The options that say what is requested and what counts as success, and what they mean: for clients and
load alike.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from http_benchmark.errors import UsageError


def add_request_options(group: argparse._ArgumentGroup) -> None:
    """Add fields, content, expectations and whether certificates are checked."""
    group.add_argument(
        "--headers", metavar="JSON", help='fields to send, such as \'{"Accept": "text/html"}\''
    )
    group.add_argument("--body", metavar="TEXT", help="content to send")
    group.add_argument("--body-file", type=Path, metavar="PATH", help="a file whose content is sent")
    group.add_argument(
        "--expect-status",
        metavar="CODES",
        help="what counts as success, such as 200 or 200,404; default 200 to 399",
    )
    group.add_argument("--expect-body", metavar="TEXT", help="what content must be to count as success")
    group.add_argument(
        "--verify-ssl",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="check certificates; on by default",
    )


def read_headers(text: str | None) -> dict[str, str]:
    """Return the fields of a JSON object; UsageError says what is wrong with it."""
    if text is None:
        return {}
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--headers is no JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UsageError('--headers must be a JSON object of strings, such as {"Accept": "text/html"}')
    for name, value in found.items():
        if not name or not name.isascii() or any(char in name for char in "\r\n\0: ") or _is_split(value):
            raise UsageError(f"--headers: {name!r} with the value {value!r} is no field that can be sent")
    return found


def _is_split(value: str) -> bool:
    return any(char in value for char in "\r\n\0")


def read_body(options: argparse.Namespace) -> bytes:
    """Return the content to send."""
    if options.body is not None and options.body_file is not None:
        raise UsageError("--body and --body-file say two different things; give one")
    if options.body_file is None:
        return (options.body or "").encode()
    try:
        return bytes(options.body_file.read_bytes())
    except OSError as error:
        raise UsageError(f"--body-file {options.body_file}: {error.strerror}") from None


def read_statuses(text: str | None) -> frozenset[int]:
    """Return the codes of a list such as "200,404"."""
    if text is None:
        return frozenset()
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isdigit() and 100 <= int(word) <= 599):
            raise UsageError(f"--expect-status: {word!r} is no status code, such as 200")
    return frozenset(int(word) for word in words)
