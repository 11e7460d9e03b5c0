"""`JWT` and `RemoteJWT`: claims that somebody signed (RFC 7519), checked as RFC 8725 advises.

Signature first, then every claim that is checked here: `exp` (which must be there unless `required` says
otherwise), `nbf`, `iat`, `aud`, `iss`. A token for an audience is refused where none is expected. What is
wrong with a token is said in a word, for whoever holds it; the token is in no message and no log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

from penstock.app.auth.bearer import BearerAuth
from penstock.app.auth.guard import requires
from penstock.app.auth.jws import (
    Key,
    KeySet,
    Token,
    check_algorithms,
    read_key_set,
    read_signing_key,
    read_token,
    sign,
    verifying_keys,
)
from penstock.app.auth.remote_keys import RemoteKeys
from penstock.app.auth.scheme import Scheme
from penstock.errors import ApplicationError
from penstock.http.json import loads
from penstock.http.request import Request  # noqa: TC001 - read from the annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.errors import HTTPError


class Claims(dict[str, Any]):
    """What a token says, verified."""

    scopes: frozenset[str] = frozenset()
    """What its holder may do."""

    @property
    def subject(self) -> str | None:
        """Whom the token is about."""
        return self.get("sub")


class _Rules(NamedTuple):
    """What claims must be."""

    audiences: frozenset[str]
    issuers: frozenset[str]
    leeway_s: float
    required: tuple[str, ...]
    scope_claim: str

    def check(self, claims: dict[str, Any]) -> None:
        """ValueError says what is wrong with claims."""
        for name in self.required:
            if claims.get(name) is None:
                raise ValueError(f"the token lacks the claim {name}")
        now = time.time()
        expires, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
        if expires is not None and expires + self.leeway_s <= now:  # RFC 7519 §4.1.4: on or after
            raise ValueError("the token has expired")
        if any(one is not None and one - self.leeway_s > now for one in (begins, issued)):
            raise ValueError("the token is not valid yet")
        named = claims.get("aud", [])
        audiences = [named] if isinstance(named, str) else named
        if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
            raise ValueError("the claim aud is malformed")
        if (self.audiences or audiences) and not self.audiences.intersection(audiences):
            raise ValueError("the token is for another audience")
        if self.issuers and not (isinstance(claims.get("iss"), str) and claims["iss"] in self.issuers):
            raise ValueError("the token is from another issuer")
        if not isinstance(claims.get("sub", ""), str):
            raise ValueError("the claim sub is malformed")  # noqa: TRY004 - as for every other claim

    def scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        stated = claims.get(self.scope_claim)
        if isinstance(stated, str):  # RFC 8693 §4.2
            return frozenset(stated.split())
        return (
            frozenset(one for one in stated if isinstance(one, str))
            if isinstance(stated, list)
            else frozenset()
        )


class TokenOptions(TypedDict, total=False):
    """What both kinds take."""

    audience: str | Iterable[str] | None
    """Which `aud` is accepted; one of several. None: only tokens for nobody in particular."""
    issuer: str | Iterable[str] | None
    """Which `iss` is accepted; None: any."""
    leeway_s: float
    """How far the clock of the issuer may be off; 0 unless given."""
    required: Iterable[str]
    """Claims that must be there; `["exp"]` unless given."""
    scope_claim: str
    """Where the scopes are, a text with spaces or a list; "scope" unless given."""
    scheme: Scheme
    """Where the token stands: `OAuth2Password(...)`, `APIKey(cookie=...)`; a `BearerAuth` unless given."""
    optional: bool
    """None instead of 401 for a request without a token."""


class _Tokens:
    """What both kinds share: where a token stands, what it must say."""

    scopes: tuple[str, ...] = ()

    def __init__(self, algorithms: Iterable[str], options: TokenOptions) -> None:
        required, leeway_s = options.get("required", ("exp",)), options.get("leeway_s", 0)
        self._where = type(self).__name__
        self._algorithms = check_algorithms(self._where, algorithms)
        if isinstance(required, str) or not leeway_s >= 0:
            raise ApplicationError(
                f"{self._where}: required={required!r}, leeway_s={leeway_s!r}; expected a list, and seconds"
            )
        self._rules = _Rules(
            _names(self._where, "audience", options.get("audience")),
            _names(self._where, "issuer", options.get("issuer")),
            leeway_s,
            tuple(required),
            options.get("scope_claim", "scope"),
        )
        optional, scheme = options.get("optional", False), options.get("scheme")
        if scheme is None:
            scheme = BearerAuth(scheme_name="jwt", bearer_format="JWT", optional=optional)
        elif not isinstance(scheme, Scheme) or optional:
            raise ApplicationError(
                f"{self._where}: scheme={scheme!r}: expected a scheme, which says itself if it is optional"
            )
        self.scheme = scheme
        """Where the token stands, and what is answered without."""
        self.scheme_name, self.security_scheme = scheme.scheme_name, scheme.security_scheme

    def challenge(self) -> str:
        """Return the value of WWW-Authenticate."""
        return self.scheme.challenge()

    def refused(self, detail: str = "the token is not valid") -> HTTPError:
        """Return the 401 for a token that is not accepted, to be raised."""
        return self.scheme.refused(detail)

    def forbidden(self, needed: Iterable[str]) -> HTTPError:
        """Return the 403 for a token that does not suffice, to be raised."""
        return self.scheme.forbidden(needed)

    def requires(self, *scopes: str) -> Callable[..., Any]:
        """Return a dependency that gives the claims of a token with all these scopes; 403 without one."""
        return requires(*scopes, of=self)  # type: ignore[arg-type]  # each kind is called with the request

    def _sent(self, request: Request) -> Token | None:
        text = self.scheme(request)  # type: ignore[operator]  # every scheme is called with the request
        try:
            return None if text is None else read_token(text)
        except ValueError:
            raise self.refused("the token is malformed") from None

    def _claims(self, token: Token, keys: list[Key]) -> Claims:
        if not any(key.verifies(token) for key in keys):
            raise self.refused("the signature is not valid")
        try:
            values = loads(token.content)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise self.refused("the token is malformed")
        try:
            self._rules.check(values)
        except ValueError as error:
            raise self.refused(str(error)) from None
        claims = Claims(values)
        claims.scopes = self._rules.scopes(values)
        return claims


class JWT(_Tokens):
    """Depend on it for the `Claims` of a token; 401 without one that is right.

    `key`: a secret of 32 octets or more for HS256, or the public key as PEM; or several, each is tried. Or
    `jwks`, a JWK Set as a dict. `algorithms` must be named, for the token is not asked. `signing_key` is what
    `issue` signs with, the private key; for HS256 the first `key`. Further options: `TokenOptions`.
    """

    def __init__(
        self,
        key: Any = None,
        *,
        algorithms: Iterable[str],
        jwks: Mapping[str, Any] | None = None,
        signing_key: Any = None,
        **options: Unpack[TokenOptions],
    ) -> None:
        super().__init__(algorithms, options)
        if (key is None) == (jwks is None):
            raise ApplicationError("JWT: expected a key, or jwks")
        if jwks is not None:
            self._keys = _given_set(jwks, self._algorithms)
        else:
            given = list(key) if isinstance(key, (list, tuple)) else [key]
            self._keys = KeySet(
                one for each in given for one in verifying_keys("JWT", each, self._algorithms)
            )
            if signing_key is None and self._algorithms[0].startswith("HS"):
                signing_key = given[0]
        self._signing_key = None
        if signing_key is not None:
            self._signing_key = read_signing_key("JWT", signing_key, self._algorithms[0])

    def __call__(self, request: Request) -> Claims | None:
        """Return the claims of a request; HTTPError 401."""
        token = self._sent(request)
        return None if token is None else self._claims(token, self._keys.candidates(token))

    def issue(self, claims: Mapping[str, object], *, expires_in_s: float) -> str:
        """Return a token with these claims that is accepted here, signed by the first of the algorithms."""
        if self._signing_key is None:
            raise ApplicationError("JWT: issue needs signing_key=, the private key")
        now = int(time.time())
        made: dict[str, object] = {"iat": now, "exp": now + int(expires_in_s)}
        for name, values in (("iss", self._rules.issuers), ("aud", self._rules.audiences)):
            if len(values) == 1:
                made[name] = next(iter(values))
        return sign({**made, **claims}, self._algorithms[0], self._signing_key)


class RemoteJWT(_Tokens):
    """As `JWT`, with the keys that an issuer publishes at `jwks_url`. They are fetched at the first token,
    again after `max_age_s`, and when a token names an unknown key, then every 30 s at most. When they cannot
    be had those known stay in use; without any it is a 503.
    """

    def __init__(
        self,
        jwks_url: str,
        *,
        algorithms: Iterable[str],
        max_age_s: float = 3600,
        timeout_s: float = 10,
        **options: Unpack[TokenOptions],
    ) -> None:
        super().__init__(algorithms, options)
        if self._algorithms[0].startswith("HS"):
            raise ApplicationError(
                "RemoteJWT: a secret is not published; name RS256, ES256 or another of theirs"
            )
        self._keys = RemoteKeys(jwks_url, self._algorithms, max_age_s=max_age_s, timeout_s=timeout_s)

    async def __call__(self, request: Request) -> Claims | None:
        """Return the claims of a request; HTTPError 401, or 503."""
        token = self._sent(request)
        if token is None:
            return None
        keys = await self._keys.candidates(token) if token.algorithm in self._algorithms else []
        return self._claims(token, keys)


def _given_set(jwks: Mapping[str, Any], algorithms: tuple[str, ...]) -> KeySet:
    try:
        keys = read_key_set(dict(jwks), algorithms)
    except (ValueError, TypeError) as error:
        raise ApplicationError(f"JWT: jwks: {error}") from None
    if not len(keys):
        raise ApplicationError(f"JWT: jwks has no key for {', '.join(algorithms)}")
    return keys


def _names(where: str, option: str, given: object) -> frozenset[str]:
    if given is None:
        return frozenset()
    names = [given] if isinstance(given, str) else list(given)  # type: ignore[call-overload]
    if not names or not all(isinstance(one, str) and one for one in names):
        raise ApplicationError(f"{where}: {option}={given!r}; expected a text, or several")
    return frozenset(names)


def _moment(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate (RFC 7519 §2); None when there is none."""
    value = claims.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError(f"the claim {name} is malformed")
    return value
