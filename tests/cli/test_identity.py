"""`--user` and `--group`: root opens, another serves, and there is no way back."""

from __future__ import annotations

import grp
import os
import pwd
import time
from pathlib import Path

import pytest

from tests.cli.unprivileged import USER, ask, public_folder, run, serving
from tests.server.certificates import Authority

WAIT_S = 20.0


@pytest.fixture(scope="module")
def folder():
    with public_folder() as made:
        yield made


@pytest.fixture(scope="module")
def nobody():
    return pwd.getpwnam(USER)


@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--workers", "2", "--preload")])
def test_who_serves_is_that_user_for_good(folder, nobody, words):
    with serving(folder, "--user", USER, *words) as (_, url):
        seen = ask(url)

    assert seen["users"] == [nobody.pw_uid] * 3
    assert seen["groups"] == [nobody.pw_gid] * 3
    assert seen["more"] == [nobody.pw_gid]
    assert not seen["returns"]
    assert seen["imported_by"] == (0 if "--preload" in words else nobody.pw_uid)
    assert seen["home"] == nobody.pw_dir
    assert seen["parent"] == 0


def test_the_groups_a_user_is_in_are_taken_along(folder):
    members = [(group, name) for group in grp.getgrall() for name in group.gr_mem if name != "root"]
    if not members:
        pytest.skip("no user of this machine is in a group beside its own")
    group, name = members[0]

    with serving(folder, "--user", name) as (_, url):
        seen = ask(url)

    assert group.gr_gid in seen["more"]


def test_a_group_takes_the_place_of_the_users_own(folder, nobody):
    daemon = grp.getgrnam("daemon").gr_gid

    with serving(folder, "--user", USER, "--group", "daemon") as (_, url):
        seen = ask(url)

    assert (seen["users"], seen["groups"]) == ([nobody.pw_uid] * 3, [daemon] * 3)
    assert seen["more"] == [daemon]


def test_a_group_alone_changes_no_user(folder):
    daemon = grp.getgrnam("daemon").gr_gid

    with serving(folder, "--group", "daemon") as (_, url):
        seen = ask(url)

    assert (seen["users"], seen["groups"], seen["more"]) == ([0] * 3, [daemon] * 3, [daemon])


def test_numbers_do_without_names(folder):
    with serving(folder, "--user", "54321", "--group", "12345") as (_, url):
        seen = ask(url)

    assert (seen["users"], seen["groups"], seen["more"]) == ([54321] * 3, [12345] * 3, [12345])


def test_a_key_only_root_can_read_is_read_before(folder):
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    Path(key).chmod(0o600)

    with serving(folder, "--user", USER, "--tls-cert", str(certificate), "--tls-key", str(key)) as (_, url):
        seen = ask(url.replace("127.0.0.1", "localhost"), context=authority.client())

    assert seen["users"][0] == pwd.getpwnam(USER).pw_uid


def test_a_unix_socket_belongs_to_who_serves(folder, nobody):
    path = folder / "shop.sock"

    with serving(folder, "--user", USER, "--bind", "127.0.0.1:0", "--bind", f"unix:{path}"):
        found = path.stat()

    assert (found.st_uid, found.st_gid) == (nobody.pw_uid, nobody.pw_gid)


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_a_pid_file_of_root_holds_no_process_after_the_end(folder, words):
    path = folder / "shop.pid"

    with serving(folder, "--user", USER, "--pid-file", str(path), *words) as (child, _):
        during = path.read_text()

    assert during == f"{child.pid}\n"
    assert not path.exists() or path.read_text() == ""


def test_a_worker_that_comes_later_gives_up_root_too(folder, nobody):
    with serving(folder, "--user", USER, "--workers", "2") as (child, url):
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
        before = set(children.read_text().split())
        os.kill(int(min(before)), 9)
        end = time.monotonic() + WAIT_S
        while len(now := set(children.read_text().split())) < 2 or now == before:
            assert time.monotonic() < end
            time.sleep(0.01)
        for _ in range(20):
            assert ask(url)["users"] == [nobody.pw_uid] * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--user", "no-such-user"), "user: there is no user no-such-user"),
        (("--group", "no-such-group"), "group: there is no group no-such-group"),
        (
            ("--user", "54321"),
            "user: 54321 is in no list of users, so its group has to be named with --group",
        ),
    ],
)
def test_who_does_not_exist_is_one_line(folder, words, message):
    done = run(folder, "run", "shop:app", "--port", "0", *words)

    assert (done.returncode, done.stderr) == (2, f"penstock: error: {message}\n")


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_who_is_not_root_cannot_become_another(folder, nobody, words):
    done = run(
        folder, "run", "shop:app", "--port", "0", "--user", "daemon", *words, user=USER, group="nogroup"
    )

    message = f"user: only root can become daemon, and this is user {nobody.pw_uid}"
    assert (done.returncode, done.stderr) == (2, f"penstock: error: {message}\n")


def test_who_is_that_user_already_may_say_so(folder, nobody):
    with serving(folder, "--user", USER, user=USER, group=nobody.pw_gid, extra_groups=[]) as (_, url):
        assert ask(url)["users"] == [nobody.pw_uid] * 3
