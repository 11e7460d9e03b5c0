"""Regular expressions of Python as JSON Schema has them, ECMA-262's."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\\.                          # an escape
    | \[\^?\]?(?:\\.|[^\]\\])*\]     # a set
    | \(\?P<\w+> | \(\?P=\w+\) | \(\?\#[^)]*\) | \(\?>  # a name, a reference, a comment, an atomic group
    | \(\?[aiLmsux-]+[:)]            # flags
    | (?:[*+?]|\{[0-9]*,?[0-9]*\})\+ # a possessive quantifier
    | .""",
    re.VERBOSE | re.DOTALL,
)
_SAME = {r"\A": "^", r"\Z": "$"}
_ABSENT = (r"\a",)


def to_ecma(pattern: str) -> str | None:
    r"""Return the same expression in the syntax of ECMA-262; None where that has no words for it: flags
    inside, atomic groups, possessive quantifiers.

    >>> to_ecma(r"\A(?P<year>[0-9]{4})\Z")
    '^(?<year>[0-9]{4})$'
    """
    written = []
    for token in _TOKEN.findall(pattern):
        if token.startswith("(?P<"):
            written.append("(?<" + token[4:])
        elif token.startswith("(?P="):
            written.append(f"\\k<{token[4:-1]}>")
        elif token.startswith("(?#"):
            continue
        elif token in _ABSENT or re.fullmatch(r"\(\?(?:>|[aiLmsux-]+[:)])|(?:[*+?]|\{.*\})\+", token):
            return None
        else:
            written.append(_SAME.get(token, token))
    return "".join(written)
