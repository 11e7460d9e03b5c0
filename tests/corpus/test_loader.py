"""The loader refuses what the format does not know."""

import pytest

from tests.corpus.loader import CorpusError, load_file, to_octets

HEAD = "case: x\nwhy: y\n> GET / HTTP/1.1\\r\\n\n"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (r"a\r\n", b"a\r\n"),
        (r"\t\\\{\x00\xff", b"\t\\{\x00\xff"),
        ("{a*3}", b"aaa"),
        (r"<{X: v\r\n*2}>", b"<X: v\r\nX: v\r\n>"),
        ("{**2}", b"**"),
        ("a}", b"a}"),
        ("", b""),
    ],
)
def test_visible_writing_becomes_octets(text: str, octets: bytes):
    assert to_octets(text) == octets


@pytest.mark.parametrize("text", [r"\q", r"\x1", r"\xFF", "{a}", "{a*}", "{a*2", "é"])
def test_unknown_writing_is_an_error(text: str):
    with pytest.raises(ValueError if text == "é" else CorpusError):
        to_octets(text)


@pytest.mark.parametrize(
    "text",
    [
        "why: no case\n",
        HEAD + "requests: GET /\n",
        HEAD + "request: GET /\n  contents: x\n",
        HEAD + "request: GET /\n  persistent: maybe\n",
        HEAD + "request: GET /\n  field: x\n",
        HEAD + "  content: x\n",
        HEAD + "error: many\n",
        HEAD + "error: 400\nrequest: GET /\n",
        HEAD + "request: GET /\n> more\n",
        HEAD + "error 400\n",
    ],
)
def test_unknown_line_is_an_error_that_names_its_place(text: str, tmp_path):
    path = tmp_path / "bad.http"
    path.write_text(text)

    with pytest.raises(CorpusError, match=r"^bad\.http:\d+: "):
        load_file(path)


def test_a_case_is_read_whole(tmp_path):
    path = tmp_path / "good.http"
    path.write_text(
        "# comment\n\ncase: n\nwhy: w: x\nlimits: fields=3 head_bytes=9\nmethods: +A\nlive: no\n> a\\r\\n\n> b\n"
        "request: GET /p?q?r\n  version: 1.0\n  persistent: no\n  continue: yes\n  upgrade: u\n  host: h\n"
        "  field: x = 1\n  field: x =\n  absent: y\n  content: c\\n\n  trailer: t = \\xe9\nerror: 400 two words\n"
    )

    (case,) = load_file(path)

    assert (case.name, case.why, case.octets, case.live) == ("n", "w: x", b"a\r\nb", "no")
    assert (case.limits, case.methods) == ({"fields": 3, "head_bytes": 9}, ["A"])
    assert (case.error, case.error_words, case.cut) == (400, ["two", "words"], None)
    (request,) = case.requests
    assert (request.raw_path, request.raw_query, request.version) == (b"/p", b"q?r", "1.0")
    assert (request.persistent, request.expects_continue, request.upgrade, request.host) == (
        False,
        True,
        "u",
        "h",
    )
    assert (request.fields, request.absent, request.content) == ({"x": ["1", ""]}, ["y"], b"c\n")
    assert request.trailers == [("t", "é")]
