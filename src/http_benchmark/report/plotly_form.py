"""A chart as plotly.js draws it. Colours of text and grid are the page's; what a user named is plain text
here, because plotly.js takes tags in names for its own.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from http_benchmark.report.charts.chart import COLOURS
from http_benchmark.report.figures import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.report.charts.chart import Axis, Chart, Series

_LONGEST = 40
_NARROW, _LONG = 10.0, 1e4
"""Greatest by least value: between these a logarithmic axis has ticks at 1, 2, 5, beyond at powers of ten."""
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")


def to_plotly(chart: Chart) -> dict[str, Any]:
    """Return `data` and `layout` of a chart."""
    heights = [y for each in chart.series for y in each.y if y]
    spread = max(heights) / min(heights) if heights else 1.0
    layout = {"xaxis": _axis(chart.x), "yaxis": _axis(chart.y, spread)}
    is_named = chart.x.scale == "names" or len({each.name for each in chart.series}) == 1
    return {"data": [_trace(each) for each in chart.series], "layout": layout | {"showlegend": not is_named}}


def _trace(series: Series) -> dict[str, Any]:
    colour = COLOURS[series.subject % len(COLOURS)]
    symbol = _SYMBOLS[series.subject % len(_SYMBOLS)]
    trace: dict[str, Any] = {
        "name": _plain(series.name),
        "x": list(series.x),
        "y": list(series.y),
        "hoverlabel": {"namelength": -1},
    }
    if series.kind == "bars":
        trace |= {"type": "bar", "marker": {"color": colour, "opacity": 0.55}, "width": [0.55]}
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _above(series.high, series.y),
            "arrayminus": _above(series.y, series.low),
            "thickness": 2,
            "width": 9,
        }
    elif series.kind == "dots":
        trace |= {"type": "scatter", "mode": "markers"}
        trace["marker"] = {"color": colour, "symbol": symbol, "size": 7, "line": {"width": 1}}
    else:
        dash = "dash" if series.kind == "dashes" else "solid"
        few = sum(each is not None for each in series.y) <= 24
        trace |= {"type": "scatter", "mode": "lines+markers" if few else "lines", "connectgaps": False}
        trace["line"] = {"color": colour, "width": 2, "dash": dash}
        trace["marker"] = {"symbol": symbol, "size": 6}
    return trace


def _axis(axis: Axis, spread: float = 1.0) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": axis.title}, "automargin": True}
    if axis.scale == "log":
        made |= {"type": "log"}
    elif axis.scale == "names":
        made |= {"range": [-0.5, len(axis.ticks) - 0.5], "showgrid": False, "zeroline": False}
    if axis.from_zero:
        made["rangemode"] = "tozero"
    if axis.ticks:
        made |= {
            "tickvals": [value for value, _ in axis.ticks],
            "ticktext": [_plain(text) for _, text in axis.ticks],
        }
    elif axis.scale == "log":
        made["tickformat"] = "~r"
        if spread > _NARROW:  # else plotly.js knows better
            made["dtick"] = "D2" if spread < _LONG else 1
    else:
        made |= {"tickformat": ",~r"}
    return made


def _plain(text: str) -> str:
    return escape(shorten(text, _LONGEST), quote=False)


def _above(high: Sequence[float | None], low: Sequence[float | None]) -> list[float]:
    return [max(0.0, (one or 0.0) - (other or 0.0)) for one, other in zip(high, low, strict=True)]
