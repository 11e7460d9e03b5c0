"""The kinds of page there are: which files each has, and what its policy allows.

Scripts and styles are files, never inline, so policies name no nonce; Swagger UI, ReDoc and Scalar write
styles into their elements, and need `'unsafe-inline'` for these alone.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from penstock.errors import MissingExtra

OWN_FOLDER = Path(__file__).parent / "files"
_PACKAGE = "offapi"  # it has the files of all three, unchanged, and no dependencies


class Kind(NamedTuple):
    """One kind of page."""

    script: str
    """The module that shows the document, of our own files."""
    own: tuple[str, ...] = ()
    """What it needs beside, of our own files; the styles are linked."""
    foreign: tuple[str, ...] = ()
    """What it needs of the extra's files; the styles are linked, the scripts run first."""
    imported: tuple[str, ...] = ()
    """What the module imports of the extra's files."""
    policy: str = "style-src 'self'; img-src 'self' data: blob:"


_INLINE_STYLES = "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:"
KINDS = {
    "penstock": Kind(
        "page.js", ("api.js", "authorise.js", "dom.js", "form.js", "page.css", "reply.js", "schema.js")
    ),
    "swagger": Kind(
        "swagger.js",
        ("document.js", "swagger.css"),
        ("swagger_bundle.js", "swagger_style.css"),
        policy=_INLINE_STYLES,
    ),
    "redoc": Kind(
        "redoc.js",
        ("document.js", "redoc.css"),
        imported=("redoc.js",),
        policy=_INLINE_STYLES + "; worker-src blob:",
    ),
    "scalar": Kind("scalar.js", ("document.js",), ("scalar.js",), policy=_INLINE_STYLES),
}


def choose_kind(ui: str) -> Kind:
    """Return the kind of that name; "auto" is Swagger UI where the extra is installed, else our own.
    MissingExtra without what it needs.
    """
    if ui == "auto":
        ui = "penstock" if foreign_folder() is None else "swagger"
    kind = KINDS[ui]
    if kind.foreign + kind.imported and foreign_folder() is None:
        raise MissingExtra(f"the page {ui!r} needs an extra: pip install 'penstock[docs]'")
    return kind


def foreign_folder() -> Path | None:
    """Return the folder of the extra's files; None without it."""
    spec = find_spec(_PACKAGE)  # not imported: that reads 9 MB
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
