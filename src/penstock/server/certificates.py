"""Certificates as files: the names one is for, and one made for development.

The `ssl` module tells the names of a peer's certificate, never of our own, so they are read from its DER
here: down to subjectAltName (RFC 5280 §4.2.1.6) and nothing else. What cannot be read names nobody.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_SEQUENCE, _OCTETS, _OID, _EXTENSIONS, _DNS_NAME = 0x30, 0x04, 0x06, 0xA3, 0x82
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"  # 2.5.29.17

_DAYS = 90
_RENEW_S = 60 * 86_400
_NAMES = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1"

_USAGE = "keyUsage=critical,digitalSignature,keyCertSign"  # strict clients ask for it in what they trust


def names_of(pem: bytes) -> list[str]:
    """Return the DNS names, in lower case, that the first certificate in a PEM file is for."""
    found = _PEM.search(pem)
    if found is None:
        return []
    try:
        return _read_names(base64.b64decode(found[1]))
    except (binascii.Error, IndexError, StopIteration, UnicodeDecodeError):
        return []


def _read_names(der: bytes) -> list[str]:
    _, certificate = next(_elements(der))
    _, signed = next(_elements(certificate))
    wrapped = next(value for tag, value in _elements(signed) if tag == _EXTENSIONS)
    _, extensions = next(_elements(wrapped))
    for _, extension in _elements(extensions):
        parts = list(_elements(extension))
        if parts[0] == (_OID, _SUBJECT_ALT_NAME) and parts[-1][0] == _OCTETS:
            _, names = next(_elements(parts[-1][1]))
            return [value.decode("ascii").lower() for tag, value in _elements(names) if tag == _DNS_NAME]
    return []


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each element (X.690 §8.1); IndexError when one is cut short."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[at : at + count], "big")
            at += count
        if at + length > len(der):
            raise IndexError
        yield tag, der[at : at + length]
        at += length


def make_self_signed() -> str:
    """Return the path of a certificate for localhost with its key, made when there is none that is fresh. The
    user's own cache keeps it, so that a browser is asked to trust it once. ConfigError when none can be made.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock"
    path = folder / "self-signed.pem"
    try:
        found = path.stat()
        if found.st_uid == os.geteuid() and time.time() - found.st_mtime < _RENEW_S:
            return str(path)
    except FileNotFoundError:
        pass
    program = shutil.which("openssl")
    if program is None:
        raise ConfigError(
            "tls_self_signed: the program openssl is needed to make a certificate, and is not there; "
            "install it (apt install openssl), or make one elsewhere and name it with --tls-cert"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as made:  # nobody else can look into it
            _run_openssl(program, Path(made))
            both = Path(made) / "both.pem"
            both.touch(mode=0o600)
            both.write_bytes((Path(made) / "key.pem").read_bytes() + (Path(made) / "cert.pem").read_bytes())
            both.replace(path)
    except OSError as error:
        raise ConfigError(f"tls_self_signed: {error}") from None
    return str(path)


def _run_openssl(program: str, folder: Path) -> None:
    key = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    words = f"req -x509 {key} -days {_DAYS} -subj /CN=localhost -addext {_NAMES} -addext {_USAGE}".split()
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    done = subprocess.run([program, *words, *files], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"tls_self_signed: openssl failed: {reason}")
