"""Make docs/dashboard.png: the dashboard of a real server with workers, after some minutes of real load.

    PYTHONPATH=src:. python tools/picture_dashboard.py [--minutes 5] [--light] [FILE]

The load has an episode in which a route is slow, requests that fail, and a worker that is killed. It needs
Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.browser.chromium import Browser  # noqa: E402
from tests.e2e.serving import Serving, receive  # noqa: E402
from tests.e2e.workers import workers  # noqa: E402

APPLICATION = """
import asyncio, os, random, time
from penstock import App, HTTPError

app = App(version="2026.11.3")

def some(median_s, spread):
    return min(random.lognormvariate(0, spread) * median_s, 20)

@app.get("/", run="inline")
def home() -> str:
    return "Valves, pumps, gates"

@app.get("/items/{item_id}")
def item(item_id: int) -> dict:
    time.sleep(some(0.002, 0.5))
    return {"id": item_id}

@app.get("/search")
async def search(q: str = "") -> dict:
    await asyncio.sleep(some(0.25 if os.path.exists("slow") else 0.02, 0.8))
    return {"q": q}

@app.post("/orders", status=201)
async def order() -> dict:
    await asyncio.sleep(some(0.012, 0.4))
    if random.random() < 0.02:
        raise ConnectionRefusedError("the till is closed")
    return {"order": 1}

@app.get("/reports/{name}")
def report(name: str) -> str:
    time.sleep(some(2.5, 0.5))
    return name
"""
FLAGS = ("--threads", "8", "--admin", "127.0.0.1:0")
PATHS = ["/", "/", "/", "/items/{}", "/items/{}", "/items/{}", "/items/{}", "/search?q=valve", "/orders"]
CLIENTS = 5
PAUSE_S = 0.03
SIZE = (1280, 1355)
COLOURS = 256


def main() -> int:
    """Make it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", default=str(ROOT / "docs" / "dashboard.png"))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("this needs chromium", file=sys.stderr)
        return 1
    browser = Browser(chromium)
    try:
        with tempfile.TemporaryDirectory() as folder:
            take(browser, Path(folder), options)
    finally:
        browser.close()
    print(f"{options.file}: {Path(options.file).stat().st_size / 1000:.0f} kB")
    return 0


def take(browser: Browser, folder: Path, options: argparse.Namespace) -> None:
    """Serve, load, wait, look."""
    is_over = threading.Event()
    with workers(folder, *FLAGS, count=3, text=APPLICATION, may_fail=True) as server:
        (admin,) = re.findall(r"admin\s+(\S+)", server.log)[:1]
        threads = [threading.Thread(target=ask, args=(server, is_over)) for _ in range(CLIENTS)]
        threads += [threading.Thread(target=wait_for_reports, args=(server, is_over)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            pass_time(admin, folder, 60 * options.minutes)
            with browser.open_page() as page:
                page.resize(*SIZE, dark=not options.light)
                page.goto(f"{admin}/dashboard")
                page.wait_for("document.querySelectorAll('#routes tbody tr').length > 4")
                page.wait_for("document.querySelectorAll('#requests tbody tr').length > 2")
                page.screenshot(options.file)
                Path(options.file).write_bytes(with_palette(Path(options.file).read_bytes()))
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def pass_time(admin: str, folder: Path, seconds: float) -> None:
    """Have things happen at their time."""
    end = time.monotonic() + seconds
    slow, victim = folder / "slow", 0
    while (left_s := end - time.monotonic()) > 0:
        if 0.35 < left_s / seconds < 0.5:
            slow.touch()
        else:
            slow.unlink(missing_ok=True)
        if left_s / seconds < 0.2 and not victim:
            with urllib.request.urlopen(f"{admin}/live") as reply:  # noqa: S310 - ours
                victim = json.load(reply)["workers"][1]["pid"]
            os.kill(victim, signal.SIGKILL)
        time.sleep(0.2)


def ask(server: Serving, is_over: threading.Event) -> None:
    """Ask for one thing after the other, as a client does that thinks in between."""
    while not is_over.wait(random.expovariate(1 / PAUSE_S)):
        path = random.choice(PATHS).format(random.randrange(1000))
        method = "POST" if path == "/orders" else "GET"
        if random.random() < 0.02:
            path = "/favicon.ico"
        try:
            with server.connect() as client:
                for _ in range(random.randrange(2, 8)):
                    client.sendall(
                        f"{method} {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n".encode()
                    )
                    client.recv(65_536)
        except OSError:
            pass  # its worker was killed


def wait_for_reports(server: Serving, is_over: threading.Event) -> None:
    """Ask for what takes long."""
    while not is_over.wait(random.expovariate(1)):
        name = random.choice(["sales", "stock", "returns"])
        try:
            receive(server.ask(f"/reports/{name}", "Connection: close"))
        except OSError:
            pass


def with_palette(png: bytes) -> bytes:
    """The same picture in 256 colours, a third of the octets; others become the nearest."""
    width, height, rows = pixels(png)
    lines = [[row[at : at + 3] for at in range(0, 3 * width, 3)] for row in rows]
    counted = Counter(colour for line in lines for colour in line)
    palette = choose_palette(counted)
    number_of = {
        colour: min((distance(colour, each), at) for at, each in enumerate(palette))[1] for colour in counted
    }
    octets = b"".join(b"\0" + bytes([number_of[colour] for colour in line]) for line in lines)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(octets, 9)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return png[:8] + b"".join(chunks)


def choose_palette(counted: Counter[bytes]) -> list[bytes]:
    """Half of them the most frequent, half what would be missed most beside these."""
    palette = [colour for colour, _ in counted.most_common(COLOURS // 2)]
    missed = {
        colour: count * min(distance(colour, each) for each in palette) for colour, count in counted.items()
    }
    while len(palette) < min(COLOURS, len(counted)):
        worst = max(missed, key=missed.__getitem__)
        palette.append(worst)
        for colour, count in counted.items():
            missed[colour] = min(missed[colour], count * distance(colour, worst))
    return palette


def distance(one: bytes, other: bytes) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and the rows as RGB of a PNG with 8 bits a channel (PNG §9 has the filters)."""
    at, data = 8, b""
    width = height = colour_type = 0
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, _, colour_type = struct.unpack_from(">IIBB", content)
        elif kind == b"IDAT":
            data += content
        at += 12 + length
    size = 4 if colour_type == 6 else 3
    octets, stride = zlib.decompress(data), 1 + size * width
    rows, above = [], bytearray(size * width)
    for top in range(0, height * stride, stride):
        above = unfilter(octets[top], bytearray(octets[top + 1 : top + stride]), above, size)
        rows.append(b"".join(above[pixel : pixel + 3] for pixel in range(0, size * width, size)))
    return width, height, rows


def unfilter(kind: int, row: bytearray, above: bytearray, size: int) -> bytearray:
    for at in range(len(row)):
        left = row[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        elif kind == 4:
            guess = nearest(left, above[at], corner)
        else:
            guess = 0
        row[at] = (row[at] + guess) & 255
    return row


def nearest(left: int, above: int, corner: int) -> int:
    """Paeth's."""
    target = left + above - corner
    return min((left, above, corner), key=lambda each: abs(target - each))


if __name__ == "__main__":
    raise SystemExit(main())
