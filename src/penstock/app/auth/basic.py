"""`BasicAuth`: user and password in every request (RFC 7617). Over HTTPS only, for anybody can read them."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from hmac import compare_digest
from typing import NamedTuple

from penstock.app.auth.scheme import Scheme, credentials
from penstock.errors import ApplicationError
from penstock.http.request import Request  # noqa: TC001 - read from the annotation

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # RFC 7617 §2: in neither of both


class BasicCredentials(NamedTuple):
    """Who somebody says to be. `repr` leaves the password out."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"BasicCredentials({self.username!r}, ...)"


class BasicAuth(Scheme):
    """Depend on it for `BasicCredentials`, which were not checked, or with `users`, passwords by name, which
    were. Without `Authorization` it is a 401, or None with `optional=True`.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        realm: str = "application",
        optional: bool = False,
        scheme_name: str = "basic",
        description: str | None = None,
    ) -> None:
        super().__init__(
            "Basic",
            realm,
            scheme_name=scheme_name,
            security_scheme={"type": "http", "scheme": "basic"},
            description=description,
            optional=optional,
        )
        self._missing = self.challenge()
        self._users = None if users is None else _checked(users)

    def challenge(self, **parameters: str | None) -> str:
        """Return the value of WWW-Authenticate; browsers then encode in UTF-8 (RFC 7617 §2.1)."""
        return super().challenge(charset="UTF-8", **parameters)

    def __call__(self, request: Request) -> BasicCredentials | None:
        """Return the credentials of a request; HTTPError 401."""
        text = credentials(request, "basic")
        if text is None:
            self.check_optional()
            return None
        found = _decoded(text)
        if found is None or (self._users is not None and not self._is_known(found)):
            raise self.refused()
        return found

    def _is_known(self, given: BasicCredentials) -> bool:
        users = self._users or {}
        name, password = (part.encode("utf-8", "surrogatepass") for part in given)
        is_known = False
        for known, right in users.items():
            # `&`: both are compared whatever the first says.
            is_known |= compare_digest(known, name) & compare_digest(right, password)
        return is_known


def _checked(users: Mapping[str, str]) -> dict[bytes, bytes]:
    if not isinstance(users, Mapping):
        raise ApplicationError("BasicAuth: users: expected a dict of passwords by name")
    for name, password in users.items():
        if not isinstance(name, str) or not isinstance(password, str) or not password or ":" in name:
            raise ApplicationError(f"BasicAuth: users: {name!r}: expected names without ':', and passwords")
    return {name.encode(): password.encode() for name, password in users.items()}


def _decoded(text: str) -> BasicCredentials | None:
    """Return what RFC 7617 §2 says stands in the credentials."""
    try:
        pair = a2b_base64(text, strict_mode=True).decode()
    except (Base64Error, ValueError):
        return None
    name, colon, password = pair.partition(":")
    return BasicCredentials(name, password) if colon and _CONTROL.search(pair) is None else None
