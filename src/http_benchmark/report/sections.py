"""The parts of the report as HTML. Every text passes `_text`, which hides secrets and escapes."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.report.columns import columns_of, corrected_columns, how_corrected, legend_of
from http_benchmark.report.conditions import configurations, environments
from http_benchmark.report.figures import show_harmless, show_number, show_time
from http_benchmark.report.subjects import (
    all_errors,
    all_troubles,
    all_warnings,
    describe_subjects,
    label_results,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.report.charts.chart import Chart
    from http_benchmark.report.grid import Column
    from http_benchmark.report.table import Sentence


_FLAG: Final = re.compile(r"(?<!\S)(--[a-z][a-z-]*)")


def heading(results: Sequence[BenchmarkResult]) -> str:
    """Return what the page is called."""
    labels = label_results(results)
    if len(labels) > 4:
        return f"{len(labels)} {'servers' if _are_servers(results) else 'clients'} measured"
    return " · ".join(labels) + (" measured" if len(labels) > 1 else f" {results[0].client_type}")


def show_told(results: Sequence[BenchmarkResult], verdicts: Sequence[Sentence], title: str) -> str:
    """Return the head of the page: what was measured, what came out, what makes it doubtful."""
    when = f"{results[0].start_time[:16].replace('T', ' ')} UTC"
    about = "".join(f"<p>{_text(line)}</p>" for line in describe_subjects(results))
    parts = [f"<header><h1>{_text(title)}</h1>{about}<p>Measured {_text(when)}</p></header><main>"]
    if verdicts:
        said = "".join(f"<p>{_text(each.sentence)}</p>" for each in verdicts)
        parts.append(f'<section class="verdict"><h2>Verdict</h2>{said}</section>')
    doubts = [*all_warnings(results), *all_troubles(results)]
    if doubts:
        said = "".join(f"<p>{_with_flags(_text(each))}</p>" for each in doubts)
        parts.append(f'<section class="warnings"><h2>Warnings</h2>{said}</section>')
    if len(results) == 1:
        parts.append(_tiles(results[0]))
    return "".join(parts)


def show_results(results: Sequence[BenchmarkResult]) -> str:
    """Return the table of all figures."""
    return _section("Results", _table_of(columns_of(results)), legend_of(results))


def show_corrected(results: Sequence[BenchmarkResult]) -> str:
    """Return the table of corrected latencies; nothing where there are none."""
    columns = corrected_columns(results)
    if not columns:
        return ""
    says = f"Beside what was measured: {how_corrected(results)}."
    return _section("Corrected for coordinated omission", _table_of(columns), says)


def show_errors(results: Sequence[BenchmarkResult]) -> str:
    """Return errors by class; nothing where there were none."""
    rows = [
        [label, kind, f"{count:,}", f"{show_number(percent)} %", example]
        for label, kind, count, percent, example in all_errors(results)
    ]
    if not rows:
        return ""
    table = _table(["of", "class", "count", "of all", "what the first one said"], rows, texts={1, 4})
    return _section("Errors", table, "No part of any rate or latency above.")


def figure(chart: Chart) -> str:
    """Return a chart's place, and its figures for whoever cannot see it."""
    key, title = escape(chart.key), _text(chart.title)
    table = _table(chart.head, chart.rows)
    return (
        f'<figure class="{"wide" if chart.is_wide else ""}" aria-labelledby="{key}">'
        f'<figcaption><h2 id="{key}">{title}</h2><p class="says">{_text(chart.says)}</p></figcaption>'
        f'<div class="chart" data-chart="{key}" role="img" aria-label="{title}: {_text(_in_words(chart))}">'
        "<noscript>Charts need JavaScript; their figures are below.</noscript></div>"
        f'<details><summary>Figures of “{title}”</summary><div class="scroll" tabindex="0">{table}</div>'
        "</details></figure>"
    )


def show_conditions(results: Sequence[BenchmarkResult]) -> str:
    """Return configuration and environment, which are the same for all or told for each."""
    made = ""
    for title, told in (("Configuration", configurations(results)), ("Environment", environments(results))):
        tables = "".join(
            (f"<h3>{_text(label)}</h3>" if label else "") + f'<div class="left">{_pairs(pairs)}</div>'
            for label, pairs in told
        )
        made += _section(title, tables) if tables else ""
    return f'<div class="charts">{made}</div>'


def footer(results: Sequence[BenchmarkResult]) -> str:
    """Return where the figures come from."""
    from penstock import __version__

    ids = ", ".join(result.id for result in results)
    return (
        f"<footer><p>Made by http-benchmark {_text(__version__)}. Latency is from the moment a request is "
        "sent to the last octet of its content; rates and times are of requests that succeeded. "
        f"Results: {_text(ids)}</p></footer>"
    )


def _tiles(result: BenchmarkResult) -> str:
    shown = [
        ("requests a second", show_number(result.requests_per_second)),
        ("median", show_time(result.p50_response_time) if result.requests_count else "-"),
        ("p99", show_time(result.p99_response_time) if result.requests_count else "-"),
        ("p99.9", show_time(result.p999_response_time) if result.requests_count else "-"),
        ("errors", f"{result.error_count:,}"),
    ]
    tiles = "".join(f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in shown)
    return f'<dl class="tiles">{tiles}</dl>'


def _section(title: str, content: str, says: str = "") -> str:
    said = f'<p class="says">{_text(says)}</p>' if says else ""
    return f'<section><h2>{_text(title)}</h2>{said}<div class="scroll">{content}</div></section>'


def _table_of(columns: Sequence[Column]) -> str:
    head = "".join(f'<th scope="col">{_text(column.title)}</th>' for column in columns)
    rows = []
    for row, name in enumerate(columns[0].cells):
        cells = (
            f'<td class="{escape(column.style(row))}">{_text(column.cells[row])}</td>'
            for column in columns[1:]
        )
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{"".join(cells)}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = ()) -> str:
    texts = set(texts)

    def cell(at: int, text: str) -> str:
        if at == 0:
            return f'<th scope="row">{_text(text)}</th>'
        return f'<td class="text">{_text(text)}</td>' if at in texts else f"<td>{_text(text)}</td>"

    titles = "".join(
        f'<th scope="col"{" class=text" if at in texts else ""}>{_text(title)}</th>'
        for at, title in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(cell(at, text) for at, text in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>' for name, value in pairs
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _in_words(chart: Chart) -> str:
    names = list(dict.fromkeys(series.name for series in chart.series))
    return f"{chart.y.title} by {chart.x.title or 'client'}, of {', '.join(names)}. {chart.says}"


def _are_servers(results: Sequence[BenchmarkResult]) -> bool:
    return all(result.client_type == "load" for result in results)


def _with_flags(text: str) -> str:
    """Escaped text whose options of the command are in one piece at the end of a line."""
    return _FLAG.sub(r"<code>\1</code>", text)


def _text(value: Any) -> str:
    return escape(show_harmless(str(value)))
