"""Results as CSV (RFC 4180): a header, then one line for each; its columns are those of the table
`benchmark_results`.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula and may run
it, and names and URLs come from anywhere: such text gets an apostrophe in front. Figures have none.
"""

from __future__ import annotations

import csv
import json
from math import isnan
from typing import TYPE_CHECKING, Any, Final, TextIO

from http_benchmark.storage.rows import RESULT_FIELDS
from http_benchmark.storage.schema import REFERENCE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_benchmark.measurement.result import BenchmarkResult

COLUMNS: Final = (*REFERENCE_COLUMNS, *(name for name in RESULT_FIELDS if name not in REFERENCE_COLUMNS))
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(results: Iterable[BenchmarkResult], stream: TextIO) -> None:
    """Write results to a stream opened with newline=""; where the platform's stdout translates line ends,
    they are what it makes of them. A figure nobody knows is an empty cell.
    """
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for result in results:
        writer.writerow([_cell(getattr(result, name)) for name in COLUMNS])


def _cell(value: Any) -> str | int | float:
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text
