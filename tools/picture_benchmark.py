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

from http_benchmark.configuration import BenchmarkConfiguration  # noqa: E402
from http_benchmark.engine.runner import measure_in_turns  # noqa: E402
from http_benchmark.report.html import write_report  # noqa: E402
from http_benchmark.report.live import Live  # noqa: E402
from http_benchmark.report.table import print_results  # noqa: E402
from http_benchmark.statistics.comparison import compare_results  # noqa: E402
from http_benchmark.storage.environment import look_at_environment  # noqa: E402
from http_benchmark.targets.embedded import embedded  # noqa: E402
from tests.browser.chromium import Browser  # noqa: E402

CLIENTS = (("requests", "sync"), ("httpx", "async"), ("aiohttp", "async"))
SIZE = (1240, 1560)
WARM_UP_S = 1.0


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
        measure(options, page)
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


def measure(options: argparse.Namespace, page: Path) -> None:
    """Measure the clients and write the page."""
    planned_s = len(CLIENTS) * (options.seconds + options.rounds * WARM_UP_S)
    with embedded() as target, Live(planned_s=planned_s) as live:
        wanted = [
            BenchmarkConfiguration(
                url=f"{target.url}get",
                client=client,
                mode=mode,  # type: ignore[arg-type]  # one of those
                concurrency=8,
                duration_s=options.seconds,
                rounds=options.rounds,
                warm_up_s=WARM_UP_S,
            )
            for client, mode in CLIENTS
        ]
        results = measure_in_turns(wanted, watch=live.watch)
    for result in results:
        result.environment = look_at_environment([client for client, _ in CLIENTS])
    verdicts = compare_results(results)
    write_report(results, verdicts, page)
    print_results(results, verdicts, sys.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
