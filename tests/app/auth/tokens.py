"""Keys and tokens for tests, made with `cryptography` and by hand: what no library would make is needed, too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import get_default_algorithms

SECRET = "s" * 64
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@cache
def private_key(algorithm: str, which: int = 0) -> Any:
    """A key for an algorithm; others for other numbers."""
    if algorithm.startswith("HS"):
        return f"{which}{SECRET}"
    if algorithm.startswith("ES"):
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate() if which < 9 else ed448.Ed448PrivateKey.generate()
    return rsa_key(which)


@cache
def rsa_key(which: int = 0, bits: int = 2048) -> Any:
    return rsa.generate_private_key(65537, bits)


def private_pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: Any) -> str:
    """What the one who verifies has."""
    if isinstance(key, str):
        return key
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def jwk(algorithm: str, key: Any, **members: Any) -> dict[str, Any]:
    """The public key as a JWK."""
    public = key if isinstance(key, str) else key.public_key()
    if algorithm.startswith("ES"):
        # Of a fixed length (RFC 7518 §6.2.1.2), which old versions of pyjwt forget.
        size, point = (public.key_size + 7) // 8, public.public_numbers()
        x, y = (encoded(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": f"P-{public.key_size}", "x": x, "y": y, "key_ops": ["verify"]} | members
    made = get_default_algorithms()[algorithm].to_jwk(public)
    return (json.loads(made) if isinstance(made, str) else made) | {"key_ops": ["verify"]} | members


def claims(**others: Any) -> dict[str, Any]:
    """Claims that are right, and others; None takes one out."""
    now = int(time.time())
    made = {"sub": "ann", "iat": now, "exp": now + 600} | others
    return {name: value for name, value in made.items() if value is not None}


def token(
    algorithm: str = "HS256", key: Any = None, header: dict[str, Any] | None = None, **others: Any
) -> str:
    """A token as an issuer makes it."""
    key = private_key(algorithm) if key is None else key
    return pyjwt.encode(claims(**others), key, algorithm=algorithm, headers=header)


def encoded(value: Any) -> str:
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def by_hand(header: Any, content: Any, key: bytes | None = SECRET.encode()) -> str:
    """Any octets as header and content, under a right HS256 signature, or none."""
    signed = f"{encoded(header)}.{encoded(content)}"
    mac = b"" if key is None else hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{encoded(mac)}"
