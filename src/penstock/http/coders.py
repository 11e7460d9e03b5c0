"""Content codings (RFC 9110 §8.4.1): octets coded at once or piece by piece, each piece readable on arrival.

gzip is always there; br (RFC 7932) and zstd (RFC 8878) with the extra `compression`, or what Python brings.
A coder of a stream holds memory as long as its stream lives, so its windows are small: what one holds at
most is beside `_STREAMS`.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

CODINGS = ("zstd", "br", "gzip")
"""Every coding, the best first: zstd takes a third of the time of the others for the same size."""

# PERF: 10 KB of JSON, us and octets: gzip 4 54/3433, 6 100/3331; br 4 94/3386, 5 130/3256; zstd 3 38/3446,
# 6 81/3280 (benchmarks/compression.py). The levels of content that is coded for one client and forgotten.
LEVELS = {"zstd": 3, "br": 4, "gzip": 4}
_RANGES = {"zstd": range(1, 20), "br": range(12), "gzip": range(1, 10)}

# Window and tables of a stream's coder, as logarithms. KiB held after 400 events of 70 octets: zstd 135, br
# 303, gzip 108 (benchmarks/compression.py); with the defaults of the libraries 832, 567 and 260.
_ZSTD_WINDOW, _ZSTD_TABLES = 16, 13
_BR_WINDOW, _BR_LEVEL = 16, 3
_GZIP_WINDOW, _GZIP_MEMORY = 14, 7
_GZIP_AHEAD = 262  # octets of a window that are not looked back at
_GZIP_FORMAT = 16  # added to the window: head and tail of gzip, not of zlib


class Coder(Protocol):
    """Codes one content piece by piece. For one thread at a time."""

    def code(self, piece: bytes) -> bytes:
        """Return what makes this piece readable, all of it."""
        ...

    def finish(self) -> bytes:
        """Return what ends the content."""
        ...


def is_available(coding: str) -> bool:
    """Say whether content can be coded so here."""
    return coding == "gzip" or _module(coding) is not None


@cache
def available() -> tuple[str, ...]:
    """Return the codings there are here, the best first."""
    return tuple(coding for coding in CODINGS if is_available(coding))


def check_coding(coding: str) -> None:
    """ValueError for a coding that does not exist, MissingExtra for one that is not installed."""
    _check_name(coding)
    if not is_available(coding):
        raise MissingExtra(f"content coding {coding!r} needs an extra: pip install 'penstock[compression]'")


def check_level(coding: str, level: int) -> None:
    """ValueError for a level the coding does not have."""
    _check_name(coding)
    allowed = _RANGES[coding]
    if level not in allowed:
        raise ValueError(f"level {level!r} of {coding}: expected {allowed.start} to {allowed.stop - 1}")


def _check_name(coding: str) -> None:
    if coding not in CODINGS:
        raise ValueError(f"content coding {coding!r}: expected one of {', '.join(CODINGS)}")


def compress(coding: str, content: bytes, level: int) -> bytes:
    """Return the whole content, coded."""
    if coding == "gzip":
        # PERF: 21 us instead of 68 for 1 KB: the window is no larger than the content, so less is cleared.
        window = min(15, max(9, (len(content) + _GZIP_AHEAD).bit_length()))
        coder = zlib.compressobj(level, zlib.DEFLATED, _GZIP_FORMAT + window, 8)
        return coder.compress(content) + coder.flush()
    coded: bytes
    if coding == "br":
        coded = _module("br").compress(content, quality=level)
    else:
        coded = _module("zstd").compress(content, level)
    return coded


def make_coder(coding: str, level: int) -> Coder:
    """Return a coder for a stream, of bounded memory."""
    return _STREAMS[coding](level)


class _Gzip:
    def __init__(self, level: int) -> None:
        self._coder = zlib.compressobj(level, zlib.DEFLATED, _GZIP_FORMAT + _GZIP_WINDOW, _GZIP_MEMORY)

    def code(self, piece: bytes) -> bytes:
        return self._coder.compress(piece) + self._coder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._coder.flush()


class _Br:
    def __init__(self, level: int) -> None:
        # Level 4 and up take twice the memory of 3 for a few octets less.
        self._coder = _module("br").Compressor(quality=min(level, _BR_LEVEL), lgwin=_BR_WINDOW)

    def code(self, piece: bytes) -> bytes:
        coded: bytes = self._coder.process(piece) + self._coder.flush()
        return coded

    def finish(self) -> bytes:
        coded: bytes = self._coder.finish()
        return coded


class _Zstd:
    def __init__(self, level: int) -> None:
        zstd = _module("zstd")
        name = zstd.CompressionParameter
        options = {
            name.compression_level: level,
            name.window_log: _ZSTD_WINDOW,
            name.chain_log: _ZSTD_TABLES,
            name.hash_log: _ZSTD_TABLES,
        }
        self._coder = zstd.ZstdCompressor(options=options)

    def code(self, piece: bytes) -> bytes:
        coded: bytes = self._coder.compress(piece, self._coder.FLUSH_BLOCK)
        return coded

    def finish(self) -> bytes:
        coded: bytes = self._coder.flush()
        return coded


_STREAMS: dict[str, Callable[[int], Coder]] = {"gzip": _Gzip, "br": _Br, "zstd": _Zstd}
_MODULES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd")}


@cache
def _module(coding: str) -> Any:
    """Return the module for a coding, None when there is none."""
    for name in _MODULES[coding]:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
