"""Make docs/benchmark-report.png: the report of a real measurement of three client libraries.

    PYTHONPATH=src:. python tools/picture_benchmark.py [--seconds 30] [--rounds 10] [--page FILE] [FILE]

They ask the embedded target, in turns. It needs Chromium, plotly and the libraries.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "tools")]

from picture_dashboard import with_palette  # noqa: E402

from http_benchmark.cli import main as http_benchmark  # noqa: E402
from tests.browser.chromium import Browser  # noqa: E402

CLIENTS = ("requests", "httpx", "aiohttp")
SIZE = (1240, 1800)


def main() -> int:
    """Make it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "docs" / "benchmark-report.png")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each client")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--page", type=Path, help="keep the page too")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("this needs chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        page = options.page or Path(folder, "report.html")
        words = ["--compare", *CLIENTS, "--concurrency", "8", "--no-save", "--report", str(page)]
        code = http_benchmark([*words, "--duration", str(options.seconds), "--rounds", str(options.rounds)])
        if code:
            return code
        browser = Browser(chromium)
        try:
            with browser.open_page() as tab:
                tab.resize(*SIZE, dark=options.dark)
                tab.goto(page.resolve().as_uri())
                tab.wait_for("document.documentElement.dataset.drawn")
                tab.screenshot(options.file)
        finally:
            browser.close()
    options.file.write_bytes(with_palette(options.file.read_bytes()))
    print(f"{options.file}: {options.file.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
