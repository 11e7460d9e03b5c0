"""Signed tokens (JWS, RFC 7515, compact form), read strictly and verified by keys of named algorithms.

A token is not asked how it wants to be verified: a key is for named algorithms, and one that the token names
beside them finds no key. `none` is no algorithm here, and secrets are not mixed with public keys, so a public
key is never taken for a secret. What a header may point to (`jku`, `jwk`, `x5u`, `x5c`) is not looked at, and
`kid` is compared, nothing else. The mathematics is `pyjwt`'s, and that of `cryptography` below it.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.errors import ApplicationError, MissingExtra
from penstock.http.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LIMIT_BYTES = 16_384  # of a token; those with many groups have 5,000
_KEYS_LIMIT = 100  # of a set; those of large issuers have 10
_TRIED_LIMIT = 10  # for one token
_PART = re.compile(r"[A-Za-z0-9_-]++")
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")

# RFC 7518 §3.1 and RFC 8037: what kind of key an algorithm needs.
_KINDS = {
    **{f"HS{bits}": "oct" for bits in (256, 384, 512)},
    **{f"{family}{bits}": "RSA" for family in ("RS", "PS") for bits in (256, 384, 512)},
    **{f"ES{bits}": "EC" for bits in (256, 384, 512)},
    "EdDSA": "OKP",
}
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}  # RFC 7518 §3.4
_RSA_BITS = 2048  # RFC 7518 §3.3


class Token(NamedTuple):
    """A token, taken apart; nothing of it is verified."""

    algorithm: str
    key_id: str | None
    signed: bytes
    content: bytes
    signature: bytes


class Key(NamedTuple):
    """What verifies the tokens of one algorithm."""

    algorithm: str
    key_id: str | None
    prepared: Any
    method: Any
    """What computes; of `pyjwt`."""

    def verifies(self, token: Token) -> bool:
        return bool(self.method.verify(token.signed, self.prepared, token.signature))


class KeySet:
    """Keys, to be found by what a token says of its own."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = list(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def candidates(self, token: Token) -> list[Key]:
        """Return the keys of its algorithm, of its `kid` or without one; all when it has none."""
        named = token.key_id
        return [
            key
            for key in self._keys
            if key.algorithm == token.algorithm and (named is None or key.key_id in (None, named))
        ][:_TRIED_LIMIT]


def read_token(text: str) -> Token:
    """Take a token apart. ValueError when it is none."""
    if len(text) > LIMIT_BYTES:
        raise ValueError(f"longer than {LIMIT_BYTES} octets")
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError("three parts are expected")
    head, content, signature = (_decoded(part) for part in parts)
    header = loads(head)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")  # noqa: TRY004 - as for every other fault of it
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(key_id, (str, type(None))):
        raise ValueError("alg and kid are texts")  # noqa: TRY004
    if "crit" in header:  # RFC 7515 §4.1.11: extensions that must be understood; there are none here
        raise ValueError("an extension is not known")
    return Token(algorithm, key_id, text.rpartition(".")[0].encode(), content, signature)


def sign(claims: Mapping[str, object], algorithm: str, key: Any) -> str:
    """Return a token; `key` is one that `read_signing_key` returned."""
    header = {"alg": algorithm, "typ": "JWT"}
    signed = b".".join(_encoded(dumps(part)) for part in (header, claims))
    return (signed + b"." + _encoded(_methods()[algorithm].sign(signed, key))).decode()


def check_algorithms(where: str, algorithms: Iterable[str]) -> tuple[str, ...]:
    """Return the algorithms; ApplicationError for none, unknown ones, and secrets beside public keys."""
    given = () if isinstance(algorithms, str) else tuple(algorithms)
    unknown = [one for one in given if one not in _KINDS]
    if not given or unknown:
        known = ", ".join(_KINDS)
        raise ApplicationError(f"{where}: algorithms={algorithms!r}; expected a list of {known}")
    if len({_KINDS[one] == "oct" for one in given}) > 1:
        raise ApplicationError(f"{where}: algorithms={list(given)}: HS beside others; who knows the public "
                               "key could sign with it")  # fmt: skip
    return given


def verifying_keys(where: str, given: object, algorithms: Sequence[str]) -> list[Key]:
    """Return the keys of one that was given, a secret, PEM or an object of `cryptography`."""
    found, reason = [], ""
    for algorithm in algorithms:
        try:
            prepared = _prepared(algorithm, given)
        except (ValueError, TypeError) as error:
            reason = str(error)
            continue
        found.append(Key(algorithm, None, _public(prepared), _methods()[algorithm]))
    if not found:
        raise ApplicationError(f"{where}: the key does not fit {', '.join(algorithms)}: {reason}")
    return found


def read_signing_key(where: str, given: object, algorithm: str) -> Any:
    """Return a key to sign with; ApplicationError when it is none."""
    try:
        prepared = _prepared(algorithm, given)
    except (ValueError, TypeError) as error:
        raise ApplicationError(f"{where}: the key to sign with is none for {algorithm}: {error}") from None
    if _KINDS[algorithm] != "oct" and not hasattr(prepared, "public_key"):
        raise ApplicationError(f"{where}: a private key is needed to sign with {algorithm}")
    return prepared


def read_key_set(document: object, algorithms: Sequence[str]) -> KeySet:
    """Return the keys of a JWK Set (RFC 7517) that are for these algorithms. ValueError when it is none."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError('no JWK Set: an object with "keys" is expected')  # noqa: TRY004 - what it says is wrong
    # RFC 7517 §5: what is not understood is ignored.
    return KeySet(
        key for jwk in keys[:_KEYS_LIMIT] if isinstance(jwk, dict) for key in _of_jwk(jwk, algorithms)
    )


def _of_jwk(jwk: dict[str, Any], algorithms: Sequence[str]) -> Iterable[Key]:
    if jwk.get("use", "sig") != "sig" or "verify" not in (jwk.get("key_ops") or ["verify"]):
        return
    key_id = jwk.get("kid")
    for algorithm in algorithms:
        if _KINDS[algorithm] != jwk.get("kty") or jwk.get("alg", algorithm) != algorithm:
            continue
        try:
            prepared = _prepared(algorithm, _methods()[algorithm].from_jwk(jwk))
        except (ValueError, TypeError, KeyError, AttributeError, _key_error()):
            continue
        yield Key(
            algorithm, key_id if isinstance(key_id, str) else None, _public(prepared), _methods()[algorithm]
        )


def _prepared(algorithm: str, given: Any) -> Any:
    """Return a key as `pyjwt` takes it. ValueError or TypeError when it is none for the algorithm."""
    method = _methods()[algorithm]
    try:
        prepared = method.prepare_key(given)
    except _key_error() as error:
        raise ValueError(str(error)) from None
    kind = _KINDS[algorithm]
    if kind == "oct" and len(prepared) * 8 < int(algorithm[2:]):  # RFC 7518 §3.2
        raise ValueError(
            f"the secret has {len(prepared)} octets; {int(algorithm[2:]) // 8} or more are needed"
        )
    if kind == "RSA" and prepared.key_size < _RSA_BITS:
        raise ValueError(f"the key has {prepared.key_size} bits; {_RSA_BITS} or more are needed")
    if kind == "EC" and prepared.curve.name != _CURVES[algorithm]:
        raise ValueError(f"the key is on the curve {prepared.curve.name}; {_CURVES[algorithm]} is needed")
    return prepared


def _public(prepared: Any) -> Any:
    return prepared.public_key() if hasattr(prepared, "public_key") else prepared


def _methods() -> dict[str, Any]:
    global _found  # noqa: PLW0603 - `pyjwt` makes new ones at each question
    if _found is None:
        try:
            from jwt.algorithms import get_default_algorithms, requires_cryptography
        except ImportError:
            raise MissingExtra("JWT needs an extra: pip install 'penstock[jwt]'") from None
        _found = get_default_algorithms()
        if requires_cryptography - {"ES521", "ES256K"} - _found.keys():
            _found = None
            raise MissingExtra("JWT needs an extra: pip install 'penstock[jwt]'; cryptography is missing")
    return _found


_found: dict[str, Any] | None = None


def _key_error() -> type[Exception]:
    from jwt.exceptions import PyJWTError

    return PyJWTError


def _encoded(octets: bytes) -> bytes:
    return b2a_base64(octets, newline=False).rstrip(b"=").translate(_TO_URL)


def _decoded(part: str) -> bytes:
    """Return the octets of one part. ValueError unless it is just as an encoder would write it."""
    if _PART.fullmatch(part) is None or len(part) % 4 == 1:
        raise ValueError("not base64url")
    octets = a2b_base64(part.encode().translate(_FROM_URL) + b"==")
    if _encoded(octets) != part.encode():
        raise ValueError("not base64url as it is written")
    return octets
