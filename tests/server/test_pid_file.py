"""A pid file: whole or not there, never taken from a process that lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from penstock.errors import ConfigError, ServerUnreachable
from penstock.server.pid_file import holding, read_pid

HOLDS = """
import sys
from penstock.server.pid_file import holding
with holding(sys.argv[1]):
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.pid"


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def end_of(child):
    child.kill()
    child.wait()


def test_it_is_there_inside_the_block_and_nothing_else_is(path):
    with holding(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"
        assert list(path.parent.iterdir()) == [path]

    assert list(path.parent.iterdir()) == []


def test_without_a_path_there_is_none(tmp_path):
    with holding(None):
        assert list(tmp_path.iterdir()) == []


def test_that_of_a_dead_process_is_replaced(path, sleeper):
    path.write_text(f"{sleeper.pid}\n")
    end_of(sleeper)

    with holding(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_that_of_a_live_process_is_not(path, sleeper):
    path.write_text(f"{sleeper.pid}\n")

    with pytest.raises(ConfigError) as caught, holding(str(path)):
        pass

    assert (
        str(caught.value) == f"pid_file: {path} is that of process {sleeper.pid}, which runs; stop it first"
    )
    assert path.read_text() == f"{sleeper.pid}\n"
    assert list(path.parent.iterdir()) == [path]


def test_that_of_a_process_whose_number_came_back_is_replaced(path, sleeper):
    path.write_text(f"{sleeper.pid}\n")
    os.utime(path, (0, time.time() - 3600))

    with holding(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_that_of_this_process_is_replaced_as_in_a_container(path):
    path.write_text(f"{os.getpid()}\n")

    with holding(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_an_empty_one_is_replaced(path):
    path.write_text("")

    with holding(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("text", ["important notes\n", "-1\n", "12a\n", "1" * 400])
def test_a_file_of_another_sort_is_not_ours_to_replace(path, text):
    path.write_text(text)

    with pytest.raises(ConfigError, match="holds no process id"), holding(str(path)):
        pass

    assert path.read_text() == text


def test_one_that_another_put_there_meanwhile_stays(path):
    with holding(str(path)):
        path.unlink()
        path.write_text("4711\n")

    assert path.read_text() == "4711\n"


def test_one_that_went_away_meanwhile_is_no_fault(path):
    with holding(str(path)):
        path.unlink()


@pytest.mark.parametrize("name", ["absent/shop.pid", "file/shop.pid"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="pid_file: cannot write"), holding(str(tmp_path / name)):
        pass


def test_what_is_forked_inside_leaves_it_alone(path):
    code = "import os\nfrom penstock.server.pid_file import holding\n"
    code += f"with holding({str(path)!r}):\n    if not os.fork(): raise SystemExit\n    os.wait()\n"
    code += f"    assert os.path.exists({str(path)!r})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert not path.exists()


def test_of_many_that_start_at_once_over_a_stale_one_a_single_one_holds_it(path, sleeper):
    path.write_text(f"{sleeper.pid}\n")
    end_of(sleeper)
    command = [sys.executable, "-c", HOLDS, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    children = [subprocess.Popen(command, **pipes) for _ in range(6)]
    said = [child.stdout.readline() for child in children]
    holder = int(path.read_text())
    for child in children:
        child.communicate()

    assert sorted(said) == [""] * 5 + ["here\n"]
    assert children[said.index("here\n")].pid == holder
    assert not path.exists()


def test_the_reader_knows_the_live_from_the_dead(path, sleeper):
    path.write_text(f"{sleeper.pid}\n")
    alive = read_pid(str(path))
    end_of(sleeper)

    assert (alive, read_pid(str(path))) == (sleeper.pid, None)


def test_the_reader_says_when_there_is_no_file(path):
    with pytest.raises(ServerUnreachable, match=r"there is no .*shop\.pid"):
        read_pid(str(path))
