"""Regular expressions of Python as JSON Schema has them, ECMA-262's."""

from __future__ import annotations

import re

_PART = re.compile(
    r"""\\.                          # an escape
    | \[\^?\]?(?:\\.|[^\]\\])*\]     # a set
    | \(\?P<\w+> | \(\?P=\w+\) | \(\?\#[^)]*\) | \(\?>  # a name, a reference, a comment, an atomic group
    | \(\?[aiLmsux-]+[:)]            # flags
    | \(\?                           # another kind of group, which has no number
    | (?:[*+?]|\{[0-9]*,?[0-9]*\})\+ # a possessive quantifier
    | .""",
    re.VERBOSE | re.DOTALL,
)
_SAME = {r"\A": "^", r"\Z": "$"}
_ABSENT = (r"\a",)


def to_ecma(pattern: str) -> str | None:
    r"""Return the same expression in the syntax of ECMA-262; None where that has no words for it: flags
    inside, atomic groups, possessive quantifiers. Names of groups become numbers, which all dialects know.

    >>> to_ecma(r"\A(?P<sign>[-+])[0-9]+(?P=sign)\Z")
    '^([-+])[0-9]+\\1$'
    """
    written: list[str] = []
    groups: list[str] = []
    for part in _PART.findall(pattern):
        if part == "(" or part.startswith("(?P<"):
            groups.append(part[4:-1])
            written.append("(")
        elif part.startswith("(?P="):
            written.append(f"\\{groups.index(part[4:-1]) + 1}")
        elif part.startswith("(?#"):
            continue
        elif part in _ABSENT or re.fullmatch(r"\(\?(?:>|[aiLmsux-]+[:)])|(?:[*+?]|\{.*\})\+", part):
            return None
        else:
            written.append(_SAME.get(part, part))
    return "".join(written)
