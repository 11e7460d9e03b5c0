"""What stands in braces in a definition, and what is put in its place when a server is started."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PLACEHOLDERS: Final = ("{port}", "{folder}", "{static}", "{here}", "{python}", "{peers}", "{user}")
"""In this order: the port to listen on; an empty folder of its own; the folder of the workload's files; that
of the definitions; the interpreter that has Penstock; the one that has the peers; the user it runs as.
"""
_WORD: Final = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the placeholders of one start stand for."""

    port: int
    folder: Path
    static: Path
    here: Path
    python: str
    peers: str

    def fill(self, text: str) -> str:
        """Return the text with all of them put in; braces around anything else stay."""
        values = (self.port, self.folder, self.static, self.here, self.python, self.peers, user_name())
        for word, value in zip(PLACEHOLDERS, values, strict=True):
            text = text.replace(word, str(value))
        return text


def user_name() -> str:
    """Return who runs this; "root" where nobody can tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


def unknown_placeholders(text: str) -> list[str]:
    """Return what looks like a placeholder and is none.

    >>> unknown_placeholders("--port={port} --threads={cores} {0}")
    ['{cores}']
    """
    return [word for word in _WORD.findall(text) if word not in PLACEHOLDERS]
