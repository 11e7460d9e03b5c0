"""Names of files that clients send, made harmless: one component, visible characters, no device.

What a client calls its file is text it chose. `safe_file_name` keeps what people recognise and drops what
file systems, shells and eyes take for something else: folders, control and invisible characters
(right-to-left overrides among them), what Windows reserves, leading dots and dashes. It does not make a name
unique.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_BYTES: Final = 200  # ext4, NTFS and APFS take 255; the rest is for what a program adds

_RESERVED_SIGNS = re.compile(r'[<>:"|?*]')  # Windows; ":" opens a stream of the file there
_SPACES = re.compile(r"\s+")
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\.|\Z)", re.IGNORECASE
)


def safe_file_name(name: str) -> str:
    r"""Return a name that can stand in a folder; "file" when nothing of it can.

    >>> safe_file_name("C:\\Users\\ada\\r\u00e9sum\u00e9.pdf"), safe_file_name("../../.bashrc")
    ('résumé.pdf', 'bashrc')
    >>> safe_file_name("gpj.\u202eexe"), safe_file_name("NUL.txt"), safe_file_name("..")
    ('gpj.exe', '_NUL.txt', 'file')
    """
    name = re.split(r"[/\\]", name)[-1]
    name = "".join([sign for sign in unicodedata.normalize("NFC", name) if _is_visible(sign)])
    name = _RESERVED_SIGNS.sub("_", _SPACES.sub(" ", name))
    name = _shortened(name.lstrip(" .-~")).rstrip(" .")
    if _DEVICES.match(name):
        name = "_" + name
    return name or "file"


def _is_visible(sign: str) -> bool:
    category = unicodedata.category(sign)  # Cc control, Cf format, Cs surrogate, Co private, Cn unassigned
    return category[0] != "C" or sign in "\t\n\r"  # those become spaces


def _shortened(name: str) -> str:
    """Return at most NAME_BYTES of it in UTF-8, its ending kept when that is short."""
    if len(name.encode()) <= NAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > 20:
        stem, dot, ending = name, "", ""
    room = NAME_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + dot + ending
