"""Which release of the application this process serves, for whatever is told of it.

Set once, when the application is loaded: by then the setting `release` is known, the file it may name, and
the version that the application has of its own. "" before, and when nobody said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from penstock.errors import ConfigError

_LONGEST: Final = 100

_release = ""


def get_release() -> str:
    """Return the release that this process serves."""
    return _release


def settle_release(setting: str | None, version: str) -> None:
    """Set it: what the setting says, else the application's own `version`. ConfigError: the file it names
    cannot be read, or has no release in its first line.
    """
    global _release  # noqa: PLW0603 - a fact of the process
    _release = _read(setting) if setting is not None else version[:_LONGEST]


def _read(setting: str) -> str:
    if not setting.startswith("@"):
        return setting[:_LONGEST]
    path = Path(setting[1:])
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"release: cannot read {path}: {reason}") from None
    if not line or len(line) > _LONGEST or not line.isprintable():
        raise ConfigError(f"release: the first line of {path} is to be up to {_LONGEST} visible characters")
    return line
