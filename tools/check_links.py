"""Check that every relative link in the Markdown files leads to something: a file, a folder, a heading.

Links to other hosts are not followed: a check of this repository must not depend on somebody else's server.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote

from markdown_files import ROOT, Page, markdown_paths, read_page, shown, without_code_spans

if TYPE_CHECKING:
    from pathlib import Path

_INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?")
_ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")


def links(page: Page) -> list[tuple[int, str]]:
    found = []
    for number, line in page.prose:
        text = without_code_spans(line)
        found += [(number, target) for target in _INLINE.findall(text)]
        found += [(number, target) for target in _REFERENCE.findall(text)]
    return found


def anchors(page: Page) -> set[str]:
    """The fragments GitHub makes of a page's headings; a repeated heading gets -1, -2, ..."""
    seen: dict[str, int] = {}
    found = set()
    for _, line in page.prose:
        heading = _HEADING.match(line)
        if heading is None:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def fault(page: Page, target: str, root: Path) -> str | None:
    """What is wrong with a link of a page, or None."""
    if _ELSEWHERE.match(target):
        return None
    name, _, fragment = target.partition("#")
    path = page.path
    if name:
        start = root if name.startswith("/") else page.path.parent
        path = (start / unquote(name).lstrip("/")).resolve()
    if not path.is_relative_to(root):
        return "leads out of the repository"
    if not path.exists():
        return "leads to nothing"
    if fragment and path.suffix == ".md" and fragment not in anchors(read_page(path)):
        return "leads to no heading"
    return None


def main(root: Path = ROOT) -> int:
    faults = []
    count = 0
    for path in markdown_paths(root):
        page = read_page(path)
        for number, target in links(page):
            count += 1
            if wrong := fault(page, target, root):
                faults.append(f"{shown(path)}:{number}: the link {target} {wrong}")
    print("\n".join([*faults, f"links: {count} checked, {len(faults)} broken"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
