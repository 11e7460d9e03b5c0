"""`http-benchmark clients`: which client libraries can be measured here, and how they are made equal."""

from __future__ import annotations

import json
import shutil
from textwrap import fill
from typing import TYPE_CHECKING, Any

from http_benchmark.clients.registry import adapters, doubt_about, is_installed, version_of
from http_benchmark.report.grid import Column, lay_out

if TYPE_CHECKING:
    import argparse

    from http_benchmark.clients.adapter import Adapter


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")


def run(options: argparse.Namespace) -> int:
    """Print them all, installed or not."""
    known = list(adapters().values())
    if options.json:
        print(json.dumps([_to_json(adapter) for adapter in known], indent=2))
        return 0
    width = shutil.get_terminal_size((120, 24)).columns
    columns = [
        Column("client", [adapter.name for adapter in known], is_text=True),
        Column("version", [version_of(adapter) or "not installed" for adapter in known], is_text=True),
        Column("modes", [", ".join(adapter.modes) for adapter in known], is_text=True),
        Column("HTTP/2", ["yes" if adapter.has_http2 else "no" for adapter in known], is_text=True),
        Column("installed by", [adapter.install for adapter in known], is_text=True),
    ]
    print("\n".join(lay_out(columns, width, lambda text, _: text)))
    for adapter in known:
        doubt = doubt_about(adapter)
        print()
        print(fill(f"{adapter.name}: {adapter.notes}", width, subsequent_indent="  "))
        if doubt:
            print(fill(f"  CAUTION: {doubt}", width, subsequent_indent="  "))
    return 0


def _to_json(adapter: Adapter) -> dict[str, Any]:
    return {
        "name": adapter.name,
        "distribution": adapter.distribution or None,
        "installed": is_installed(adapter),
        "version": version_of(adapter) or None,
        "install": adapter.install,
        "modes": list(adapter.modes),
        "http2": adapter.has_http2,
        "notes": adapter.notes,
        "caution": doubt_about(adapter) or None,
    }
