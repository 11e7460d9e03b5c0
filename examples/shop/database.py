"""SQLite from the standard library: one connection for each request, given by a dependency."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

from examples.shop.settings import settings
from penstock import Depends

SCHEMA = """
create table if not exists users (name text primary key, password text not null);
create table if not exists goods (
    id integer primary key,
    name text not null,
    cents integer not null,
    photo text,
    seller text not null references users
);
create table if not exists orders (
    id integer primary key,
    item integer not null references goods,
    buyer text not null references users,
    confirmed integer not null default 0
);
create table if not exists news (id integer primary key, text text not null);
"""


def open_database() -> sqlite3.Connection:
    # The thread that closes it need not be the one that opened it; they use it one after the other.
    db = sqlite3.connect(settings.folder / "shop.db", timeout=20, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("pragma foreign_keys = on")
    return db


def create_tables() -> None:
    """One worker at a time: two that change the journal's mode at once do not wait, one of them fails."""
    with (settings.folder / "shop.lock").open("w") as lock, closing(open_database()) as db:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        db.execute("pragma journal_mode = wal")  # readers do not wait for a writer
        db.executescript(SCHEMA)


def database() -> Iterator[sqlite3.Connection]:
    """Closed once the reply is out. Handlers write inside `with db:`: it is stored before they answer."""
    db = open_database()
    try:
        yield db
    finally:
        db.close()


Database = Annotated[sqlite3.Connection, Depends(database)]
