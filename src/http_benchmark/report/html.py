"""One HTML file with everything in it: plotly.js, charts, figures. It asks no network for anything.

What results say is data, never markup: text is escaped, charts are JSON without `<`, and the page's own
policy runs no script but the two written here, by their hashes, so that a mistake in the first two is no
hole.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from http_benchmark.errors import MissingLibrary
from http_benchmark.report.charts import make_charts
from http_benchmark.report.plotly_form import to_plotly
from http_benchmark.report.sections import (
    figure,
    footer,
    heading,
    show_conditions,
    show_corrected,
    show_errors,
    show_results,
    show_told,
)
from http_benchmark.report.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.report.table import Sentence


def write_report(
    results: Sequence[BenchmarkResult], verdicts: Sequence[Sentence], path: str | PathLike[str]
) -> None:
    """Write the file, whole or not at all. MissingLibrary without plotly; OSError where it cannot be written;
    at least one result.
    """
    write_file(path, make_page(results, verdicts).encode("utf-8", "backslashreplace"))


def make_page(results: Sequence[BenchmarkResult], verdicts: Sequence[Sentence]) -> str:
    """Return the page."""
    scripts = [_harmless_script(_plotly_js()), _harmless_script(_own("report.js"))]
    charts = make_charts(results)
    title = heading(results)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(title)}</title>",
        f"<style>{_own('report.css')}</style>",
        "</head>",
        "<body>",
        show_told(results, verdicts, title),
        show_results(results),
        show_errors(results),
        f'<div class="charts">{"".join(figure(chart) for chart in charts)}</div>',
        show_corrected(results),
        show_conditions(results),
        "</main>",
        footer(results),
        f'<script type="application/json" id="charts">{_as_data(charts)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(parts)


def _as_data(charts: Sequence[Any]) -> str:
    told = json.dumps({chart.key: to_plotly(chart) for chart in charts}, allow_nan=False)
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise MissingLibrary(
            "plotly", 'pip install plotly (or "penstock[bench]"); a report is drawn with it'
        ) from None
    return str(get_plotlyjs())


def _own(name: str) -> str:
    return files("http_benchmark.report").joinpath("files", name).read_text("utf-8")


def _harmless_script(text: str) -> str:
    """No end of the element within, and line ends as the parser makes them, on which its hash depends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _policy(scripts: Sequence[str]) -> str:
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
