"""The flags of `penstock static` that say how files are served, and what they make.

They are the parameters of `StaticFiles` by name. Unlike the settings of the server they belong to one
command, so there is no environment variable for them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from penstock.errors import ConfigError
from penstock.server.kinds import Count, Seconds, Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.static.site import StaticSite
    from penstock.server.kinds import Kind

_SWITCHES = {
    "listing": (False, "a page for a directory without an index file"),
    "precompressed": (True, "serve FILE.zst, FILE.br or FILE.gz for FILE"),
    "compress": (True, "compress small files of types that gain by it"),
    "links-outside": (False, "follow symbolic links out of the directory"),
    "dotfiles": (False, "serve names that begin with a point"),
    "uploads": (False, "PUT and POST store files"),
}
_AMOUNTS: dict[str, tuple[str, Kind, str]] = {
    "upload-limit": ("upload_limit_bytes", Size(), "largest upload; beyond it 413 (default 100 MiB)"),
    "cache-size": ("cache_bytes", Size(0), "memory for files kept ready (default 32 MiB)"),
    "cache-file-limit": ("cache_file_bytes", Size(0), "largest file kept ready (default 128 KiB)"),
    "open-files": ("open_files", Count(0), "larger files kept open (default 256)"),
    "check-interval": (
        "check_interval_s",
        Seconds(zero=True),
        "a file kept ready is looked at for changes; 0: at each request (default 1 s)",
    ),
}

# Settings that say nothing where there is no application.
NO_FLAGS = frozenset(
    {
        "interface",
        "processes",
        "development",
        "reload",
        "reload_dir",
        "reload_include",
        "reload_exclude",
    }
)

FLAGS = [
    "--index",
    "--fallback",
    "--cache-control",
    *(f"--{name}" for name in (*_SWITCHES, *_AMOUNTS)),
    *(f"--no-{name}" for name in _SWITCHES),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the directory and the flags of its own."""
    parser.add_argument("directory", metavar="DIR", nargs="?", help="what to serve")
    group = parser.add_argument_group("files")
    group.add_argument(
        "--index",
        action="append",
        metavar="NAME",
        help="answers for a directory; may be repeated (default index.html)",
    )
    group.add_argument(
        "--fallback",
        metavar="FILE",
        help="answers a path nothing is found for, unless its last segment has a point",
    )
    group.add_argument(
        "--cache-control",
        action="append",
        default=[],
        metavar="GLOB=VALUE",
        help="Cache-Control for paths such as 'assets/*'; may be repeated, the first match counts",
    )
    for name, (default, purpose) in _SWITCHES.items():
        shown = f"{purpose} (default {'on' if default else 'off'})"
        group.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=default, help=shown)
    for name, (_, kind, purpose) in _AMOUNTS.items():
        group.add_argument(f"--{name}", type=_reader(name, kind), metavar=kind.metavar, help=purpose)


def make_site(options: argparse.Namespace) -> StaticSite:
    """The site these options describe; ApplicationError or ConfigError when there can be none."""
    from penstock.app.static.files import StaticFiles
    from penstock.app.static.site import StaticSite

    amounts = {
        parameter: value
        for name, (parameter, _, _) in _AMOUNTS.items()
        if (value := getattr(options, name.replace("-", "_"))) is not None
    }
    switches = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in _SWITCHES}
    rules = [_read_rule(text) for text in options.cache_control]
    return StaticSite(
        StaticFiles(
            options.directory,
            index=options.index or ("index.html",),
            fallback=options.fallback,
            cache_control=rules,
            **switches,
            **amounts,
        )
    )


def _read_rule(text: str) -> tuple[str, str]:
    glob, separator, value = text.partition("=")
    if not (glob and separator and value):
        raise ConfigError(
            f"--cache-control: expected GLOB=VALUE such as 'assets/*=max-age=3600', got {text!r}"
        )
    return glob, value


def _reader(name: str, kind: Kind) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return kind.read(text)
        except ValueError as error:
            raise ConfigError(f"--{name}: {error}") from None

    return read
