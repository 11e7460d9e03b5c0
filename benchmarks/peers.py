"""Peers: where they are, which there are, and how one gets them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FIND = "import sys, importlib.util as u; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"


def find_python(environment: Path | None) -> str:
    """Return the interpreter that has the peers."""
    return sys.executable if environment is None else str(environment.resolve() / "bin" / "python")


def importable(environment: Path | None, modules: Iterable[str]) -> set[str]:
    """Return which of these modules the peers' interpreter can import."""
    command = [find_python(environment), "-c", _FIND, *modules]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"no interpreter with peers: {error}") from None
    return set(found.split())


def import_here(environment: Path | None, module: str) -> str | None:
    """Make a peer's module importable in this process; what is in the way, or None.

    Another version of Python cannot take its extension modules.
    """
    if environment is not None:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        folder = str(environment.resolve() / "lib" / version / "site-packages")
        if folder not in sys.path:
            sys.path.append(folder)
    return how_to_get(module) if find_spec(module) is None else None


def how_to_get(module: str) -> str:
    """Return the sentence that says a peer is missing."""
    return f"{module}: not installed; pip install {module}, or name an environment that has it with --peers"
