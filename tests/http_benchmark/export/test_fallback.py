from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.export.fallback import keep
from http_benchmark.export.json_form import dump, from_json, read_results, to_json
from http_benchmark.storage.database import check_writable
from http_benchmark.storage.store import ResultStorage
from tests.http_benchmark.made_results import make_full_result, make_result

ROOT = Path(__file__).parents[3]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder / "results.db"


def test_a_result_that_can_be_stored_is(path):
    results, said = [make_result(), make_full_result()], io.StringIO()

    kept = keep(results, path, said)

    assert (kept.ids, kept.files, kept.exit_code) == (tuple(each.id for each in results), (), 0)
    assert said.getvalue() == ""
    assert len(ResultStorage(path).get_all_results()) == 2


def test_a_locked_database_costs_the_patience_once_and_no_result(path, temporary):
    ResultStorage(path).save_result(make_result())
    results, said = [make_full_result() for _ in range(3)], io.StringIO()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        kept = keep(results, path, said, busy_timeout_s=0.2)

        other.execute("ROLLBACK")
    assert [read_results(file) for file in kept.files] == [[each] for each in results]
    assert [file.parent for file in kept.files] == [path.parent] * 3
    assert (kept.ids, kept.exit_code) == ((), 1)
    assert said.getvalue().splitlines()[:2] == [
        f"http-benchmark: the database {path}: another program holds its lock (database is locked)",
        f"http-benchmark: the result {results[0].id} is kept in {kept.files[0]} instead",
    ]
    assert len(ResultStorage(path).get_all_results()) == 1


LIMITED = """
import resource, sys
from http_benchmark.export.json_form import read_results
from http_benchmark.export.fallback import keep
(result,) = read_results(sys.argv[2])
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
kept = keep([result], sys.argv[1], sys.stderr)
print(kept.exit_code, len(kept.ids), len(kept.files), kept.lost)
"""


def run_limited(path, result, limit, **options):
    source = path.parent / "source.json"
    source.write_text(json.dumps(to_json(result)))
    source.chmod(0o644)
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(source), str(limit)],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "TMPDIR": str(path.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_a_disk_that_takes_no_more_of_the_database_still_takes_the_file(path):
    """Files of this process may grow to 20,000 octets: too few for the log of the database, enough for JSON."""
    result = make_result(rounds=1, requests=5)
    assert len(dump([result])) < 10_000
    ResultStorage(path).save_result(make_full_result())
    before = ResultStorage(path).get_all_results()

    done = run_limited(path, result, 20_000)

    assert done.stdout == "1 0 1 0\n", done.stderr
    assert f"http-benchmark: the database {path}: the disk" in done.stderr
    assert read_results(path.parent / f"results-{result.id}.json") == [result]
    assert ResultStorage(path).get_all_results() == before


FULL = """
import subprocess, sys
from pathlib import Path
from http_benchmark.errors import UsageError
from http_benchmark.export.json_form import read_results
from http_benchmark.storage.database import check_writable
from http_benchmark.export.fallback import keep
from http_benchmark.storage.store import ResultStorage

folder, source = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
path = folder / "results.db"
(result,) = read_results(source)
kept = 0
for number in range(100):
    result.id = str(number)
    done = keep([result], path, sys.stderr)
    kept += len(done.ids)
    if done.files:
        break
print(kept == number > 0, len(ResultStorage(path).get_all_results()) == kept, read_results(done.files[0]) == [result])
print(*[each.name for each in folder.iterdir() if each.suffix == ".json" and each != done.files[0]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a file system of its own is made by Linux's tmpfs")
def test_a_disk_that_is_full_loses_nothing_that_was_kept(path):
    source = path.parents[1] / "source.json"
    source.write_text(dump([make_full_result()]), encoding="utf-8")
    mine = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*mine, "true"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")

    done = subprocess.run(
        [*mine, sys.executable, "-c", FULL, str(path.parent), str(source)],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "TMPDIR": str(path.parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "True True True\n\n", done.stderr
    assert "the disk is full" in done.stderr


def test_a_disk_that_takes_nothing_has_the_result_on_the_stream(path):
    result = make_full_result()

    done = run_limited(path, result, 100)

    assert done.stdout == "1 0 0 1\n"
    said = done.stderr.splitlines()
    assert said[1] == "http-benchmark: no file can be written either; this is the result:"
    assert from_json(json.loads(said[2])) == result
    assert not [
        each.name for each in path.parent.iterdir() if each.suffix == ".json" and each.name != "source.json"
    ]


def test_a_folder_that_is_gone_sends_the_result_to_the_temporary_one(path, temporary):
    path.parent.rmdir()
    result, said = make_full_result(), io.StringIO()

    kept = keep([result], path, said)

    assert kept.files == (temporary / f"results-{result.id}.json",)
    assert read_results(kept.files[0]) == [result]
    assert str(kept.files[0]) in said.getvalue()


def test_a_file_in_the_way_stays(path, temporary):
    path.write_bytes(b"this is no database, whatever its name says" * 30)
    result, said = make_full_result(), io.StringIO()
    (path.parent / f"results-{result.id}.json").symlink_to("elsewhere")

    kept = keep([result], path, said)

    assert kept.files == (temporary / f"results-{result.id}.json",)
    assert "it is no SQLite database" in said.getvalue()
    assert not (path.parent / "elsewhere").exists()


# ------------------------------------------------------------------------------- known before anything is measured


def test_what_can_be_written_is_checked_without_a_trace(path):
    check_writable(path)
    assert list(path.parent.iterdir()) == []

    ResultStorage(path).save_result(make_result())
    check_writable(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_of_now_is_no_reason_not_to_measure(path):
    ResultStorage(path).save_result(make_result())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        check_writable(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.mkdir(), "it is no file"),
        (
            lambda path: path.write_text("no database at all, but a text of some length" * 30),
            "it is no SQLite database",
        ),
        (lambda path: path.parent.rmdir(), "there is no folder"),
    ],
    ids=["a folder", "a text", "no folder"],
)
def test_what_cannot_be_written_is_wrong_usage(path, spoil, said):
    spoil(path)

    with pytest.raises(UsageError, match=said) as told:
        check_writable(path)
    assert str(path) in str(told.value)


NOBODY = 65534
CHECK = """
import os, sys
from pathlib import Path
from http_benchmark.errors import BenchmarkError
from http_benchmark.storage.database import check_writable
from http_benchmark.storage.store import ResultStorage
for name in sys.argv[1:]:
    try:
        check_writable(Path(name))
        print("writable")
    except BenchmarkError as error:
        print(type(error).__name__, error)
    try:
        print(len(ResultStorage(name).get_all_results()))
    except BenchmarkError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give up its rights; another user has none to begin with"
)
def test_a_file_or_folder_without_the_right_to_write_can_be_read():
    """As another user: root may write everything."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        source = Path(folder, "source")
        source.symlink_to(ROOT / "src")
        closed, opened = Path(folder, "closed"), Path(folder, "opened")
        for each in (closed, opened):
            each.mkdir()
            ResultStorage(each / "results.db").save_result(make_full_result())
        opened.chmod(0o777)
        (opened / "results.db").chmod(0o444)
        Path(folder).chmod(0o755)

        lines = as_nobody(folder, [closed / "results.db", closed / "new.db", opened / "results.db"])

        assert lines == [
            f"UsageError results cannot be kept in {closed}/results.db: it cannot be written",
            "1",
            f"UsageError results cannot be kept in {closed}/new.db: the folder {closed} cannot be written",
            "0",
            f"UsageError results cannot be kept in {opened}/results.db: it cannot be written",
            "1",
        ]
        assert [each.name for each in closed.iterdir()] == ["results.db"]


def as_nobody(folder, paths):
    """Run CHECK without rights. It is read before they are given up, as the source may be another's to read."""
    program = f"import sys; sys.path[:0] = {[str(ROOT / 'src')]!r}\n"
    program += "import json, uuid, zlib, http_benchmark.storage.store, os\n"
    program += f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n{CHECK}"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_storage_errors_are_of_one_kind(path):
    path.write_text("no database at all, but a text of some length" * 30)

    for call in (ResultStorage(path).get_all_results, lambda: ResultStorage(path).save_result(make_result())):
        with pytest.raises(StorageError, match="it is no SQLite database"):
            call()
