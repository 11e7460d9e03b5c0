"""A directory as a page. Names are text and nothing else: escaped in the page, percent-encoded in links.

What is not served is not listed: hidden names, unless they are, what is neither a file nor a directory, and
names that are not UTF-8, which no URL could name. A link is listed when what it leads to is served.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from penstock.app.static.folder import Absent, Folder, OpenFolder
from penstock.http.query import encode_segment
from penstock.http.response import HTMLResponse

if TYPE_CHECKING:
    from penstock.http.response import Response

_ENTRIES = 10_000  # of one page; a page of more serves nobody

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}}
:root{{color-scheme:light dark;overflow-wrap:anywhere}}
table{{width:100%;border-spacing:0}}td{{padding:0}}td a{{display:block;padding:.4rem 0}}
td+td{{text-align:right;white-space:nowrap;padding-left:1rem;opacity:.7}}</style>
</head><body><h1>{title}</h1><table>
{rows}
</table>{more}</body></html>
"""


def render_listing(folder: Folder, found: OpenFolder, title: str, *, has_parent: bool) -> Response:
    """Return the page for an open directory. `title` is its path as text. Blocks."""
    from html import escape

    directories: list[tuple[str, int | None]] = []
    files: list[tuple[str, int | None]] = []
    more = ""
    with os.scandir(found.fd) as entries:
        for count, entry in enumerate(entries):
            if count >= _ENTRIES:
                more = f"<p>Only {_ENTRIES} entries are shown.</p>"
                break
            row = _row(folder, found, entry)
            if row is not None:
                (files if row[1] is not None else directories).append(row)
    rows = ['<tr><td><a href="../">../</a></td><td></td></tr>'] if has_parent else []
    for name, size in sorted(directories) + sorted(files):
        end = "/" if size is None else ""
        shown = "" if size is None else f"{size:,}"
        link = escape("./" + encode_segment(name) + end)
        rows.append(f'<tr><td><a href="{link}">{escape(name)}{end}</a></td><td>{shown}</td></tr>')
    page = _PAGE.format(title=escape(title), rows="\n".join(rows), more=more)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})


def _row(folder: Folder, found: OpenFolder, entry: os.DirEntry[str]) -> tuple[str, int | None] | None:
    name = entry.name
    try:
        name.encode()
        folder.check([name])
        if entry.is_symlink():
            target = folder.open([*found.names, name])
            return name, None if isinstance(target, OpenFolder) else target.size
        if entry.is_dir(follow_symlinks=False):
            return name, None
        if entry.is_file(follow_symlinks=False):
            return name, entry.stat(follow_symlinks=False).st_size
    except (OSError, UnicodeEncodeError, Absent):
        return None
    return None
