"""Figures of servers as a section of a page in Markdown, which can be written again.

    <!-- servers hello: written by http-benchmark servers --update -->
    <!-- servers hello end -->

What stands between the two comments of a workload is replaced; all else is written by hand and stays. A page
without them gets them at its end, under a heading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.servers.figures import figures_of, warnings_of
from http_benchmark.servers.table import left_out, legend, markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from http_benchmark.servers.load_process import Load
    from http_benchmark.servers.rounds import Measured


def section(
    found: Sequence[Measured],
    load: Load,
    *,
    command: str,
    date: str,
    environment: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> str:
    """Return the figures of one workload, with all one must know to measure them again."""
    figures = figures_of(found)
    rounds = max((len(measured.rounds) for measured in found), default=0)
    lines = [
        f"`{command}`",
        "",
        (
            f"{date}; {_machine(environment)}. {load.connections} connections, {rounds} rounds of "
            f"{load.duration_s:g} s, each server alone, in turns; medians of rounds."
        ),
        "",
        *markdown_table(figures),
    ]
    notes = [legend(figures[0].name)] if len(figures) > 1 else []
    notes += [f"* {text}" if "load generator" in text else text for text in warnings_of(figures)]
    notes += warnings
    notes += [f"left out: {line}" for line in left_out(found)]
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def _machine(environment: Mapping[str, Any]) -> str:
    libraries = [f"{name} {version}" for name, version in environment.get("libraries", {}).items() if version]
    cores = environment.get("cpus_usable") or environment.get("cpu_count")
    parts = [
        f"{environment.get('cpu_model') or environment.get('architecture')}, {cores} cores",
        str(environment.get("kernel")),
        f"Python {environment.get('python')}",
        *libraries,
    ]
    if revision := environment.get("git_revision"):
        parts.append(
            f"revision {str(revision)[:12]}{' with changes' if environment['git_is_changed'] else ''}"
        )
    return ", ".join(parts)


def _marks(workload: str) -> tuple[str, str]:
    return (
        f"<!-- servers {workload}: written by http-benchmark servers --update -->",
        f"<!-- servers {workload} end -->",
    )


def check_page(file: Path, workloads: Sequence[str]) -> None:
    """UsageError when a section cannot be put into the page: said before hours are spent."""
    text = _read(file)
    for workload in workloads:
        _replace(text, file, workload, "")


def update_page(file: Path, sections: Mapping[str, str]) -> None:
    """Put the section of each workload into its place."""
    text = _read(file)
    for workload, content in sections.items():
        text = _replace(text, file, workload, content)
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from None


def _replace(text: str, file: Path, workload: str, content: str) -> str:
    begin, end = _marks(workload)
    done, count = re.subn(
        f"(?s){re.escape(begin)}\n.*?{re.escape(end)}", lambda _: f"{begin}\n{content}\n{end}", text
    )
    if count == 1:
        return done
    if begin in text or end in text:
        raise UsageError(f"{file} needs one pair of lines, {begin} and {end}; it has {count}")
    return f"{text.rstrip()}\n\n## Servers: {workload}\n\n{begin}\n{content}\n{end}\n"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
