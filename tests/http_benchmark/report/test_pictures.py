"""Pictures as files."""

from __future__ import annotations

import os
import struct

import pytest

from http_benchmark.errors import BenchmarkError, MissingLibrary
from http_benchmark.report import pictures
from http_benchmark.report.pictures import write_pngs, write_svgs
from tests.http_benchmark.report.samples import make_result, three_clients


def test_each_chart_is_a_file_of_its_name(tmp_path):
    written = write_svgs(three_clients(), tmp_path / "new" / "pictures")

    assert {path.name for path in written} >= {"rate.svg", "latency-distribution.svg", "rounds.svg"}
    assert sorted(path.name for path in written) == sorted(
        path.name for path in (tmp_path / "new" / "pictures").iterdir()
    )
    assert all(path.read_text("utf-8").startswith("<svg ") for path in written)


@pytest.mark.need_tool("chromium")
def test_a_png_has_two_pixels_to_each_of_the_svg(tmp_path, monkeypatch, need_tool):
    monkeypatch.setenv("BROWSER_PATH", need_tool("chromium"))
    monkeypatch.setattr(pictures, "make_charts", lambda results, make=pictures.make_charts: make(results)[:1])

    (path,) = write_pngs([make_result(rounds=1)], tmp_path)

    png = path.read_bytes()
    assert path.name == "latency-distribution.png"
    assert png.startswith(b"\x89PNG") and struct.unpack(">II", png[16:24]) == (1920, 1080)
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_browser_the_error_says_what_needs_none(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))

    with pytest.raises(MissingLibrary, match=r"apt install chromium.*--svg needs none"):
        write_pngs([make_result(rounds=1)], tmp_path / "png")

    assert not (tmp_path / "png").exists()


def test_a_browser_that_makes_no_picture_is_told(tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho cannot start today >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(broken))

    with pytest.raises(BenchmarkError, match="made no picture: cannot start today"):
        write_pngs([make_result(rounds=1)], tmp_path / "png")


def test_a_browser_that_hangs_is_ended(tmp_path, monkeypatch):
    hanging = tmp_path / "hanging"
    hanging.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(hanging))
    monkeypatch.setattr(pictures, "_LIMIT_S", 1.0)

    with pytest.raises(BenchmarkError, match="it said nothing"):
        write_pngs([make_result(rounds=1)], tmp_path / "png")

    if (tmp_path / "pid").exists():  # it was started at all within the limit
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
