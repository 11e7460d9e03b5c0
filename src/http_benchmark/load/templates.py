"""`{column}` in paths, headers and bodies, filled with the rows of a CSV file.

A value is percent-encoded in a path and stands as it is in headers and bodies; `{column:json}` escapes it for
a JSON string, `{column:url}` percent-encodes it, `{column:raw}` leaves it alone. `{{column}}` is the text
`{column}`. Braces round anything but a name are text too, so that JSON needs no escapes. Each value is
encoded once, before the load; filling in is one operation of octets.
"""

from __future__ import annotations

import csv
import io
import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD = re.compile(r"\{\{(\w+(?::\w+)?)\}\}|\{(\w+)(?::(\w+))?\}")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "raw": lambda value: value,
    "url": lambda value: quote(value, safe=""),
    "json": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
}


class Data(NamedTuple):
    """The rows of a CSV file."""

    name: str
    """Of the file, for messages."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_data(text: str, name: str) -> Data:
    """Return the rows of a CSV text, whose first line names the columns. UsageError names the line that is
    wrong.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[str, ...]] = []
    columns: tuple[str, ...] = ()
    try:
        for row in reader:
            if not row:
                continue
            if not columns:
                columns = tuple(column.strip() for column in row)
                _check_columns(columns, name)
            elif len(row) != len(columns):
                raise UsageError(
                    f"{name}, line {reader.line_num}: {len(row)} values for {len(columns)} columns"
                )
            else:
                rows.append(tuple(row))
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}") from None
    if not rows:
        raise UsageError(f"{name} has no rows: the first line names the columns, each other one is a row")
    return Data(name, columns, tuple(rows))


class Template(NamedTuple):
    """Octets with gaps, and what fills them for each row."""

    text: bytes
    """For `%`: each gap is %b."""
    values: tuple[tuple[bytes, ...], ...]
    """Of each row; empty: there are no gaps."""

    def fill(self, row: int) -> bytes:
        """Return the octets for one row."""
        return self.text % self.values[row] if self.values else self.text % ()


def make_template(text: str, data: Data | None, where: str, *, encoding: str = "raw") -> Template:
    """Return the template of a text; without data every brace is text. UsageError says where what is
    wrong.
    """
    if data is None:
        return Template(text.encode().replace(b"%", b"%%"), ())
    pieces: list[str] = []
    gaps: list[tuple[int, str]] = []
    at = 0
    for match in _FIELD.finditer(text):
        pieces.append(text[at : match.start()].replace("%", "%%"))
        at = match.end()
        literal, column, wanted = match.groups()
        if literal is not None:
            pieces.append("{" + literal + "}")
            continue
        gaps.append((_find_column(column, data, where), _find_encoding(wanted or encoding, where)))
        pieces.append("%b")
    pieces.append(text[at:].replace("%", "%%"))
    whole = "".join(pieces).encode()
    if not gaps:
        return Template(whole, ())
    known: dict[tuple[str, str], bytes] = {}
    values = []
    for row in data.rows:
        filled = []
        for index, kind in gaps:
            octets = known.get((row[index], kind))
            if octets is None:
                octets = known[row[index], kind] = ENCODINGS[kind](row[index]).encode()
            filled.append(octets)
        values.append(tuple(filled))
    return Template(whole, tuple(values))


def check_lines(template: Template, data: Data, where: str) -> None:
    """Refuse values that would end a line of the head."""
    for number, row in enumerate(template.values, 1):
        for value in row:
            if _BREAKS.search(value.decode()):
                raise UsageError(
                    f"{data.name}, row {number}: {value.decode()!r} has a control character, which {where} "
                    "cannot hold"
                )


def _check_columns(columns: tuple[str, ...], name: str) -> None:
    for column in columns:
        if re.fullmatch(r"\w+", column) is None:
            raise UsageError(f"{name}, line 1: {column!r} is no name of a column: letters, digits and _")
    if len(set(columns)) < len(columns):
        raise UsageError(f"{name}, line 1: two columns have the same name")


def _find_column(name: str, data: Data, where: str) -> int:
    if name in data.columns:
        return data.columns.index(name)
    near = get_close_matches(name, data.columns, 1)
    hint = f"did you mean {{{near[0]}}}?" if near else f"there are {', '.join(data.columns)}"
    raise UsageError(f"{where}: {{{name}}} is no column of {data.name}; {hint} ({{{{{name}}}}} is the text)")


def _find_encoding(name: str, where: str) -> str:
    if name not in ENCODINGS:
        raise UsageError(f"{where}: {name!r} is none of the encodings {', '.join(ENCODINGS)}")
    return name
