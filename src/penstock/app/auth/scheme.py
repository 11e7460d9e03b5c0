"""What all schemes share: the field Authorization, the challenge, and how OpenAPI names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from penstock.errors import ApplicationError, HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.request import Request

_NAME = re.compile(r"[A-Za-z0-9._-]+")  # OpenAPI 3.1 §4.8.7.1, keys of components
_QUOTABLE = re.compile(r"[\t\x20-\x7e]*+")


class Scheme:
    """A way to say who one is. `scheme_name` and `security_scheme` are what OpenAPI shows."""

    scopes: tuple[str, ...] = ()

    def __init__(
        self,
        kind: str,
        realm: str,
        *,
        scheme_name: str,
        security_scheme: dict[str, Any],
        description: str | None,
        optional: bool,
    ) -> None:
        where = type(self).__name__
        if not isinstance(realm, str) or not _QUOTABLE.fullmatch(realm):
            raise ApplicationError(f"{where}: realm={realm!r}; expected printable ASCII")
        if not isinstance(scheme_name, str) or not _NAME.fullmatch(scheme_name):
            raise ApplicationError(f"{where}: scheme_name={scheme_name!r}; expected letters, digits, '.-_'")
        self.realm = realm
        self.scheme_name = scheme_name
        self.security_scheme = security_scheme
        if description:
            self.security_scheme["description"] = description
        self._kind = kind
        self.is_optional = optional
        self._missing = self.challenge()

    def challenge(self, **parameters: str | None) -> str:
        """Return the value of WWW-Authenticate (RFC 9110 §11.6.1) with further parameters."""
        given = {"realm": self.realm, **parameters}
        quoted = [f'{name}="{_escaped(value)}"' for name, value in given.items() if value is not None]
        return f"{self._kind} {', '.join(quoted)}"

    def check_optional(self) -> None:
        """Raise what is due when a request says nothing of who makes it, where that is not allowed."""
        if not self.is_optional:
            raise HTTPError(401, "authentication is needed", headers={"WWW-Authenticate": self._missing})

    def refused(self, detail: str = "the credentials are not valid") -> HTTPError:
        """Return the 401 for credentials that are not valid, to be raised."""
        return HTTPError(401, detail, headers={"WWW-Authenticate": self.challenge()})

    def forbidden(self, needed: Iterable[str]) -> HTTPError:
        """Return the 403 for valid credentials that do not suffice, to be raised."""
        return HTTPError(403, f"this needs {' '.join(needed)}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.scheme_name}>"


def credentials(request: Request, kind: str) -> str | None:
    """Return what stands behind the name of a scheme in Authorization; None when that is missing or another
    scheme's.
    """
    # Two lines are joined with a comma, which is in no credential of the schemes here: they are not valid.
    text: str | None = request.headers.get("authorization")
    if text is None:
        return None
    name, _, rest = text.partition(" ")
    return rest.lstrip(" ") if name.lower() == kind else None


class Secrets:
    """Secrets by the names of those who have them. What is asked is compared with every one, in a time that
    tells nothing.
    """

    def __init__(self, where: str, secrets: Mapping[str, str]) -> None:
        if not isinstance(secrets, Mapping):
            raise ApplicationError(f"{where}: expected a dict of secrets by name")
        for name, secret in secrets.items():
            if not isinstance(name, str) or not isinstance(secret, str) or not secret.isascii() or not secret:
                raise ApplicationError(f"{where}: {name!r}: expected names, and secrets of ASCII letters")
        if len(set(secrets.values())) < len(secrets):
            raise ApplicationError(f"{where}: two have the same secret")
        self._named = [(name, _digest(secret)) for name, secret in secrets.items()]

    def owner(self, secret: str) -> str | None:
        """Return the name of who has this secret."""
        asked = _digest(secret)
        found = None
        for name, digest in self._named:
            if compare_digest(asked, digest):
                found = name
        return found


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
