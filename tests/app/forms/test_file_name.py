"""Names of files that clients send, made harmless."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http.file_name import NAME_BYTES, safe_file_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße aus Köln.txt", "Grüße aus Köln.txt"),
        ("日本語.txt", "日本語.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\x.dll", "x.dll"),
        ("..\\..\\x", "x"),
        ("a/b\\c", "c"),
        ("a/", "file"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("...", "file"),
        (" . . ", "file"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("x.", "x"),
        ("x ", "x"),
        ("a\x00b.txt", "ab.txt"),
        ("a\x00/b", "b"),
        ("a\r\nb\tc", "a b c"),
        ("a\x7fb\x1bc", "abc"),
        ("txt.\u202egnp.exe", "txt.gnp.exe"),
        ("a\u200b\u2066\ufeffb", "ab"),
        ("a\ud800b", "ab"),
        ("a:stream", "a_stream"),
        ('a<b>c"d|e?f*g', "a_b_c_d_e_f_g"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Aux .c", "_Aux .c"),
        ("COM1", "_COM1"),
        ("lpt9.x.y", "_lpt9.x.y"),
        ("COM¹", "_COM¹"),
        ("CONIN$", "_CONIN$"),
        ("console", "console"),
        ("com10", "com10"),
        ("e\u0301", "é"),
    ],
)
def test_a_name_is_made_harmless(name, safe):
    assert safe_file_name(name) == safe


def test_a_long_name_keeps_its_ending():
    safe = safe_file_name("ä" * 500 + ".tar")

    assert safe.endswith("ä.tar")
    assert len(safe.encode()) <= NAME_BYTES
    assert len(safe_file_name("x" * 500 + "." + "y" * 400).encode()) == NAME_BYTES


@given(st.text(max_size=300))
def test_every_name_can_stand_in_a_folder_and_stays_what_it_is(name):
    safe = safe_file_name(name)

    assert safe == safe_file_name(safe)
    assert 0 < len(safe.encode()) <= NAME_BYTES + 1
    assert not set(safe) & set('/\\<>:"|?*\x00')
    assert safe[0] not in " .-~"
    assert safe[-1] not in " ."
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in safe)
    assert Path(safe).name == safe
