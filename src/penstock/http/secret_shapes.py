"""Secrets that are known by what they look like, whatever they are called.

Tokens of JWT, numbers of cards, credentials of `Authorization`, passwords in URLs, private keys in PEM, and
the keys of services that begin with a mark of theirs. Every expression takes time in proportion to the text,
also to one made to be slow: a run of characters is consumed as a whole and only then judged, and what comes
in front of a run is looked at, so that none is begun within another.
"""

from __future__ import annotations

import re
from typing import Final

from penstock.http.secret_names import words

REDACTED: Final = "[redacted]"

# Each with a character that must be there for it to be worth a search.
_JWT = re.compile(r"eyJ[\w\-]*+(?:\.[\w\-]*+)*+", re.ASCII)
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----END)[^-]*+)*+"
    r"(?:-----END[A-Z0-9 ]{0,60}-----)?"
)
# One `@` and no `/` between it and the scheme; what stands before the first colon is the user.
_USERINFO = re.compile(r"(://[^\s:/@?#\"'<>]*+:)([^\s/\"'<>]*)@")
_CREDENTIALS = re.compile(r"\b(bearer|basic)([ \t]++|%20|\+)([A-Za-z0-9\-._~+/%=]++)", re.IGNORECASE)
_UNDERSCORED = re.compile(
    r"(?<![0-9A-Za-z])(?:gh[a-z]_[0-9A-Za-z]{16,}+|github_pat_\w{16,}+|[a-z]{2}_(?:live|test)_[0-9A-Za-z]{8,}+"
    r"|whsec_[\w+/=]{16,}+|npm_[0-9A-Za-z]{30,}+|hf_[0-9A-Za-z]{30,}+|dop_v1_[0-9a-f]{32,}+|shp[a-z]{2}_[0-9A-Fa-f]{32,}+)",
    re.ASCII,
)
_HYPHENED = re.compile(
    r"(?<![0-9A-Za-z])(?:xox[a-z]-[\w\-]{8,}+|xapp-[\w\-]{16,}+|glpat-[\w\-]{16,}+|sk-[\w\-]{20,}+|pypi-[\w\-]{32,}+)",
    re.ASCII,
)
_CAPITALS = re.compile(
    r"(?<![0-9A-Za-z])(?:A[KS]IA[0-9A-Z]{16}(?![0-9A-Za-z])|AIza[\w\-]{35,}+|SG\.[\w\-]{16,}+\.[\w\-]{16,}+)",
    re.ASCII,
)
# ISO/IEC 7812, by the networks there are: a number of 13 to 19 digits that is a time begins with 1.
_CARD = re.compile(
    r"(?<![0-9A-Za-z])(?:[2-6][0-9]{3}([ .+\-]|%20)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
    r"|3[0-9]{3}([ .+\-]|%20)[0-9]{6}\2[0-9]{4,5}|[2-6][0-9]{12,18})(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])[0-9]{1,12}\.[0-9]++"  # a decimal number, consumed and left as it is
)
_MAY_BE_CARD = re.compile(r"[2-6][0-9]{3}(?:[ .+\-]|%20)?[0-9]{4}")

_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))

# Said of the scheme, not sent with it.
_NO_CREDENTIALS: Final = words(
    "a an and are as at auth authentication authorization by code credentials error fails for from "
    "has header in is or of realm scheme schemes string the to token tokens type usage user username "
    "using value values was with"
)

_PARAMETERS: Final = words("realm charset error scope qop stale algorithm")


def hide_shapes(text: str) -> str:
    """Return a text in which each secret of a known shape is `[redacted]`."""
    # PERF: a look for one character takes 17 ns, for a word 55, a search of 100 characters 450.
    if "J" in text and "eyJ" in text:
        text = _JWT.sub(_hidden_jwt, text)
    if "@" in text and "://" in text:
        text = _USERINFO.sub(_hidden_userinfo, text)
    if "_" in text:
        text = _UNDERSCORED.sub(REDACTED, text)
    if "-" in text:
        if "xox" in text or "sk-" in text or "xapp-" in text or "glpat-" in text or "pypi-" in text:
            text = _HYPHENED.sub(REDACTED, text)
        if "PRIVATE KEY" in text:
            text = _PEM.sub(REDACTED, text)
    if ("G" in text and "SG." in text) or (
        "A" in text and ("AKIA" in text or "ASIA" in text or "AIza" in text)
    ):
        text = _CAPITALS.sub(REDACTED, text)
    low = text.lower()
    if "bearer" in low or "basic" in low:
        text = _CREDENTIALS.sub(_hidden_credentials, text)
    # PERF: counting digits takes half of searching them.
    has_digits = not text.isascii() or len(text.encode().translate(None, _NO_DIGITS)) >= 13
    if has_digits and _MAY_BE_CARD.search(text) is not None:
        text = _CARD.sub(_hidden_card, text)
    return text


def is_card(digits: str) -> bool:
    """Tell whether digits satisfy the check of card numbers (ISO/IEC 7812-1, annex B: Luhn).

    >>> is_card("4242424242424242"), is_card("4242424242424241")
    (True, False)
    """
    total = sum(map(int, digits[-1::-2]))
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def _hidden_jwt(found: re.Match[str]) -> str:
    whole = found[0]
    parts = whole.split(".", 2)
    # Two parts are enough: the third may be empty, or was cut off where a text has a limit.
    return REDACTED if len(parts) > 1 and len(parts[0]) > 8 and parts[1] else whole


def _hidden_userinfo(found: re.Match[str]) -> str:
    return f"{found[1]}{REDACTED}@" if found[2] else found[0]


def _hidden_credentials(found: re.Match[str]) -> str:
    scheme, gap, value = found.groups()
    bare = value.rstrip(".")
    if bare.partition("=")[0].lower() in _PARAMETERS:  # of a challenge (RFC 9110 §11.6.1)
        return found[0]
    is_word = bare.isalpha() and (bare.lower() in _NO_CREDENTIALS or scheme[1:4].lower() != "ear")
    if (is_word and bare[1:].islower()) or (len(bare) < 4 and not bare.isdigit()):
        return found[0]
    return f"{scheme}{gap}{REDACTED}"


def _hidden_card(found: re.Match[str]) -> str:
    whole = found[0].replace("%20", " ")
    digits = "".join(one for one in whole if "0" <= one <= "9")
    return REDACTED if len(digits) > 12 and digits[0] > "1" and is_card(digits) else found[0]
