"""`Signer`: octets that pass through strangers' hands and come back as they were, or not at all.

A signed value is `1.<content>.<mac>` in URL-safe letters. The content is the time of signing and the octets,
the mac is HMAC-SHA256 (RFC 2104) over all before it, under a key made of the secret and the purpose: a value
signed for one purpose says nothing for another. The first secret signs, all verify, so a new one is put in
front and the old one removed when what it signed has expired. Signed is not encrypted: anybody can read it.
"""

from __future__ import annotations

import hashlib
import time
from binascii import a2b_base64, b2a_base64
from hmac import compare_digest
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECRET_BYTES = 32  # RFC 2104 §3: no shorter than what the hash puts out
LIMIT_BYTES = 8192  # of a signed value: twice what a cookie may hold
_KNOWN, _KNOWN_BYTES = 1024, 1024  # values kept verified, and octets of one: 1 MB together
_VERSION = b"1."
_TIME_BYTES = 5  # of seconds since the epoch: until the year 36812
_SKEW_S = 60  # one host's clock may be behind another's by this much
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_INNER, _OUTER = bytes(x ^ 0x36 for x in range(256)), bytes(x ^ 0x5C for x in range(256))


class Signer:
    """Signs octets for one purpose. `secrets`: one or several, text or octets, each of 32 octets or more."""

    def __init__(self, secrets: str | bytes | Iterable[str | bytes], purpose: str) -> None:
        if not isinstance(purpose, str) or not purpose:
            raise ApplicationError(f"Signer: purpose={purpose!r}; say in a word what is signed")
        self._macs = [_mac(secret, purpose) for secret in _listed(secrets)]
        self._known: dict[str, bytes] = {}
        """What was verified: clients send the same cookie again and again. PERF: 0.5 us instead of 3."""

    def sign(self, octets: bytes) -> str:
        """Return the octets signed; ValueError when that is longer than LIMIT_BYTES.

        >>> signer = Signer("correct horse battery staple, and more of it", "doctest")
        >>> signer.verify(signer.sign(b"user 7"), max_age_s=60)
        b'user 7'
        """
        content = int(time.time()).to_bytes(_TIME_BYTES) + octets
        signed = _VERSION + _encoded(content)
        text = (signed + b"." + _encoded(self._macs[0](signed))).decode()
        if len(text) > LIMIT_BYTES:
            raise ValueError(f"{len(octets)} octets are too many to sign: {len(text)} of {LIMIT_BYTES}")
        return text

    def verify(self, text: str, max_age_s: float | None) -> bytes | None:
        """Return the octets; None when they were not signed so, or longer ago than `max_age_s`."""
        content = self._known.get(text) or self._verified(text)
        if content is None:
            return None
        age_s = time.time() - int.from_bytes(content[:_TIME_BYTES])
        if age_s < -_SKEW_S or (max_age_s is not None and age_s > max_age_s):
            return None
        return content[_TIME_BYTES:]

    def _verified(self, text: str) -> bytes | None:
        """Return the content of a value that was signed, whenever."""
        if len(text) > LIMIT_BYTES or not text.isascii():
            return None
        signed, _, mac = text.encode().rpartition(b".")
        for own in self._macs:
            if compare_digest(_encoded(own(signed)), mac):
                break
        else:
            return None
        if not signed.startswith(_VERSION):  # signed by us, but by another version
            return None
        content = a2b_base64(signed[len(_VERSION) :].translate(_FROM_URL) + b"==")
        if len(text) <= _KNOWN_BYTES:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[text] = content
        return content


def _encoded(octets: bytes) -> bytes:
    return b2a_base64(octets, newline=False).translate(_TO_URL, b"=")


def _listed(secrets: object) -> list[bytes]:
    """Return the secrets as octets; ApplicationError says what is wrong with one, never the secret itself."""
    given = [secrets] if isinstance(secrets, (str, bytes)) else secrets
    try:
        listed = [one.encode() if isinstance(one, str) else bytes(memoryview(one)) for one in given]  # type: ignore[attr-defined]
    except TypeError:
        raise ApplicationError("a secret is text or octets, or a list of such") from None
    if not listed:
        raise ApplicationError(f"no secret to sign with; {_ADVICE}")
    for place, secret in enumerate(listed):
        if len(secret) < SECRET_BYTES:
            which = f"secret {place + 1} of {len(listed)}" if len(listed) > 1 else "the secret"
            raise ApplicationError(
                f"{which} has {len(secret)} octets; {SECRET_BYTES} or more are needed; {_ADVICE}"
            )
    return listed


_ADVICE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def _mac(secret: bytes, purpose: str) -> Callable[[bytes], bytes]:
    """Return HMAC-SHA256 under the key for a purpose.

    PERF: 1.1 us; `hmac.digest` takes 3.5, because it asks OpenSSL for the algorithm anew each time.
    """
    label = f"penstock signing 1: {purpose}".encode()
    key = hashlib.pbkdf2_hmac("sha256", secret, label, 1).ljust(hashlib.sha256().block_size, b"\0")
    inner, outer = hashlib.sha256(key.translate(_INNER)), hashlib.sha256(key.translate(_OUTER))

    def mac(octets: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(octets)
        second.update(first.digest())
        return second.digest()

    return mac
