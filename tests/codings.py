"""Content codings from the other side: by the decoders of their own libraries, whole or as octets arrive."""

from __future__ import annotations

import os
import zlib
from typing import Any

import pytest

from penstock.http.coders import is_available

CODINGS = ("zstd", "br", "gzip")


def need_coding(coding: str) -> None:
    """Skip loudly, or under CI=true fail, where a coding is not installed."""
    if not is_available(coding):
        verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        verdict(f"content coding {coding!r} is not installed; the extra 'compression' brings it")


class Decoder:
    """Decodes octets as they arrive; `is_over` once their end was among them."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._decoder: Any
        if coding == "gzip":
            self._decoder = zlib.decompressobj(31)
        elif coding == "br":
            import brotli

            self._decoder = brotli.Decompressor()
        else:
            self._decoder = _zstd().ZstdDecompressor()

    def decode(self, octets: bytes) -> bytes:
        if self._coding == "br":
            decoded: bytes = self._decoder.process(octets)
        else:
            decoded = self._decoder.decompress(octets) if octets else b""
        return decoded

    @property
    def is_over(self) -> bool:
        return bool(self._decoder.is_finished() if self._coding == "br" else self._decoder.eof)


def decode(coding: str | None, octets: bytes) -> bytes:
    """The whole content, which must be complete."""
    if coding is None:
        return octets
    decoder = Decoder(coding)
    decoded = decoder.decode(octets)
    assert decoder.is_over, f"the {coding} content is cut short"
    return decoded


def _zstd() -> Any:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return zstd
