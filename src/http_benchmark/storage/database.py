"""Opens the file: with a write-ahead log, a patience with other writers, and plain words for every fault.

A connection is opened for each operation and closed after it, so that a store belongs to no thread. The
write-ahead log lets readers read while one writes; writers wait for each other, `busy_timeout_s` at most. A
file that is absent reads as an empty one and is made by the first write.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.storage import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT_S: Final = 10.0
"""How long a writer waits for others."""

_WORDS: Final = {
    sqlite3.SQLITE_BUSY: "another program holds its lock",
    sqlite3.SQLITE_LOCKED: "another program holds its lock",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk does not take or give it (full, or over a limit)",
}


@contextmanager
def reading(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
    """Give a connection to read with; a database of an earlier version is migrated first."""
    with _telling(path):
        if not path.exists():
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
                schema.migrate(empty)
                yield empty
            return
        with closing(_open_to_read(path, busy_timeout_s)) as connection:
            connection.execute("BEGIN")  # one state of it, whatever is written meanwhile
            yield connection


@contextmanager
def writing(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
    """Give a connection in a transaction that is committed at the end, or rolled back when something is
    raised.
    """
    with _telling(path), closing(_connect(path, "rwc", busy_timeout_s)) as connection:
        schema.version_of(connection)  # before anything changes in a file that is none of ours
        _use_write_ahead_log(connection, busy_timeout_s)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            schema.migrate(connection)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check_writable(path: Path) -> None:
    """Raise UsageError when results cannot be kept there: asked before anything is measured. Makes nothing.

    A lock somebody holds now is no fault: it may be gone when it matters.
    """
    try:
        if path.exists():
            _check_file(path)
        else:
            _check_folder(path)
    except StorageError as error:
        raise UsageError(str(error)) from None


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StorageError(f"results cannot be kept in {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"results cannot be kept in {path}: the folder {folder} cannot be written")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise StorageError(f"results cannot be kept in {path}: it is no file")
    if not os.access(path, os.W_OK):
        raise StorageError(f"results cannot be kept in {path}: it cannot be written")
    _check_folder(path.resolve())  # the write-ahead log stands beside the file itself
    try:
        with _telling(path), closing(_connect(path, "rw", 0.0)) as connection:
            schema.version_of(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except StorageError as error:
        cause = error.__cause__
        if not (isinstance(cause, sqlite3.Error) and _code(cause) == sqlite3.SQLITE_BUSY):
            raise


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn every fault of the database into a StorageError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        why = _WORDS.get(_code(error), "")
        said = f"{why} ({error})" if why else str(error)
        raise StorageError(f"the database {path}: {said}") from error
    except StorageError as error:
        if str(path) in str(error):
            raise
        raise StorageError(f"the database {path}: {error}") from error


def _code(error: sqlite3.Error) -> int:
    """Its primary code; 0 of an error of the module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    # isolation_level None: transactions begin where this package says so, not where the module guesses
    where = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"
    return sqlite3.connect(where, uri=True, timeout=busy_timeout_s, isolation_level=None)


def _open_to_read(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK):
        with closing(_connect(path, "rw", busy_timeout_s)) as connection:
            is_old = schema.version_of(connection) < schema.VERSION
        if is_old:
            with writing(path, busy_timeout_s=busy_timeout_s):
                pass
        return _connect(path, "rw", busy_timeout_s)
    connection = _connect(path, "ro", busy_timeout_s)
    try:
        is_old = schema.version_of(connection) < schema.VERSION
    except sqlite3.OperationalError:
        # SQLite makes a file for the write-ahead log even to read; where nobody may write, nobody changes it
        connection.close()
        connection = _connect(path, "ro&immutable=1", busy_timeout_s)
        is_old = schema.version_of(connection) < schema.VERSION
    if is_old:
        connection.close()
        raise StorageError("it has an earlier schema and cannot be written: copy it and read the copy")
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, patience_s: float) -> None:
    """Two that switch at once get "locked" at once, whatever the timeout: so the waiting is done here."""
    until = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
