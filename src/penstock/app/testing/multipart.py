"""Fields and files as multipart/form-data, as a browser writes it (WHATWG HTML §4.10.21.8)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    File = bytes | str | tuple[str, bytes | str] | tuple[str, bytes | str, str]
    Files = Mapping[str, File | list[File]]

_ESCAPED = str.maketrans({"\n": "%0A", "\r": "%0D", '"': "%22"})


def encode_multipart(data: Mapping[str, object], files: Files) -> tuple[str, bytes]:
    """Return Content-Type and content. A file is its octets, or (name, octets), or (name, octets, type); a
    list stands for several of one field.
    """
    boundary = os.urandom(16).hex()
    pieces: list[bytes] = []
    for name, value in _each(data):
        pieces.append(_head(boundary, f'name="{_escaped(name)}"') + str(value).encode())
    for name, value in _each(files):
        filename, octets, *kind = value if isinstance(value, tuple) else ("file", value)
        head = f'name="{_escaped(name)}"; filename="{_escaped(filename)}"\r\n'
        head += f"Content-Type: {kind[0] if kind else 'application/octet-stream'}"
        pieces.append(_head(boundary, head) + (octets.encode() if isinstance(octets, str) else octets))
    pieces.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"\r\n".join(pieces)


def _each(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, one


def _head(boundary: str, rest: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {rest}\r\n\r\n".encode()


def _escaped(name: str) -> str:
    return name.translate(_ESCAPED)
