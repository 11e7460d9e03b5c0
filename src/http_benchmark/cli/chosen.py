"""Which stored results a command is about: the words that name them, the same for every subcommand.

`last` (and `last~1`, the one before), the beginning of an id, a name (its newest result), or a file of JSON
with one result or several. The beginning of an id has four characters at least, so that a word rarely means
two things; where it does, the id is meant.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import UsageError
from http_benchmark.export.json_form import read_results
from http_benchmark.settings import read_settings
from http_benchmark.storage.store import ResultStorage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult

HOW: Final = "last, last~1, the beginning of an id, a name, or a JSON file"
_LAST: Final = re.compile(r"last(?:~([0-9]{1,6}))?")
_ID: Final = re.compile(r"[0-9a-fA-F]{4,8}(?:-[0-9a-fA-F-]{0,27})?")


def add_database_option(parser: argparse.ArgumentParser) -> None:
    """Add `--database`, from which results are read."""
    parser.add_argument(
        "--database",
        default=None,
        metavar="PATH",
        help=f"the database results are kept in; default {read_settings().sqlite_db_path}",
    )


def choose(words: Sequence[str], database: str | Path | None) -> list[BenchmarkResult]:
    """Return the results that words name, in their order; UsageError tells of a word that names none."""
    return [result for word in words for result in _choose(word, ResultStorage(database))]


def choose_one(word: str, database: str | Path | None) -> BenchmarkResult:
    """Return the one result that a word names."""
    found = choose([word], database)
    if len(found) != 1:
        raise UsageError(f"{word} has {len(found)} results; name a file with one, or an id")
    return found[0]


def _choose(word: str, store: ResultStorage) -> list[BenchmarkResult]:
    if word.lower().endswith(".json") or (Path(word).is_file() and Path(word) != store.path):
        return read_results(word)
    if last := _LAST.fullmatch(word):
        return [_newest(int(last[1] or 0), store)]
    if _ID.fullmatch(word):
        try:
            return [store.get_result_by_prefix(word)]
        except UsageError:
            if not (named := store.find_results(name=word, limit=1)):
                raise
            return named
    found = store.find_results(name=word, limit=1)
    if not found:
        raise UsageError(f"no result in {store.path} is called {word!r}; name one by {HOW}")
    return found


def _newest(back: int, store: ResultStorage) -> BenchmarkResult:
    found = store.get_all_results(limit=back + 1)
    if len(found) <= back:
        have = f"only {len(found)}" if found else "none"
        raise UsageError(f"{store.path} has {have} of the results that are asked for")
    return found[back]
