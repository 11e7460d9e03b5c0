"""What is done with a result that was measured and cannot be stored: the time it took is not thrown away.

It goes into a JSON file beside the database or, where that cannot be written either, into the folder for
temporary files; failing both, onto the stream itself. Whether the database could be written at all was asked
before measuring (`database.check_writable`): this is for disks that fill and locks that stay.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from http_benchmark.errors import StorageError
from http_benchmark.export.json_form import dump, to_json
from http_benchmark.storage.database import BUSY_TIMEOUT_S
from http_benchmark.storage.store import ResultStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult


@dataclass(frozen=True, slots=True)
class Kept:
    """Where results are now."""

    ids: tuple[str, ...] = ()
    """Of those in the database."""
    files: tuple[Path, ...] = ()
    """Of those that are not: one file each."""
    lost: int = 0
    """How many are in no file either, only on the stream."""

    @property
    def exit_code(self) -> int:
        """1 when any is not where it was to be: whoever reads the database next would not find it."""
        return 1 if self.files or self.lost else 0


def keep(
    results: Sequence[BenchmarkResult],
    path: str | os.PathLike[str],
    stream: TextIO,
    *,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> Kept:
    """Store results; say on the stream (stderr) of each that cannot be where it is kept instead."""
    store = ResultStorage(path, busy_timeout_s=busy_timeout_s)
    ids: list[str] = []
    files: list[Path] = []
    lost = 0
    for result in results:
        try:
            ids.append(store.save_result(result))
        except StorageError as error:
            print(f"http-benchmark: {error}", file=stream)
            # one fault meets all that follow: do not wait for the same lock again and again
            store.busy_timeout_s = min(store.busy_timeout_s, 0.1)
            if (file := _keep_in_a_file(result, store.path)) is not None:
                print(f"http-benchmark: the result {result.id} is kept in {file} instead", file=stream)
                files.append(file)
            else:
                print("http-benchmark: no file can be written either; this is the result:", file=stream)
                print(json.dumps(to_json(result)), file=stream)
                lost += 1
    return Kept(tuple(ids), tuple(files), lost)


def _keep_in_a_file(result: BenchmarkResult, database: Path) -> Path | None:
    text = dump([result])
    name = f"{database.stem}-{result.id}.json"
    for folder in (database.parent, Path(tempfile.gettempdir())):
        file = folder / name
        try:
            _write_whole(file, text)
        except OSError:
            continue
        return file
    return None


def _write_whole(file: Path, text: str) -> None:
    """Write it all or leave nothing; a file that is there already stays."""
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(made, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError:
        file.unlink(missing_ok=True)
        raise
