"""The charts as files: SVG by our own hand, PNG as headless Chromium shows that SVG.

SVG needs nothing. PNG needs a Chromium or Chrome: BROWSER_PATH says which one, otherwise the usual names are
looked for. It is started once for each picture with a profile of its own, sees that one file and no network,
and is ended with all its processes when it takes too long.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import BenchmarkError, MissingLibrary
from http_benchmark.report.charts import make_charts
from http_benchmark.report.svg import HEIGHT, WIDTH, draw_svg
from http_benchmark.report.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LIMIT_S: Final = 60.0
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-device-scale-factor=2",
    f"--window-size={WIDTH},{HEIGHT}",
)


def write_svgs(results: Sequence[BenchmarkResult], folder: Path) -> list[Path]:
    """Write a file for each chart, into a folder that is made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in make_charts(results):
        path = folder / f"{chart.key}.svg"
        write_file(path, draw_svg(chart).encode("utf-8", "backslashreplace"))
        written.append(path)
    return written


def write_pngs(results: Sequence[BenchmarkResult], folder: Path) -> list[Path]:
    """As `write_svgs`, with two pixels to each of the SVG's. MissingLibrary without a Chromium."""
    chromium = _find_chromium()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with tempfile.TemporaryDirectory(prefix="http-benchmark-", ignore_cleanup_errors=True) as scratch:
        for source in write_svgs(results, Path(scratch, "svg")):
            path = folder / f"{source.stem}.png"
            write_file(path, _photograph(chromium, source, Path(scratch)))
            written.append(path)
    return written


def _find_chromium() -> str:
    given = os.environ.get("BROWSER_PATH")
    for name in (given,) if given else _NAMES:
        if found := shutil.which(name):
            return found
    raise MissingLibrary(
        given or "Chromium",
        "it makes PNG (apt install chromium; BROWSER_PATH names one, or a Chrome); --svg needs none",
    )


def _photograph(chromium: str, source: Path, scratch: Path) -> bytes:
    shot = scratch / "shot.png"
    shot.unlink(missing_ok=True)
    command = [chromium, *_FLAGS, f"--user-data-dir={scratch / 'profile'}", f"--screenshot={shot}"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # it refuses to run as root with one; what it shows is ours
    with Path(scratch, "log").open("w+b") as log:
        process = subprocess.Popen(  # noqa: S603 - found above
            [*command, source.as_uri()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"HOME": str(scratch)},
            start_new_session=True,
        )
        try:
            process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
    if not shot.exists():
        said = Path(scratch, "log").read_text(errors="replace").strip().splitlines()
        raise BenchmarkError(f"{chromium} made no picture: {said[-1] if said else 'it said nothing'}")
    return shot.read_bytes()
