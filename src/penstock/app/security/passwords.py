"""Passwords as hashes by scrypt (RFC 7914), which costs whoever steals them time and memory for each guess.

A hash is one text with everything to check it, `$scrypt$ln=15,r=8,p=3$<salt>$<hash>` in the PHC format, so
that the cost can be raised: `needs_rehash` tells when a user logs in. Checking against None, for a user who
does not exist, takes as long as for one who does. A hash takes 32 MiB and a tenth of a second and more: the
forms for the loop do it in threads of their own, one for each core, so that a wave of logins waits for its
turn and not the whole application.
"""

from __future__ import annotations

import hashlib
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from functools import cache
from hmac import compare_digest
from os import cpu_count, urandom
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import normalize

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

LIMIT_BYTES = 1024  # of a password: hashing must not cost a client's octets; longer than any sentence
_SALT_BYTES, _HASH_BYTES = 16, 32
_MEMORY_LIMIT_BYTES = 1 << 28  # what a hash may ask for, wherever it comes from
_HASH = re.compile(
    r"\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})"
)


class ScryptCost(NamedTuple):
    """What a hash costs: 2 ** `ln` rounds in 128 * `r` * 2 ** `ln` octets of memory, `p` times."""

    ln: int = 15
    r: int = 8
    p: int = 3
    # OWASP Password Storage Cheat Sheet, scrypt: of the settings that it calls equal (ln=17 p=1, ln=16 p=2,
    # ln=15 p=3, ln=14 p=5, each with r=8) one that takes 32 MiB, for servers that hash several at once.


COST = ScryptCost()


class _Read(NamedTuple):
    cost: ScryptCost
    salt: bytes
    digest: bytes


def hash_password(password: str, *, cost: ScryptCost = COST) -> str:
    """Return the hash of a password, with a new salt. ValueError for an empty one, and for one of more than
    1024 octets.
    """
    octets = _octets(password)
    if not octets or len(octets) > LIMIT_BYTES:
        raise ValueError(f"a password has 1 to {LIMIT_BYTES} octets, not {len(octets)}")
    salt = urandom(_SALT_BYTES)
    digest = _scrypt(octets, salt, cost, _HASH_BYTES)
    return f"$scrypt$ln={cost.ln},r={cost.r},p={cost.p}${_encoded(salt)}${_encoded(digest)}"


def verify_password(password: str, hashed: str | None, *, cost: ScryptCost = COST) -> bool:
    """Tell whether a password is the one that was hashed. For None, when there is no such user, it is False,
    after the time that a hash of this `cost` takes. ValueError for what is no hash of ours.
    """
    read = _read(hashed) if hashed is not None else _nobody(cost)
    octets = _octets(password)
    if len(octets) > LIMIT_BYTES:
        return False
    digest = _scrypt(octets, read.salt, read.cost, len(read.digest))
    return compare_digest(digest, read.digest) and hashed is not None


def needs_rehash(hashed: str, *, cost: ScryptCost = COST) -> bool:
    """Tell whether a hash was made at another cost: hash the password again when it has been verified."""
    return _read(hashed).cost != cost


async def ahash_password(password: str, *, cost: ScryptCost = COST) -> str:
    """`hash_password` for coroutines: in a thread."""
    from asyncio import get_running_loop

    return await get_running_loop().run_in_executor(_threads(), lambda: hash_password(password, cost=cost))


async def averify_password(password: str, hashed: str | None, *, cost: ScryptCost = COST) -> bool:
    """`verify_password` for coroutines: in a thread."""
    from asyncio import get_running_loop

    return await get_running_loop().run_in_executor(
        _threads(), lambda: verify_password(password, hashed, cost=cost)
    )


def _octets(password: str) -> bytes:
    """Return a password as octets: the same for the same characters, however they were typed (RFC 8265)."""
    if not isinstance(password, str):
        raise TypeError(f"a password is a str, not {type(password).__name__}")
    if len(password) > LIMIT_BYTES:  # not worth normalizing
        return password.encode("utf-8", "surrogatepass")
    return normalize("NFC", password).encode("utf-8", "surrogatepass")


def _scrypt(octets: bytes, salt: bytes, cost: ScryptCost, length: int) -> bytes:
    rounds = 1 << cost.ln
    # RFC 7914 §6: p blocks of 128 * r octets, and N of them and two more to work in.
    memory = 128 * cost.r * (rounds + cost.p + 2)
    if memory > _MEMORY_LIMIT_BYTES:
        raise ValueError(f"{cost} takes {memory} octets of memory; {_MEMORY_LIMIT_BYTES} are allowed")
    return hashlib.scrypt(octets, salt=salt, n=rounds, r=cost.r, p=cost.p, maxmem=memory, dklen=length)


def _read(hashed: str) -> _Read:
    match = _HASH.fullmatch(hashed)
    try:
        if match is not None:
            return _Read(ScryptCost(*map(int, match.groups()[:3])), _decoded(match[4]), _decoded(match[5]))
    except Base64Error:
        pass
    raise ValueError("no hash made by hash_password: expected $scrypt$ln=..,r=..,p=..$<salt>$<hash>")


@cache
def _nobody(cost: ScryptCost) -> _Read:
    """A hash nobody has the password of."""
    return _Read(cost, urandom(_SALT_BYTES), urandom(_HASH_BYTES))


@cache
def _threads() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(cpu_count() or 1, thread_name_prefix="penstock-password")


def _encoded(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
