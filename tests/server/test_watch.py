"""What counts as a change: files that appear, change, go, are renamed or replaced, and where."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from penstock.server import watch
from penstock.server.watch import Tree, has_watchfiles, occasions, regularly, settle

WAIT_S = 20


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web.py").write_text("one")
    (tmp_path / "main.py").write_text("main")
    return tmp_path


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def seen(folder, **options):
    """The files of a tree, by their names below it."""
    tree = Tree([str(folder)], **options)
    return {os.path.relpath(path, folder) for path in tree.take_picture()}


def test_first_look_finds_nothing(folder):
    assert Tree([str(folder)]).look() == []


def save_in_place(path):
    path.write_text("another")


def save_by_renaming(path):
    path.with_suffix(".tmp").write_text("two")
    path.with_suffix(".tmp").replace(path)


def save_with_a_copy(path):
    path.rename(path.with_name(path.name + "~"))
    path.write_text("two")


def save_with_the_same_size_and_time(path):
    found = path.stat()
    path.with_suffix(".tmp").write_text("ONE")
    os.utime(path.with_suffix(".tmp"), ns=(found.st_atime_ns, found.st_mtime_ns))
    path.with_suffix(".tmp").replace(path)


@pytest.mark.parametrize(
    "save", [save_in_place, save_by_renaming, save_with_a_copy, save_with_the_same_size_and_time]
)
def test_each_way_to_save_is_one_change(folder, save):
    tree = Tree([str(folder)])
    tree.look()

    save(folder / "shop" / "web.py")

    assert tree.look() == [str(folder / "shop" / "web.py")]
    assert tree.look() == []


def test_new_gone_and_renamed_files_are_changes(folder):
    tree = Tree([str(folder)])
    tree.look()

    make(folder, "shop/new/deep.py")
    new = tree.look()
    (folder / "main.py").rename(folder / "other.py")
    renamed = tree.look()
    (folder / "shop" / "web.py").unlink()
    gone = tree.look()

    assert new == [str(folder / "shop" / "new" / "deep.py")]
    assert renamed == [str(folder / "main.py"), str(folder / "other.py")]
    assert gone == [str(folder / "shop" / "web.py")]


def test_what_no_application_is_made_of_is_passed_over(folder):
    make(folder, "a.html", "shop/.#web.py", "#main.py#", "flycheck_web.py", "web.pyc", ".hidden.py")
    make(folder, ".git/hook.py", "node_modules/x/gyp.py", "shop/__pycache__/x.py", ".venv/lib/y.py")
    make(folder, "environment/pyvenv.cfg", "environment/lib/z.py", "vendor/site-packages/w.py")

    assert seen(folder) == {"main.py", "shop/web.py"}


def test_include_adds_and_exclude_takes_away(folder):
    make(folder, "a.html", "shop/b.html", ".env", "shop/made/c.py", "tests/test_a.py", "tests/data/d.html")

    assert seen(folder, include=["*.html", ".env"]) >= {"a.html", "shop/b.html", ".env", "tests/data/d.html"}
    assert seen(folder, include=["shop/*.html"]) & {"a.html", "shop/b.html"} == {"shop/b.html"}
    assert seen(folder, exclude=["tests", "web.py"]) == {"main.py", "shop/made/c.py"}
    assert seen(folder, exclude=["shop/made/", "./tests"]) == {"main.py", "shop/web.py"}
    assert seen(folder, include=["*.html"], exclude=["a.*"]) >= {"shop/b.html"}


def test_a_root_that_lies_in_a_passed_over_folder_is_watched(folder):
    make(folder, ".work/site-packages/a.py")

    assert seen(folder / ".work" / "site-packages") == {"a.py"}


def test_roots_that_overlap_are_looked_into_once(folder):
    tree = Tree([str(folder), str(folder / "shop"), str(folder)])

    picture = tree.take_picture()

    assert len(picture) == 2
    assert len(tree.folders) == len(set(tree.folders)) == 2


def test_folders_that_cannot_be_read_and_links_to_nothing_are_no_failure(folder):
    (folder / "dangling.py").symlink_to(folder / "nothing.py")
    (folder / "round").symlink_to(folder)
    tree = Tree([str(folder), str(folder / "not there")])

    assert tree.look() == []
    assert {Path(path).name for path in tree.take_picture()} == {"main.py", "web.py"}


def test_the_nearest_folders_are_watched_when_there_are_too_many(folder, monkeypatch):
    make(folder, *(f"wide/{number}/x.py" for number in range(20)))
    monkeypatch.setattr(watch, "_FOLDERS_LIMIT", 5)
    tree = Tree([str(folder)])

    picture = tree.take_picture()

    assert tree.is_cut
    assert len(tree.folders) == 5
    assert str(folder / "main.py") in picture


def test_changed_files_are_told_from_the_first_root_on(folder):
    tree = Tree([str(folder), "/elsewhere"])
    names = [str(folder / f"{letter}.py") for letter in "abcd"]

    assert tree.describe(names[:1]) == "a.py"
    assert tree.describe([*names, "/elsewhere/x.py"]) == "a.py, b.py, c.py and 2 more"


def test_a_burst_of_saves_is_one_change(folder):
    tree = Tree([str(folder)])
    tree.look()

    make(folder, "first.py")
    changed = tree.look()
    make(folder, "second.py")

    assert settle(tree, changed) == [str(folder / "first.py"), str(folder / "second.py")]
    assert tree.look() == []


def test_settling_ends_while_saves_go_on(folder, monkeypatch):
    monkeypatch.setattr(watch, "_BURST_S", 0.2)
    tree = Tree([str(folder)])
    tree.look()
    numbers = iter(range(10_000))
    look = tree.look

    def look_and_save():
        make(folder, f"n{next(numbers)}.py")
        return look()

    tree.look = look_and_save
    start = time.monotonic()

    assert settle(tree, [])
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("method", [regularly, occasions])
def test_a_change_is_seen(folder, method):
    if method is occasions and not has_watchfiles():
        pytest.skip("watchfiles is not installed")
    tree = Tree([str(folder)])
    tree.look()
    threading.Timer(0.3, make, (folder, "shop/later/one.py")).start()
    changed = []

    end = time.monotonic() + WAIT_S
    for _ in method(tree):
        changed = tree.look()
        assert time.monotonic() < end
        if changed:
            break

    assert changed == [str(folder / "shop" / "later" / "one.py")]


def test_bytecode_of_the_same_second_is_dropped_and_older_is_kept(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for name in ("doubtful", "sound"):
        (tmp_path / f"{name}_module.py").write_text("value = 1\n")
    past = time.time() - 100
    os.utime(tmp_path / "sound_module.py", (past, past))
    importlib.invalidate_caches()
    modules = [importlib.import_module(f"{name}_module") for name in ("doubtful", "sound")]
    files = [cache_from_source(module.__file__) for module in modules]
    now = time.time()
    os.utime(tmp_path / "doubtful_module.py", (now, now))

    Tree([str(tmp_path)]).drop_doubtful_bytecode()

    assert [Path(file).exists() for file in files] == [False, True]
