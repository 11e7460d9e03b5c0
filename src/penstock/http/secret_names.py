"""Which names stand for secrets: `password`, `X-Api-Key`, `csrfToken`, `db.user_passwd`.

A name is read as words, whatever joins them (`-`, `_`, `.`, a capital), and it is the words that count:
`token` is one, `tokenizer`, `author` and `max_tokens` are not. A last word that says that only something
about the secret is meant (`token_type`, `cookie_name`, `password_min_length`) makes the name harmless. This
is the one list of such names: repr of header fields, logs, failure pages and dumps all ask it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_LIMIT: Final = 128
"""Characters of a name that are read, from its end: what is longer is no name a person gave."""


def words(text: str) -> frozenset[str]:
    """Return the words of a list that is written as a text."""
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

_SINGLE: Final = words(
    "password passwords passwd pwd pass passphrase passcode passkey secret secrets token "
    "authorization auth cookie cookies session csrf xsrf credential credentials otp totp pin cvv cvc "
    "ssn jwt bearer sid jsessionid phpsessid sessid apikey apikeys creditcard cardnumber privatekey "
    "csrfmiddlewaretoken"
)
_PAIRS: Final = frozenset(
    tuple(pair.split("+"))
    for pair in words(
        "api+key api+keys access+key access+keys private+key private+keys signing+key "
        "encryption+key ssh+key hmac+key master+key shared+key account+key subscription+key "
        "license+key card+number card+no cc+number credit+card security+code recovery+code "
        "recovery+codes backup+code backup+codes access+tokens refresh+tokens api+tokens "
        "auth+tokens pass+word social+security amz+signature session+ids"
    )
)
# Compounds without a joint, `dbpassword`, `authtoken`; each is long enough not to end another word.
_ENDINGS: Final = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "cookie", "sessionid", "sessid"),
    *("accesskey", "privatekey", "secretkey", "credential", "credentials"),
)
_HARMLESS_ENDS: Final = words(
    "type name names count url uri endpoint length len size timeout age ttl expiry expires "
    "expiration policy file path dir folder method mode ms seconds minutes hours days bytes chars "
    "limit max min required format scheme version algorithm alg kind class status prefix domain "
    "samesite secure httponly at in s enabled error errors exception py md txt toml json html js css "
    "crt cfg ini yml yaml log sock lock"
)
# Found in a text in lower case, they make it worth a look. One for each word above, and short.
_STEMS: Final = words(
    "pass pwd secret token auth cookie sess sid csrf xsrf credential otp pin cvv cvc ssn jwt bearer key card "
    "cc code social amz"
)


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case.

    >>> words_of("X-Api-Key"), words_of("APIKey2"), words_of("db.user_passwd")
    (('x', 'api', 'key'), ('api', 'key', '2'), ('db', 'user', 'passwd'))
    """
    return tuple(word.lower() for word in _WORDS.findall(name[-NAME_LIMIT:]))


class SecretNames:
    """Tells names of secrets; `more` are those of an application, each meant as the words it is made of.

    >>> names = SecretNames(["customer-id"])
    >>> [name for name in ("customerId", "authToken", "author", "max_tokens", "token_type") if name in names]
    ['customerId', 'authToken']
    """

    __slots__ = ("_known", "_more", "stems")

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = tuple(dict.fromkeys(words for name in more if (words := words_of(name))))
        self._known: dict[str, bool] = {}
        """Answers by name; names come from clients, so it is emptied when it is full."""
        self.stems = (*sorted(_STEMS), *(words[0] for words in self._more))

    def __contains__(self, name: str) -> bool:
        name = name[-NAME_LIMIT:]
        known = self._known.get(name)
        if known is None:
            known = self._decide(words_of(name))
            if len(self._known) >= 2048:
                self._known.clear()
            self._known[name] = known
        return known

    def _decide(self, words: tuple[str, ...]) -> bool:
        if not words:
            return False
        joined = "".join(words)
        for more in self._more:
            size = len(more)
            if joined == "".join(more) or any(
                words[at : at + size] == more for at in range(len(words) - size + 1)
            ):
                return True
        if words[-1] in _HARMLESS_ENDS:
            return False
        if joined.endswith(_ENDINGS) or any(word in _SINGLE or word.endswith(_ENDINGS) for word in words):
            return True
        return any(pair in _PAIRS for pair in pairwise(words))
