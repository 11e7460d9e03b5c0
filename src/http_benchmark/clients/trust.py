"""Whom clients trust: the authorities of the system for all libraries alike, never a bundle of one's own.

SSL_CERT_FILE and SSL_CERT_DIR say others, as for OpenSSL. Where the system has none, certifi's stand in, if
it is installed. One context a library and kind, made once: reading the authorities takes some 10 ms, and
contexts are safe to share between threads.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple


class Authorities(NamedTuple):
    """Where certificates of authorities are; either or both."""

    file: str | None
    folder: str | None

    @property
    def location(self) -> str | bool:
        """The one for libraries that take only one; True, their own, where there is none."""
        return self.file or self.folder or True


def find_authorities() -> Authorities:
    """Return where they are now. Where there are none nothing can be verified, and plain HTTP goes on."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return Authorities(paths.cafile, paths.capath)
    try:
        return Authorities(str(import_module("certifi").where()), None)
    except ImportError:
        return Authorities(None, None)


def make_context(library: str, *, verify: bool, http2: bool = False) -> ssl.SSLContext:
    """Return the context of a library, not to be changed by any other."""
    return _make_context(library, verify, http2, find_authorities() if verify else None)


@lru_cache(maxsize=64)
def _make_context(_library: str, _verify: bool, _http2: bool, trusted: Authorities | None) -> ssl.SSLContext:  # noqa: FBT001  # its key
    if trusted is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=trusted.file, capath=trusted.folder)
