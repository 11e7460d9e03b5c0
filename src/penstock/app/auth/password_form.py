"""`OAuth2PasswordForm`: what a client sends for a token in the flow "password" (RFC 6749 §4.3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class OAuth2PasswordForm:
    """Take it as `form: Annotated[OAuth2PasswordForm, Form()]`."""

    username: str
    password: str = field(repr=False)
    grant_type: Literal["password"] = "password"
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    @property
    def scopes(self) -> list[str]:
        """What the client asks for."""
        return self.scope.split()
