"""`penstock new`: a project to begin with, which serves, is tested, and goes into a container.

Its files are those in `scaffold/`, by the same names, with `.tmpl` behind them so that no tool takes them for
this project's own: `package` is the name of its package, `dot.` a point at the beginning.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from penstock import __version__
from penstock.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST = 40
# Names of packages that would be in the way.
_TAKEN = sys.stdlib_module_names | {"penstock", "test", "tests", "pytest", "setuptools", "pip"}
_SUFFIX = ".tmpl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name."""
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="of the project, its folder and its package: shop, or web-shop",
    )


def make_project(name: str, folder: Path) -> Path:
    """Write the project into a new folder of that name in `folder`, all of it or nothing; return its path."""
    import shutil  # here, as the other one: every command reads this module
    from importlib.resources import files

    package = _check_name(name)
    target = folder / name
    try:
        target.mkdir()
    except FileExistsError:
        raise ConfigError(f"{name!r} is there already; choose another name, or another directory") from None
    except OSError as error:
        raise ConfigError(f"cannot make the directory {name!r}: {error.strerror}") from None
    known = {
        "@name@": name,
        "@package@": package,
        "@prefix@": f"{package.upper()}_",
        "@version@": __version__,
    }
    try:
        for path, text in _templates(files("penstock.cli").joinpath("scaffold"), Path()):
            file = target / _file_name(path, package)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled(text, known), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise ConfigError(f"cannot write the project: {error.strerror}") from None
    return target


def describe(name: str) -> str:
    """What to do next."""
    package = name.replace("-", "_")
    return (
        f"made {name}/. Next:\n"
        f"  cd {name}\n"
        f"  penstock dev {package}.web:app\n"
        f"  pip install -e '.[test]' && pytest"
    )


def _check_name(name: str) -> str:
    """Return the name of the package."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"{name!r} is no name for a project: expected small letters, digits, and '-' or '_' between, "
            f"at most {_LONGEST}, such as web-shop"
        )
    package = name.replace("-", "_")
    if package in _TAKEN or keyword.iskeyword(package):
        raise ConfigError(f"{name!r} is the name of something else in Python; choose another one")
    return package


def _templates(folder: Traversable, path: Path) -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield path / entry.name, entry.read_text(encoding="utf-8")


def _file_name(path: Path, package: str) -> Path:
    name = path.name.removesuffix(_SUFFIX)
    name = name.removeprefix("dot") if name.startswith("dot.") else name
    parts = [package if part == "package" else part for part in path.parent.parts]
    return Path(*parts, name)


def _filled(text: str, known: dict[str, str]) -> str:
    for mark, value in known.items():
        text = text.replace(mark, value)
    return text
