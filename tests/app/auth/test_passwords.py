"""Hashes of passwords: what is accepted, what costs time, what cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.app.security import passwords
from penstock.app.security.passwords import (
    COST,
    LIMIT_BYTES,
    ScryptCost,
    ahash_password,
    averify_password,
    hash_password,
    needs_rehash,
    verify_password,
)

CHEAP = ScryptCost(ln=4, r=1, p=1)


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=100), st.text(max_size=100))
def test_the_password_is_accepted_and_no_other(password, other):
    hashed = hash_password(password, cost=CHEAP)

    assert verify_password(password, hashed)
    assert verify_password(other, hashed) == (passwords._octets(other) == passwords._octets(password))


def test_a_hash_says_all_that_is_needed_to_check_it():
    hashed = hash_password("correct horse")

    match = re.fullmatch(r"\$scrypt\$ln=15,r=8,p=3\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})", hashed)
    salt, digest = (passwords._decoded(part) for part in match.groups())
    assert digest == hashlib.scrypt(b"correct horse", salt=salt, n=2**15, r=8, p=3, maxmem=2**26, dklen=32)
    assert verify_password("correct horse", hashed)
    assert hash_password("x", cost=CHEAP) != hash_password("x", cost=CHEAP)


def test_a_hash_of_rfc_7914_is_accepted():
    digest = bytes.fromhex(
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )  # §12, P="password", S="NaCl", N=1024, r=8, p=16; its salt is too short for a hash of ours
    assert passwords._scrypt(b"password", b"NaCl", ScryptCost(10, 8, 16), 64) == digest


def test_an_unknown_user_costs_what_a_known_one_does(monkeypatch):
    made = []
    scrypt = hashlib.scrypt
    monkeypatch.setattr(passwords.hashlib, "scrypt", lambda *a, **o: made.append(o) or scrypt(*a, **o))
    hashed = hash_password("x", cost=CHEAP)
    made.clear()

    assert not verify_password("x", None, cost=CHEAP)
    assert not verify_password("y", hashed, cost=CHEAP)

    without, with_user = ({key: one[key] for key in ("n", "r", "p", "dklen")} for one in made)
    assert without == with_user
    assert COST.ln == 15  # what is used unless said otherwise


def test_the_cost_may_be_raised():
    old = hash_password("x", cost=CHEAP)

    assert needs_rehash(old)
    assert not needs_rehash(old, cost=CHEAP)
    assert verify_password("x", old)


def test_characters_count_not_how_they_were_typed():
    assert verify_password("caf\u00e9", hash_password("cafe\u0301", cost=CHEAP))
    assert not verify_password("cafe", hash_password("cafe\u0301", cost=CHEAP))


def test_the_length_is_bounded():
    longest = "x" * LIMIT_BYTES
    hashed = hash_password(longest, cost=CHEAP)

    assert verify_password(longest, hashed)
    assert not verify_password(longest + "x", hashed)
    assert not verify_password("é" * LIMIT_BYTES, hashed)
    for wrong in ("", longest + "x", "é" * 513):
        with pytest.raises(ValueError, match="1 to 1024 octets"):
            hash_password(wrong, cost=CHEAP)
    assert not verify_password("", hashed)


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "!",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$scrypt$ln=15,r=8,p=3$short$short",
        "$scrypt$ln=015,r=8,p=3$" + "A" * 22 + "$" + "A" * 43,
        "$scrypt$ln=15,r=8,p=3$" + "A" * 21 + "$" + "A" * 43,
        "$scrypt$ln=15,r=8,p=3$" + "A" * 22 + "$" + "A" * 43 + "\n",
        "$scrypt$ln=15,r=8,p=3,x=1$" + "A" * 22 + "$" + "A" * 43,
    ],
)
def test_what_is_no_hash_is_told_and_not_shown(hashed):
    for check in (lambda: verify_password("x", hashed), lambda: needs_rehash(hashed)):
        with pytest.raises(ValueError, match="no hash made by hash_password") as caught:
            check()
        assert not hashed or hashed not in str(caught.value)


def test_a_hash_that_asks_for_too_much_memory_is_refused():
    with pytest.raises(ValueError, match="octets of memory"):
        verify_password("x", "$scrypt$ln=30,r=8,p=1$" + "A" * 22 + "$" + "A" * 43)


def test_a_hash_cut_at_any_octet_is_refused_or_another():
    hashed = hash_password("x", cost=CHEAP)
    for end in range(len(hashed)):
        try:
            assert not verify_password("x", hashed[:end])
        except ValueError as error:
            assert "no hash made by" in str(error)  # noqa: PT017 - one of two ways


def test_a_password_is_text():
    with pytest.raises(TypeError, match="not bytes"):
        verify_password(b"x", None)


def test_the_forms_for_the_loop_leave_it_free():
    names = set()
    scrypt = passwords._scrypt

    async def run():
        hashed = await ahash_password("x", cost=CHEAP)
        return await asyncio.gather(
            averify_password("x", hashed),
            averify_password("y", hashed),
            averify_password("x", None, cost=CHEAP),
        )

    def noted(*args):
        names.add(threading.current_thread().name)
        return scrypt(*args)

    passwords._scrypt = noted
    try:
        assert asyncio.run(run()) == [True, False, False]
    finally:
        passwords._scrypt = scrypt
    assert all(name.startswith("penstock-password") for name in names)
