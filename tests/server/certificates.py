"""Certificates for tests, made by openssl: an authority, and what it signs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

_EC = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


def openssl(*words: str) -> None:
    """Run openssl; a failure shows what it said."""
    program = shutil.which("openssl")
    assert program, "the tests of TLS need the program openssl"
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        files = ["-keyout", str(self._key), "-out", str(self.certificate)]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 insists on it
        openssl("req", "-x509", *_EC, "-days", "2", "-subj", f"/CN={name}", *usage, *files)

    def issue(self, name: str, *names: str) -> tuple[Path, Path]:
        """A certificate and its key, for `names` (localhost and 127.0.0.1 without)."""
        sans = ",".join(f"DNS:{one}" for one in names) or "DNS:localhost,IP:127.0.0.1"
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        words = ["req", "-x509", *_EC, "-days", "2", "-subj", f"/CN={name}"]
        words += ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        words += ["-addext", f"subjectAltName={sans}", "-addext", "basicConstraints=critical,CA:FALSE"]
        openssl(*words, "-keyout", str(key), "-out", str(certificate))
        return certificate, key

    def client(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority and nobody else."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context
