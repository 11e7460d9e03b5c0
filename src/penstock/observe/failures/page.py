"""A failure as a page for the browser of its author: one file, nothing loaded, no script.

What failed last stands first; frames of the author are open, with the lines around, others can be opened.
Every text is hidden from whom it does not concern (`hide`) and escaped here, at the place where it enters.
"""

from __future__ import annotations

import linecache
from html import escape
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from penstock.http.redaction import redactor
from penstock.http.status import reason
from penstock.observe.failures.failure import CAUSE, CONTEXT, OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from penstock.observe.failures.failure import Frame, Part

_RELATIONS = {CAUSE: "It was caused by this one:", CONTEXT: "It came up while this one was handled:"}
_AROUND = 4  # lines before and after the one that failed

_STYLE = """
:root { color-scheme: light dark; --back: #fbfaf8; --card: #fff; --text: #23211e; --soft: #6d675f;
  --line: #e4dfd7; --error: #b3261e; --mark: #fdeceb; --own: #0b5d8a; --wave: #d9453b }
@media (prefers-color-scheme: dark) { :root { --back: #191816; --card: #22201d; --text: #ebe6de;
  --soft: #a39b8f; --line: #3a3630; --error: #ff8a80; --mark: #43231f; --own: #7cc4ee; --wave: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 3rem }
header p { margin: 0; color: var(--soft) }
h1 { margin: .35rem 0 .5rem; font-size: 1.5rem; line-height: 1.3; color: var(--error);
  overflow-wrap: anywhere; white-space: pre-wrap }
h2 { margin: 2.2rem 0 .6rem; font-size: 1rem }
h2.below { color: var(--error); white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .6rem }
code, pre, td, .place { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .87rem }
.frame { margin: .6rem 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  overflow: hidden }
.place { padding: .5rem .9rem; overflow-wrap: anywhere }
.place b { color: var(--own) }
.place span { color: var(--soft) }
pre { margin: 0; padding: .5rem 0; border-top: 1px solid var(--line); overflow-x: auto; tab-size: 4 }
pre div { padding: 0 .9rem; min-width: max-content }
pre i { display: inline-block; width: 3.5em; margin-right: 1.2em; text-align: right; font-style: normal;
  color: var(--soft); user-select: none }
pre .at { background: var(--mark); font-weight: 600 }
u { text-decoration: underline wavy var(--wave); text-decoration-skip-ink: none;
  text-underline-offset: .25em }
details { margin: .6rem 0; color: var(--soft) }
details.held { margin: 0; padding: .4rem .9rem; border-top: 1px solid var(--line) }
details .frame { margin-left: 1rem; color: var(--text) }
summary { cursor: pointer }
.note { margin: .3rem 0; white-space: pre-wrap; color: var(--soft) }
.before { margin: 1.8rem 0 .6rem; color: var(--soft) }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
td { padding: .3rem .9rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere }
td:first-child { width: 14rem; color: var(--soft) }
footer { margin-top: 2.2rem; color: var(--soft); font-size: .87rem }
@media (max-width: 40rem) { td:first-child { width: 8.5rem } main { padding: 1.25rem .9rem } }
"""


def render_page(
    parts: Sequence[Part],
    *,
    title: str,
    status: int,
    facts: Iterable[tuple[str, str]],
    trace_id: str,
    hide: Callable[[str], str] = str,
) -> str:
    """Return the page for the exceptions `parts`, the last of which is the failure. `hide` returns a text
    without its secrets.
    """
    parts = [_hidden(part, hide) for part in parts]
    failure = parts[-1]
    body = [
        f"<header><p>{escape(title)} · {status} {escape(reason(status))}</p>",
        f"<h1>{escape(failure.summary)}</h1>",
        _notes(failure),
        "</header>",
        _frames(failure),
    ]
    for above, part in pairwise(reversed(parts)):
        relation = _RELATIONS.get(above.before, part.before)
        body.append(f'<p class="before">{escape(relation)}</p>')
        body.append(f'<h2 class="below">{escape(part.summary)}</h2>{_notes(part)}{_frames(part)}')
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts)
    body.append(f"<h2>Request</h2><table>{rows}</table>")
    body.append(
        f"<footer>Trace id <code>{escape(trace_id)}</code>. Shown because this server runs with "
        "<code>--reload</code> or <code>--development</code>.</footer>"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(failure.summary)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _hidden(part: Part, hide: Callable[[str], str]) -> Part:
    frames = [
        frame._replace(variables=tuple((name, hide(value)) for name, value in frame.variables))
        for frame in part.frames
    ]
    return part.shown_by(hide)._replace(frames=frames)


def _notes(part: Part) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in part.notes)


def _frames(part: Part) -> str:
    """The last call first; runs of frames that are not the author's are folded."""
    frames = part.frames[::-1]
    is_foreign = all(frame.origin for frame in frames)
    pieces = []
    for origin, run in groupby(frames, key=lambda frame: bool(frame.origin)):
        found = list(run)
        shown = "".join(_frame(frame) for frame in found)
        if origin and not is_foreign:
            names = ", ".join(dict.fromkeys(frame.origin for frame in found))
            plural = "s" if len(found) > 1 else ""
            summary = f"<summary>{len(found)} frame{plural} of {escape(names)}</summary>"
            shown = f"<details>{summary}{shown}</details>"
        pieces.append(shown)
    return "".join(pieces)


def _frame(frame: Frame) -> str:
    name = f"<b>{escape(frame.shown)}</b>" if frame.origin == OWN else escape(frame.shown)
    lines = linecache.getlines(frame.file)
    start = max(0, frame.line - 1 - _AROUND)
    around = lines[start : frame.line + _AROUND]
    listing = "".join(_line(start + at, text, frame) for at, text in enumerate(around, 1))
    code = f"<pre>{listing}</pre>" if listing else ""
    within = f" <span>in {escape(frame.function)}</span>" if frame.function else ""
    place = f"{name}:{frame.line}{within}"
    return f'<div class="frame"><div class="place">{place}</div>{code}{_variables(frame)}</div>'


def _variables(frame: Frame) -> str:
    if not frame.variables:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(value)}</code></td></tr>"
        for name, value in frame.variables
    )
    return f'<details class="held"><summary>Variables</summary><table>{rows}</table></details>'


def _line(number: int, text: str, frame: Frame) -> str:
    text = redactor().text(whole := text.rstrip())
    if number != frame.line:
        return f"<div><i>{number}</i>{escape(text)}</div>"
    if frame.marked is not None and text == whole:
        start, end = frame.marked
        shown = f"{escape(text[:start])}<u>{escape(text[start:end])}</u>{escape(text[end:])}"
    else:
        shown = escape(text)
    return f'<div class="at"><i>{number}</i>{shown}</div>'
