"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from os import PathLike


def write_file(path: str | PathLike[str], octets: bytes) -> None:
    """Write a file, in place of one that was there; OSError names it and says why that is impossible.

    What is no regular file, such as /dev/stdout, or is in a folder that cannot be written, is not replaced.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not (target.is_file() and os.access(target.parent, os.W_OK)):
            target.write_bytes(octets)
            return
        beside = target.with_name(f".{target.name[:100]}.{uuid4().hex}")
        try:
            with beside.open("xb") as stream:
                stream.write(octets)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
