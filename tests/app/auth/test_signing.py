"""Signed values: whole, for their purpose, in time, under a known secret, or None."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.app.security import signing
from penstock.app.security.signing import LIMIT_BYTES, Signer
from penstock.errors import ApplicationError

OLD, NEW = "o" * 32, b"n" * 32


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_octets_come_back_as_they_were(octets):
    signer = Signer(OLD, "test")
    text = signer.sign(octets)

    assert signer.verify(text, 60) == octets
    assert re.fullmatch(r"1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", text)


def test_the_mac_is_hmac_sha256():
    key = hashlib.pbkdf2_hmac("sha256", OLD.encode(), b"penstock signing 1: test", 1)

    mac = signing._mac(OLD.encode(), "test")

    for length in (0, 1, 63, 64, 65, 1000):
        octets = b"x" * length
        assert mac(octets) == hmac.digest(key, octets, "sha256")


def test_every_changed_missing_or_added_octet_is_found():
    signer = Signer(OLD, "test")
    text = signer.sign(b"user 7")

    for place in range(len(text)):
        assert signer.verify(text[:place], None) is None
        assert signer.verify(text[place + 1 :], None) is None
        for other in "A-_.=+/ \xe9\u0661\ud800":
            if other != text[place]:
                assert signer.verify(text[:place] + other + text[place + 1 :], None) is None
    for added in ("A", "=", ".", "\n", " "):
        assert signer.verify(text + added, None) is None
        assert signer.verify(added + text, None) is None


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_no_text_makes_it_fail(text):
    assert Signer(OLD, "test").verify(text, None) is None


def test_a_value_is_for_its_purpose_only():
    assert Signer(OLD, "other").verify(Signer(OLD, "test").sign(b"x"), None) is None


def test_the_first_secret_signs_and_all_verify():
    before, during, after = Signer(OLD, "test"), Signer([NEW, OLD], "test"), Signer([NEW], "test")

    assert during.verify(before.sign(b"x"), 60) == b"x"
    assert after.verify(during.sign(b"x"), 60) == b"x"
    assert after.verify(before.sign(b"x"), 60) is None
    assert before.verify(during.sign(b"x"), 60) is None


def test_a_value_expires(monkeypatch):
    signer = Signer(OLD, "test")
    text, now = signer.sign(b"x"), time.time()

    for later_s, expected in [(59, b"x"), (62, None), (-59, b"x"), (-100, None)]:
        monkeypatch.setattr(signing.time, "time", lambda later_s=later_s: now + later_s)
        for verifier in (signer, Signer(OLD, "test")):
            assert verifier.verify(text, 60) == verifier.verify(text, 60) == expected

    monkeypatch.setattr(signing.time, "time", lambda: now + 10**9)
    assert signer.verify(text, None) == b"x"


def test_values_kept_verified_are_bounded():
    signer = Signer(OLD, "test")
    for number in range(3000):
        assert signer.verify(signer.sign(b"%d" % number), 60) == b"%d" % number
    for text in ("x", signer.sign(b"y" * 2000)):
        signer.verify(text, 60)
        assert text not in signer._known
    assert len(signer._known) <= 1024


def test_another_version_is_refused_even_when_signed_by_us():
    signer = Signer(OLD, "test")
    signed = b"2." + signer.sign(b"x").split(".")[1].encode()
    text = (signed + b"." + signing._encoded(signer._macs[0](signed))).decode()

    assert signer.verify(text, None) is None


def test_the_length_is_bounded():
    signer = Signer(OLD, "test")

    with pytest.raises(ValueError, match="too many to sign"):
        signer.sign(b"x" * LIMIT_BYTES)
    assert signer.verify("1." + "A" * LIMIT_BYTES, None) is None


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ("short", r"the secret has 5 octets; 32 or more are needed; make one with: python -c"),
        ([OLD, b"short"], "secret 2 of 2 has 5 octets"),
        ([], "no secret to sign with"),
        (None, "a secret is text or octets"),
        ([7], "a secret is text or octets"),
    ],
)
def test_what_is_no_secret_is_refused(secrets, message):
    with pytest.raises(ApplicationError, match=message):
        Signer(secrets, "test")


def test_a_purpose_is_needed():
    with pytest.raises(ApplicationError, match="purpose"):
        Signer(OLD, "")
