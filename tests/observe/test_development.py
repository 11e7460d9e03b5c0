"""What a client is told of a failure in development: in which form, and without which secrets."""

from __future__ import annotations

import base64
import io
import json
import logging
from html.parser import HTMLParser

import pytest

from penstock import Request
from penstock.observe.failures import development
from penstock.observe.failures.development import DevelopmentFormatter, explain, show

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def fail():
    raise ValueError("no <script>alert(1)</script> & such")


def failed(function=fail):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def request(accept=None, target="/total/7", *fields):
    named = [("host", "shop.example"), *fields]
    return Request.build("GET", target, [*named, ("accept", accept)] if accept is not None else named)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (BROWSER, "text/html"),
        ("text/html", "text/html"),
        ("*/*", "text/plain"),
        (None, "text/plain"),
        ("text/plain", "text/plain"),
        ("image/png", "text/plain"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, text/plain, */*", "application/problem+json"),
    ],
)
def test_the_client_chooses_the_form(accept, media_type):
    response = explain(request(accept), failed())

    assert response.status == 500
    assert response.media_type.partition(";")[0] == media_type
    assert b"test_development.py" in response.body
    assert response.headers.get("cache-control") == "no-store"


def test_a_problem_has_the_traceback_as_lines():
    asked = request("application/json")

    found = json.loads(explain(asked, failed()).body)

    assert found["status"] == 500
    assert found["exception"] == "ValueError: no <script>alert(1)</script> & such"
    assert found["trace_id"] == asked.trace_id
    assert '      raise ValueError("no <script>alert(1)</script> & such")' in found["traceback"]


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, response):
        super().__init__()
        self.tags, self.text, self.attributes = [], "", []
        self.feed(response.body.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_a_page_shows_texts_and_obeys_none():
    response = explain(request(BROWSER, "/<b>?<i>=<u>".replace("<", "%3C").replace(">", "%3E")), failed())

    page = Page(response)

    assert "ValueError: no <script>alert(1)</script> & such" in page.text
    assert "script" not in page.tags
    assert not {"src", "href", "onclick"} & {name for name, _ in page.attributes}
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "url(" not in page.text.partition("</style>")[0]


def test_a_page_shows_the_lines_around_and_who_called():
    page = Page(explain(request(BROWSER), failed()))

    assert "in fail" in page.text
    assert "def fail():" in page.text
    assert page.text.index("in fail") < page.text.index("in failed")


def test_a_page_tells_causes_from_the_last_to_the_first():
    def chain():
        try:
            fail()
        except ValueError as error:
            raise KeyError("total") from error

    text = Page(explain(request(BROWSER), failed(chain))).text

    assert text.index("KeyError: 'total'") < text.index("caused by this one") < text.rindex("ValueError: no")


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "application/json"])
def test_secrets_of_the_request_are_not_shown(accept):
    fields = [
        ("Authorization", "Bearer s3cret"),
        ("Proxy-Authorization", "Basic s3cret"),
        ("Cookie", "session=s3cret"),
        ("X-Api-Key", "s3cret"),
        ("X-CSRF-Token", "s3cret"),
        ("X-Harmless", "harmless"),
    ]
    asked = request(accept, "/login?password=s3cret&access_token=s3cret&page=two", *fields)

    response = explain(asked, failed())

    assert b"s3cret" not in response.body
    if accept == BROWSER:
        assert b"harmless" in response.body
        assert b"two" in response.body
        assert response.body.count(b"[redacted]") == 7


def test_a_page_shows_the_variables_of_the_author_without_secrets():
    def fail_with_variables():
        amount = 12
        given = {"user": "bob", "password": bytes.fromhex("733363726574").decode()}
        secret = bytes.fromhex("733363726574").decode()
        raise ValueError(amount, len(secret), len(given))

    response = explain(request(BROWSER), failed(fail_with_variables))
    text = Page(response).text

    assert bytes.fromhex("733363726574") not in response.body
    assert "{'user': 'bob', 'password': '[redacted]'}" in text
    assert "amount" in text
    assert b"s3cret" not in explain(request("*/*"), failed(fail_with_variables)).body


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "application/json"])
def test_what_the_request_brought_as_a_secret_is_hidden_under_any_name(accept):
    basic = base64.b64encode(b"bob:from-a-header").decode()
    fields = [
        ("Authorization", f"Basic {basic}"),
        ("Cookie", "sid=from-a-cookie; theme=contrast"),
        ("X-Api-Key", "from-a-field"),
        ("Accept", accept),
        ("Content-Type", "application/json"),
    ]
    body = b'{"login": {"password": "from-a-body", "user": "somebody"}}'
    asked = Request.build("POST", "/x?token=from-a-query", fields, body)

    def repeat_them():
        found = ["from-a-header", "from-a-cookie", "from-a-field", "from-a-body", "from-a-query", "somebody"]
        raise ValueError("no: " + ", ".join([*found, "contrast"]))

    response = explain(asked, failed(repeat_them))

    # The lines of the source are the author's own.
    shown = [line for line in response.body.decode().split("\n") if "found = " not in line]
    summary = "no: " + "[redacted], " * 5 + "somebody, contrast"
    assert any(summary in line.replace("&quot;", '"') for line in shown)


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "application/json"])
def test_what_cannot_be_explained_is_a_bare_500(accept, monkeypatch, caplog):
    def refuse(*_):
        raise RuntimeError("cannot be read")

    monkeypatch.setattr(development, "read_parts", refuse)
    monkeypatch.setattr(development, "render_text", refuse)

    response = explain(request(accept), failed())

    assert response.status == 500
    assert response.media_type == "application/problem+json"
    assert "could not be explained" in caplog.text


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "application/json"])
def test_half_a_surrogate_pair_in_a_message_is_shown_as_its_escape(accept):
    response = explain(request(accept), ValueError("\udc80"))

    assert b"udc80" in response.body


class Terminal(io.StringIO):
    def isatty(self):
        return True


def logged(monkeypatch, stream, **variables):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", stream)
    error = failed()
    info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("penstock.error", logging.ERROR, __file__, 1, "it failed", (), info)
    return DevelopmentFormatter().format(record)


def test_the_log_is_coloured_on_a_terminal_alone(monkeypatch):
    assert "\x1b[31mERROR" in logged(monkeypatch, Terminal())
    assert "\x1b" not in logged(monkeypatch, io.StringIO())
    assert "\x1b" not in logged(monkeypatch, Terminal(), NO_COLOR="1")
    assert "\x1b" not in logged(monkeypatch, Terminal(), TERM="dumb")
    assert "\x1b" in logged(monkeypatch, Terminal(), NO_COLOR="")


def test_tracebacks_in_the_log_stay_indented(monkeypatch):
    lines = logged(monkeypatch, io.StringIO()).splitlines()

    assert lines[0].endswith("ERROR penstock.error it failed")
    assert all(line.startswith("    ") for line in lines[1:])
    assert any("in fail" in line for line in lines)


def test_show_writes_to_stderr(monkeypatch, capsys):
    show(ValueError("one \udc80"))

    assert capsys.readouterr().err == "ValueError: one \\udc80\n"
