"""Scenarios in TOML: what they mean, and what is said of mistakes."""

import pickle
from pathlib import Path

import pytest

from http_benchmark.errors import UsageError
from http_benchmark.load.scenario_file import read_scenario

WHOLE = """
url = "http://127.0.0.1:8000/api/"
cookies = true
data = "users.csv"
seed = 3
headers = { Accept = "text/html", X-A = "1" }

[[request]]
path = "/users/{id}"
weight = 9

[[request]]
method = "post"
path = "/users"
headers = { accept = "application/json" }
body = '{"name": "{id:json}"}'
expect_status = [201, 409]
expect_body = "made"

[[request]]
method = "PUT"
url = "http://127.0.0.1:8000/other"
body_file = "body.bin"
"""


def test_a_whole_scenario(tmp_path):
    (tmp_path / "s.toml").write_text(WHOLE)
    (tmp_path / "users.csv").write_bytes(b"\xef\xbb\xbfid\r\n1\r\n2\r\n")
    (tmp_path / "body.bin").write_bytes(b"\xff\x00")

    scenario = read_scenario(tmp_path / "s.toml")

    first, second, third = scenario.requests
    assert (first.method, first.url, first.weight) == ("GET", "http://127.0.0.1:8000/api/users/{id}", 9)
    assert first.headers == {"Accept": "text/html", "X-A": "1"}
    assert (second.method, second.body) == ("POST", b'{"name": "{id:json}"}')
    assert second.headers == {"X-A": "1", "accept": "application/json"}
    assert (second.expect_status, second.expect_body) == (frozenset({201, 409}), b"made")
    assert (third.url, third.body) == ("http://127.0.0.1:8000/other", b"\xff\x00")
    assert scenario.data.rows == (("1",), ("2",)) and scenario.cookies and scenario.seed == 3
    assert pickle.loads(pickle.dumps(scenario)) == scenario


HEAD = 'url = "http://a"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url = ", "is no TOML: "),
        (HEAD, "has no requests"),
        (HEAD + "request = [1]", "request 1 is no table"),
        (HEAD + "[[requests]]", r"nothing is called 'requests'; did you mean request\?"),
        (HEAD + "[[request]]\npth = '/'", r"request 1: nothing is called 'pth'; did you mean path\?"),
        (HEAD + "[[request]]\nweight = '3'\npath = '/'", "weight is '3', but must be a whole number"),
        (HEAD + "[[request]]\npath = '/'\n[[request]]\npath = 'a'", "request 2: the path 'a' must begin"),
        (HEAD + "[[request]]", "either a path"),
        (HEAD + "[[request]]\npath = '/'\nurl = 'http://a/'", "either a path"),
        ("[[request]]\npath = '/'", "needs a url"),
        (HEAD + "[[request]]\npath = '/'\nbody = 'x'", "request 1: GET has no body"),
        (HEAD + "[[request]]\npath = '/'\nexpect_status = ['200']", "expect_status has '200'"),
        (HEAD + "[[request]]\npath = '/'\nmethod = 'POST'\nbody_file = 'gone'", "body_file .*gone: No such file"),
        (HEAD + "data = 'gone'\n[[request]]\npath = '/'", "the data .*gone: No such file"),
        (HEAD + "[[request]]\npath = '/'\nheaders = { A = 1 }", "request 1: the header 'A' is 1"),
    ],
    ids=[
        "syntax", "none", "no table", "typo", "key", "kind", "slash", "nothing", "both", "no url", "body", "status",
        "body file", "data", "header",
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(text, message, tmp_path):
    (tmp_path / "s.toml").write_text(text)

    with pytest.raises(UsageError, match=message):
        read_scenario(tmp_path / "s.toml")


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"url = '\xff'")

    with pytest.raises(UsageError, match="is no UTF-8: octet 7"):
        read_scenario(tmp_path / "s.toml")
    with pytest.raises(UsageError, match="No such file"):
        read_scenario(tmp_path / "t.toml")


def test_the_scenario_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "benchmark-load.md").read_text()
    (tmp_path / "shop.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    (tmp_path / "users.csv").write_text("id,name\n1,x\n")

    scenario = read_scenario(tmp_path / "shop.toml")

    assert scenario.weights == [9, 1]
    assert scenario.order.count(0) == 9
