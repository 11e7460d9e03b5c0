"""A chart as an SVG picture of its own: no library, no script, no font but the reader's.

Dark on white, for papers, issues and pages of others. Whatever a user named is escaped text.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from http_benchmark.report.charts.chart import COLOURS
from http_benchmark.report.figures import cells_of, shorten
from http_benchmark.report.scales import make_scale

if TYPE_CHECKING:
    from http_benchmark.report.charts.chart import Chart, Series
    from http_benchmark.report.scales import Scale

WIDTH: Final = 960
HEIGHT: Final = 540
_LEFT, _RIGHT, _BOTTOM = 84, 24, 64
_LETTER = 7.4
"""Width of most letters in the size of the legend."""
_LONGEST = 32
_FEW = 24
"""Points of a line that are each marked."""
_INK, _FAINT, _GRID = "#1f2328", "#59636e", "#dfe3e8"


def draw_svg(chart: Chart) -> str:
    """Return the picture."""
    legend, top = _legend(chart)
    y = make_scale(chart.y, _heights(chart), HEIGHT - _BOTTOM, top)
    x = make_scale(chart.x, [value for each in chart.series for value in each.x], _LEFT, WIDTH - _RIGHT)
    title = escape(chart.title)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    font = f'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="{_FAINT}"'
    turned = f'transform="translate(22 {(top + HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>',
        f"<title>{title}</title>",
        f"<desc>{escape(chart.says)}</desc>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="20" y="32" font-size="20" font-weight="600" fill="{_INK}">{title}</text>',
        *legend,
        *_y_ticks(y),
        *(_name_ticks(x) if chart.x.scale == "names" else _x_ticks(x, top)),
        *(_draw(each, x, y) for each in chart.series),
        _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 16, chart.x.title),
        f"<text {turned}>{escape(chart.y.title)}</text>",
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _legend(chart: Chart) -> tuple[list[str], float]:
    """Return what tells the series apart, and where the plot may begin below it."""
    if chart.x.scale == "names":
        return [], 60.0
    drawn: list[str] = []
    x, y = 20.0, 58.0
    for each in chart.series:
        name = shorten(each.name, _LONGEST)
        taken = 46 + _LETTER * cells_of(name)
        if x > 20 and x + taken > WIDTH - _RIGHT:
            x, y = 20.0, y + 20
        dash = ' stroke-dasharray="6 4"' if each.kind == "dashes" else ""
        drawn += [
            f'<path d="M{x:.0f} {y - 4:.0f}h24" stroke="{_colour(each)}" stroke-width="3"{dash}/>',
            f'<text x="{x + 30:.0f}" y="{y:.0f}" fill="{_INK}">{escape(name)}</text>',
        ]
        x += taken
    return drawn, y + 18


def _heights(chart: Chart) -> list[float]:
    known = [float(y) for each in chart.series for y in each.y if y is not None]
    return [*known, *(high for each in chart.series for high in each.high)]


def _draw(series: Series, x: Scale, y: Scale) -> str:
    places = [(x.at(at), None if up is None else y.at(up)) for at, up in zip(series.x, series.y, strict=True)]
    points = [(left, up) for left, up in places if up is not None]
    colour = _colour(series)
    if series.kind == "bars":
        width = x.at(0.5) - x.at(0)
        return "".join(_bar(left, up, y, width, colour) for left, up in points) + "".join(
            f'<path d="M{x.at(at) - 9:.1f} {y.at(high):.1f}h18m-9 0V{y.at(low):.1f}m-9 0h18" fill="none"'
            f' stroke="{_INK}" stroke-width="2"/>'
            for at, low, high in zip(series.x, series.low, series.high, strict=True)
        )
    if series.kind == "dots":
        return "".join(_dot(left, up, 4, colour) for left, up in points)
    steps, pen = [], "M"
    for left, up in places:
        if up is None:
            pen = "M"
        else:
            steps.append(f"{pen}{left:.1f} {up:.1f}")
            pen = "L"
    dash = ' stroke-dasharray="6 4"' if series.kind == "dashes" else ""
    path = f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    if len(points) > _FEW:
        return path
    return path + "".join(_dot(left, up, 3, colour) for left, up in points)


def _dot(left: float, up: float, radius: int, colour: str) -> str:
    return f'<circle cx="{left:.1f}" cy="{up:.1f}" r="{radius}" fill="{colour}"/>'


def _bar(x: float, up: float, y: Scale, width: float, colour: str) -> str:
    height = max(y.start - up, 0.0)
    return (
        f'<rect x="{x - width / 2:.1f}" y="{up:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' fill="{colour}" fill-opacity="0.55"/>'
    )


def _y_ticks(scale: Scale) -> list[str]:
    return [
        f'<path d="M{_LEFT} {scale.at(value):.1f}H{WIDTH - _RIGHT}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 8}" y="{scale.at(value) + 4:.1f}" text-anchor="end">{text}</text>'
        for value, text in scale.ticks()
    ]


def _x_ticks(scale: Scale, top: float) -> list[str]:
    return [
        f'<path d="M{scale.at(value):.1f} {top:.0f}V{HEIGHT - _BOTTOM}" stroke="{_GRID}"/>'
        + _text(scale.at(value), HEIGHT - _BOTTOM + 20, text)
        for value, text in scale.ticks()
    ]


def _name_ticks(scale: Scale) -> list[str]:
    longest = max(4, int((scale.at(1) - scale.at(0)) / _LETTER))
    return [
        _text(scale.at(place), HEIGHT - _BOTTOM + 20, shorten(name, longest)) for place, name in scale.ticks()
    ]


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.0f}" text-anchor="middle">{escape(text)}</text>'


def _colour(series: Series) -> str:
    return COLOURS[series.subject % len(COLOURS)]
