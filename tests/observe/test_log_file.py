"""Log files: whole lines from many writers, rotation, and files that cannot be written for a while."""

from __future__ import annotations

import logging
import logging.config
import os
import re
import resource
import threading

import pytest

from penstock.errors import ConfigError
from penstock.observe.logs.access import AccessLog
from penstock.observe.logs.file import LogFile, open_log_files, open_shared
from penstock.observe.logs.setup import Logging, configure, withdraw
from tests.observe.noting import note

TEXT = Logging(form="text")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def files(tmp_path, logger):
    """Both files, installed."""
    opened = open_log_files(str(tmp_path / "server.log"), str(tmp_path / "access.log"))
    configure(TEXT, opened)
    yield opened
    withdraw()
    for file in opened:
        file.close()


def test_log_and_access_log_have_a_file_each_and_stderr_nothing(files, tmp_path, stderr):
    access = AccessLog()
    note(access, duration_s=0.001)
    access.stop()
    logging.getLogger("penstock.server").error("café\nsecond line")

    assert re.fullmatch(
        rf'{TIME} INFO penstock.access 127.0.0.1 "GET / HTTP/1.1" 200 13 1.0ms trace_id=[0-9a-f]{{32}}\n',
        (tmp_path / "access.log").read_text(),
    )
    text = (tmp_path / "server.log").read_text("utf-8")
    assert re.fullmatch(rf"{TIME} ERROR penstock\.server café\\nsecond line\n", text)
    assert stderr() == ""


def test_the_access_log_goes_with_the_log_without_a_file_of_its_own(tmp_path, logger):
    files = open_log_files(str(tmp_path / "all.log"), None)
    configure(TEXT, files)
    access = AccessLog()
    note(access, duration_s=0.001)
    access.stop()
    withdraw()

    assert '"GET / HTTP/1.1" 200' in (tmp_path / "all.log").read_text()


def test_a_file_gets_its_lines_though_the_user_configured_logging(files, tmp_path):
    seen = []

    class Sink(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    sink = Sink()
    logging.getLogger().addHandler(sink)
    logging.getLogger("penstock.server").error("both")
    logging.getLogger().removeHandler(sink)

    assert seen == ["both"]
    assert "both" in (tmp_path / "server.log").read_text()


def test_logging_config_of_an_application_does_not_close_the_file(tmp_path, logger):
    files = open_log_files(str(tmp_path / "server.log"), None)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    configure(TEXT, files)
    logging.getLogger("penstock.server").error("there")
    withdraw()

    assert "there" in (tmp_path / "server.log").read_text()


def test_a_renamed_file_is_left_at_reopening(tmp_path):
    path, old = tmp_path / "server.log", tmp_path / "server.log.1"
    file = LogFile(str(path))
    file.write("one\n")
    path.rename(old)
    file.write("two\n")
    file.reopen()
    file.write("three\n")
    file.close()

    assert old.read_text() == "one\ntwo\n"
    assert path.read_text() == "three\n"


def test_no_line_is_lost_or_torn_while_many_threads_write_and_one_rotates(tmp_path):
    path = tmp_path / "server.log"
    file = LogFile(str(path))

    def write(number):
        for count in range(500):
            file.write(f"{number}-{count} {'x' * 200}\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for count in range(20):
        path.rename(tmp_path / f"server.log.{count}")
        file.reopen()
    for thread in threads:
        thread.join()
    file.close()

    lines = [line for each in tmp_path.iterdir() for line in each.read_text().splitlines()]
    assert len(lines) == 2000
    assert {line.partition(" ")[0] for line in lines} == {f"{n}-{c}" for n in range(4) for c in range(500)}
    assert {line.partition(" ")[2] for line in lines} == {"x" * 200}


def test_a_file_that_cannot_be_reopened_leaves_the_old_one_in_use(tmp_path, stderr):
    folder = tmp_path / "log"
    folder.mkdir()
    file = LogFile(str(folder / "server.log"))
    folder.rename(tmp_path / "moved")

    file.reopen()
    file.write("still here\n")
    file.close()

    assert (tmp_path / "moved" / "server.log").read_text() == "still here\n"
    assert "not reopened: No such file or directory; the old file is written on" in stderr()


def test_a_full_disk_costs_lines_that_are_counted_and_told_once(tmp_path, stderr):
    link, real = tmp_path / "server.log", tmp_path / "real.log"
    link.symlink_to("/dev/full")
    file = LogFile(str(link))
    for _ in range(5):
        file.write("lost\nlost\n")
    said = stderr()
    link.unlink()
    link.symlink_to(real)
    file.reopen()
    file.write("found\n")
    file.write("found\n")
    file.close()

    assert said.count("\n") == 1
    assert "cannot be written, lines are lost until it can: No space left on device" in said
    text = real.read_text()
    assert re.fullmatch(
        rf"{TIME} WARNING penstock 10 lines lost: No space left on device\nfound\nfound\n", text
    )
    assert re.fullmatch(rf"{TIME} WARNING penstock \S+: is written again; .*\n", stderr())


def test_a_line_torn_by_a_full_disk_is_ended_before_the_next(tmp_path, stderr):
    path = tmp_path / "server.log"
    file = LogFile(str(path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file.write("first\n")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        file.write("second\nthird, which does not fit\nfourth\n")
        file.write("fifth\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write("sixth\n")
    file.close()

    lines = path.read_text().splitlines()
    assert lines[:3] == ["first", "second", "third, "]
    assert lines[3].endswith(" WARNING penstock 3 lines lost: File too large")
    assert lines[4:] == ["sixth"]
    assert len(stderr().splitlines()) == 2


def test_a_file_that_cannot_be_opened_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigError, match=r"^access_log_file: .*/none/a\.log: No such file or directory$"):
        open_log_files(None, str(tmp_path / "none" / "a.log"))


def test_new_files_are_not_for_everybody(tmp_path):
    umask = os.umask(0o022)
    try:
        LogFile(str(tmp_path / "server.log")).close()
    finally:
        os.umask(umask)

    assert (tmp_path / "server.log").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_new_files_to_whoever_serves(tmp_path):
    file = LogFile(str(tmp_path / "server.log"), (12345, 54321))
    (tmp_path / "server.log").rename(tmp_path / "server.log.1")
    file.reopen()
    file.close()

    for path in tmp_path.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_file_of_others_is_found_again_once_it_was_rotated(tmp_path, stderr):
    path = tmp_path / "all.log"
    (file, _) = open_shared(str(path))
    file.write("one\n")
    path.rename(tmp_path / "all.log.1")

    file.write("two\n")
    path.rename(tmp_path / "all.log.2")
    path.write_text("of others\n")
    file.write("three\n")
    file.close()

    assert (tmp_path / "all.log.1").read_text() == "one\n"
    assert (tmp_path / "all.log.2").read_text() == "two\n"
    assert path.read_text() == "of others\nthree\n"
    assert stderr() == ""


def test_file_of_others_that_cannot_be_opened_costs_its_lines_alone(tmp_path, stderr):
    assert open_shared(str(tmp_path / "absent" / "all.log")).log is None

    assert "not opened: No such file or directory" in stderr()


def test_file_for_a_form_of_its_own_has_nothing_else_in_it(tmp_path, stderr):
    file = LogFile(str(tmp_path / "access.log"))
    file.formatter = None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        file.write("lost\nlost\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write("found\n")
    file.close()

    assert (tmp_path / "access.log").read_text() == "found\n"
    assert "is written again; 2 lines are missing" in stderr()
