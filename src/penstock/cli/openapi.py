"""`penstock openapi`: the OpenAPI document of an application, printed, or compared with one in a file.

What is compared are the documents, not their octets: a file may be laid out otherwise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

FLAGS = ["--check"]
DIFFERS = 1
_ABSENT = object()


def add_arguments(parser: ArgumentParser) -> None:
    """Add the flags of this command."""
    parser.add_argument(
        "--check",
        metavar="FILE",
        type=Path,
        help="print nothing; exit with 1 when the document in FILE is another",
    )


def describe(options: Namespace) -> int:
    """Print the document of an application, or compare it."""
    from penstock import App
    from penstock.cli.load import load_application

    application = load_application(options.application)
    if not isinstance(application, App):
        raise ConfigError(f"{options.application!r} has no OpenAPI document: it is not a penstock.App")
    # As it is read again: tuples are lists, numbers as names are texts.
    document = json.loads(json.dumps(application.openapi()))
    if options.check is None:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    place = first_difference(_read(options.check), document)
    if place is None:
        return 0
    print(
        f"{options.check} is not the document of {options.application}, see {place}; "
        f"penstock openapi {options.application} > {options.check}",
        file=sys.stderr,
    )
    return DIFFERS


def first_difference(one: Any, other: Any, place: str = "#") -> str | None:
    """Return the JSON pointer of the first place where two values differ; None when they are equal.

    >>> first_difference({"a": [1, 2]}, {"a": [1, 3]})
    '#/a/1'
    """
    if type(one) is not type(other):
        return place
    if isinstance(one, dict):
        pairs: Any = [(key, one.get(key, _ABSENT), other.get(key, _ABSENT)) for key in {**other, **one}]
    elif isinstance(one, list) and len(one) == len(other):
        pairs = [(index, *pair) for index, pair in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else place
    for key, mine, theirs in pairs:
        found = first_difference(mine, theirs, f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}")
        if found is not None:
            return found
    return None


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"--check {file}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"--check {file}: it is not JSON ({error})") from None
