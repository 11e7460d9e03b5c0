"""Bearer tokens (RFC 6750), and the flows of OAuth 2 by which clients get one, as OpenAPI describes them.

The token is taken from Authorization alone: in a query it would get into logs, and into the Referer. The
schemes of OAuth 2 take a token as `BearerAuth` does; what else they say is for people and their tools.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from penstock.app.auth.scheme import Scheme, Secrets, credentials
from penstock.errors import ApplicationError, HTTPError
from penstock.http.request import Request  # noqa: TC001 - read from the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]++=*+")  # RFC 6750 §2.1


class TokenScheme(Scheme):
    """A token in Authorization, which is not checked here."""

    def __init__(
        self,
        described: dict[str, Any],
        realm: str,
        *,
        optional: bool,
        scheme_name: str,
        description: str | None,
    ) -> None:
        super().__init__(
            "Bearer",
            realm,
            scheme_name=scheme_name,
            security_scheme=described,
            description=description,
            optional=optional,
        )

    def __call__(self, request: Request) -> str | None:
        """Return the token of a request; HTTPError 401."""
        token = credentials(request, "bearer")
        if token is None:
            self.check_optional()
        elif _TOKEN.fullmatch(token) is None:
            raise self.refused("the token is malformed")
        return token

    def refused(self, detail: str = "the token is not valid") -> HTTPError:
        """Return the 401 for a token that is not valid (RFC 6750 §3.1), to be raised."""
        challenge = self.challenge(error="invalid_token", error_description=detail)
        return HTTPError(401, detail, headers={"WWW-Authenticate": challenge})

    def forbidden(self, needed: Iterable[str]) -> HTTPError:
        """Return the 403 for a token without the scopes that are needed, to be raised."""
        scope = " ".join(needed)
        challenge = self.challenge(error="insufficient_scope", scope=scope)
        return HTTPError(403, f"this needs the scope {scope}", headers={"WWW-Authenticate": challenge})


class BearerAuth(TokenScheme):
    """Depend on it for the token, a text that was not checked; with `tokens`, by name, for the name of who
    has it. Without `Authorization` it is a 401, or None with `optional=True`.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        realm: str = "application",
        optional: bool = False,
        bearer_format: str | None = None,
        scheme_name: str = "bearer",
        description: str | None = None,
    ) -> None:
        described = {"type": "http", "scheme": "bearer"}
        if bearer_format:
            described["bearerFormat"] = bearer_format
        super().__init__(
            described, realm, optional=optional, scheme_name=scheme_name, description=description
        )
        self._tokens = None if tokens is None else Secrets("BearerAuth: tokens", tokens)

    def __call__(self, request: Request) -> str | None:
        """Return the token of a request, or the name of who has it; HTTPError 401."""
        token = super().__call__(request)
        if token is None or self._tokens is None:
            return token
        owner = self._tokens.owner(token)
        if owner is None:
            raise self.refused()
        return owner


class OAuth2Password(TokenScheme):
    """A token that clients get at `token_url` for user and password: the flow "password" of OAuth 2, for
    first-party clients only. `scopes`: what each means, by name. Depend on it for the token, not checked.
    """

    def __init__(
        self,
        token_url: str,
        *,
        refresh_url: str | None = None,
        scopes: Mapping[str, str] | None = None,
        realm: str = "application",
        optional: bool = False,
        scheme_name: str = "oauth2Password",
        description: str | None = None,
    ) -> None:
        flow = _flow(scopes, tokenUrl=token_url, refreshUrl=refresh_url)
        described = {"type": "oauth2", "flows": {"password": flow}}
        super().__init__(
            described, realm, optional=optional, scheme_name=scheme_name, description=description
        )


class OAuth2AuthorizationCode(TokenScheme):
    """A token that clients get from an authorization server: the flow "authorization code" of OAuth 2. Depend
    on it for the token, not checked.
    """

    def __init__(
        self,
        authorization_url: str,
        token_url: str,
        *,
        refresh_url: str | None = None,
        scopes: Mapping[str, str] | None = None,
        realm: str = "application",
        optional: bool = False,
        scheme_name: str = "oauth2AuthorizationCode",
        description: str | None = None,
    ) -> None:
        flow = _flow(scopes, authorizationUrl=authorization_url, tokenUrl=token_url, refreshUrl=refresh_url)
        described = {"type": "oauth2", "flows": {"authorizationCode": flow}}
        super().__init__(
            described, realm, optional=optional, scheme_name=scheme_name, description=description
        )


def _flow(scopes: Mapping[str, str] | None, **urls: str | None) -> dict[str, Any]:
    """Return an OAuth Flow Object."""
    for name, url in urls.items():
        if url is not None and not isinstance(url, str):
            raise ApplicationError(f"{name}: expected a URL, not {url!r}")
    return {**{name: url for name, url in urls.items() if url is not None}, "scopes": dict(scopes or {})}
