"""What is hidden, what is left as it is, and that time is in proportion to the text."""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from penstock.errors import ApplicationError
from penstock.http.headers import Headers
from penstock.http.redaction import REDACTED, Redactor
from penstock.http.secret_names import SecretNames

R = REDACTED
ROOT = Path(__file__).resolve().parents[2]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g"

HIDDEN = [
    ("login password=hunter2 ok", f"login password={R} ok"),
    ("login password = hunter2", f"login password = {R}"),
    ("password: hunter2", f"password: {R}"),
    ("PASSWORD=hunter2", f"PASSWORD={R}"),
    ("DATABASE_PASSWORD=hunter2", f"DATABASE_PASSWORD={R}"),
    ('{"user": "bob", "password": "hunter2", "n": 1}', f'{{"user": "bob", "password": "{R}", "n": 1}}'),
    ("{'token': 'abc\\'def', 'x': 1}", f"{{'token': '{R}', 'x': 1}}"),
    ('{\\"password\\": \\"hunter2\\", \\"x\\": 1}', f'{{\\"password\\": \\"{R}\\", \\"x\\": 1}}'),
    ('{"password": "hunt', f'{{"password": "{R}'),
    ('"passwords": ["a", {"b": 1}], "x": 1', f'"passwords": "{R}", "x": 1'),
    ("cookies={'a': 'b', 'c': {'d': 1}} x", f"cookies={R} x"),
    ("Cookie: a=b; c=d", f"Cookie: {R}"),
    ("Set-Cookie: id=1; Path=/\r\nX: y", f"Set-Cookie: {R}\r\nX: y"),
    ("-H 'Cookie: a=b; c' -d x", f"-H 'Cookie: {R}' -d x"),
    ('Authorization: Digest username="bob", realm="x"', f"Authorization: {R}"),
    ("Authorization: Bearer hunter", f"Authorization: {R}"),
    ("authorization=Bearer abcdefg next", f"authorization={R} next"),
    ("[(b'authorization', b'Basic abc'), (b'host', b'x')]", f"[(b'authorization', b'{R}'), (b'host', b'x')]"),
    ('headers["authorization"] = "x y"', f'headers["authorization"] = "{R}"'),
    ('password: str = "hunter2"', f'password: str = "{R}"'),
    ("API key: abc123def", f"API key: {R}"),
    ("api_key=abc123def&x=1", f"api_key={R}&x=1"),
    ("apiKey=abc; sessionId=def", f"apiKey={R}; sessionId={R}"),
    ("GET /x?token=abc&b=2 HTTP/1.1", f"GET /x?token={R}&b=2 HTTP/1.1"),
    ("form[password]=hunter2", f"form[password]={R}"),
    ("--password=hunter2", f"--password={R}"),
    ("password=abc,def,user=x", f"password={R},user=x"),
    (f"password={R}hunter2", f"password={R}"),
    ("pin=1234, otp: 123456, cvv2=123", f"pin={R}, otp: {R}, cvv2={R}"),
    ("cookie=a=1; b=2, x", f"cookie={R}, x"),
    ("token=ab(c)d", f"token={R}(c)d"),
    ("cmd --password hunter2 --user bob", f"cmd --password {R} --user bob"),
    ("['cmd', '--token', 'hunter2', 'x']", f"['cmd', '--token', '{R}', 'x']"),
    ("<user>bob</user><password>hunter2</password>", f"<user>bob</user><password>{R}</password>"),
    ('<input name="password" value="hunter2">', f'<input name="password" value="{R}">'),
    ("{'name': 'password', 'value': 'hunter2'}", f"{{'name': 'password', 'value': '{R}'}}"),
    ('form-data; name="password"\r\n\r\nhunter2\r\n--b', f'form-data; name="password"\r\n\r\n{R}\r\n--b'),
    ("b'name=\"otp\"\\r\\n\\r\\n123\\r\\n--b'", f"b'name=\"otp\"\\r\\n\\r\\n{R}\\r\\n--b'"),
    ("%22password%22%3A%22hunter2%22", f"%22password%22%3A{R}"),
    ('{\n "secret": {\n  "a": "hunter2"\n }\n}', f'{{\n "secret": "{R}"\n}}'),
    ("password='''hunter2'''", f"password='''{R}'''"),
    ("https://h/x?X-Amz-Signature=abc&x=1", f"https://h/x?X-Amz-Signature={R}&x=1"),
    ("redis://:pw@host:6379/0", f"redis://:{R}@host:6379/0"),
    ("https://bob:p@ss@host/", f"https://bob:{R}@host/"),
    ("card 4242 4242 4242 4242 x", f"card {R} x"),
    ("4111111111111111.", f"{R}."),
    ("3782-822463-10005", R),
    ("4242%204242%204242%204242", R),
    ("Bearer abc.def", f"Bearer {R}"),
    ("bearer tokenA1", f"bearer {R}"),
    ("Basic YWRtaW46cHc=", f"Basic {R}"),
    (f"got {JWT}, then", f"got {R}, then"),
    ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ.", R),
    ("AKIAIOSFODNN7EXAMPLE", R),
    ("ghp_0123456789abcdef0123456789abcdef0123", R),
    ("sk_live_0123456789abcd", R),
    ("xoxb-123456789-abcdef", R),
    ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b", f"a {R} b"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE-", R),
]

LEFT = [
    "",
    "listening on http://127.0.0.1:8000 with 4 workers",
    "author: Bob Smith, authors=3, max_tokens=100, tokenizer: fast, pinned=3, tokens=12",
    "token_type=bearer, cookie_name: sid2, session_timeout_s=30, password_min_length: 8",
    "password='' token=\"\" secret=None csrf=true",
    "token: must be text of 3 letters",
    "session: closed",
    "auth: user bob logged in",
    'password = form["password"]',
    'login(password=password, token=get_token("x"))',
    'raise ValueError(f"token={token} of {user!r}, password={given.password!r}")',
    "def f(password: str, token: str | None = None) -> None:",
    "CSRF: max_age_s=0; expected whole seconds",
    "http://auth:8000/session",
    "--tls-key-password TEXT, --token is missing; a -- b",
    "Parameter(name='token', kind='query')",
    "src/auth.py:12: error",
    "https://bob@host/path, mail bob@example.org",
    "at 1700000000123 and 1700000000123456789, 0.4242424242424242",
    "4242 4242 4242 4241",
    "Bearer tokens and Basic authentication; bearer token is",
    'WWW-Authenticate: Basic realm="shop"',
    "traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "GET /users/12?page=2&sort=name HTTP/1.1 200 13 0.2ms",
]


@pytest.mark.parametrize(("text", "shown"), HIDDEN)
def test_a_secret_in_a_text_is_hidden_and_nothing_else(text, shown):
    assert Redactor().text(text) == shown


@pytest.mark.parametrize(("text", "shown"), HIDDEN)
def test_what_is_hidden_is_left_alone_the_next_time(text, shown):
    assert Redactor().text(shown) == shown


@pytest.mark.parametrize("text", LEFT)
def test_a_text_without_a_secret_is_left_as_it_is(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PassWd",
        "db.pwd",
        "user_pass",
        "client-secret",
        "accessToken",
        "csrfmiddlewaretoken",
        "X-Api-Key",
        "apikey",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "set-cookie",
        "sessionid",
        "session_id",
        "XSRF-TOKEN",
        "credentials",
        "private_key",
        "aws_access_key_id",
        "AWSSecretAccessKey",
        "auth",
        "otp",
        "pin",
        "cvv",
        "cvc2",
        "card_number",
        "cardNumber",
        "creditcard",
        "ssn",
        "passphrase",
        "dbpassword",
        "PGPASSWORD",
        "tls_key_password",
        "id_token",
        "__Host-session",
        "refreshTokens",
    ],
)
def test_a_name_of_a_secret_is_known_however_it_is_written(name):
    assert name in SecretNames()
    assert Redactor().field(name, "v4lue") == R


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer",
        "author",
        "authors",
        "max_tokens",
        "tokens",
        "pinned",
        "ping",
        "passed",
        "compass",
        "key",
        "keys",
        "sort_key",
        "cache_key",
        "public_key",
        "sec-websocket-key",
        "www-authenticate",
        "secretary",
        "token_type",
        "cookie_name",
        "password_file",
        "session_timeout_s",
        "cards",
        "x-request-id",
        "etag",
        "monkey",
        "oauth_url",
        "address",
        "discard",
        "spin",
    ],
)
def test_a_name_that_only_looks_like_one_is_none(name):
    assert name not in SecretNames()
    assert Redactor().field(name, "v4lue") == "v4lue"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("q=a&page=2&flag", "q=a&page=2&flag"),
        ("q=a&token=b", f"q=a&token={R}"),
        ("pass%77ord=x", f"pass%77ord={R}"),
        ("user%5Bpassword%5D=x", f"user%5Bpassword%5D={R}"),
        ("next=%2Flogin%3Ftoken%3Dabc", f"next={R}"),
        ("next=%252Flogin%253Ftoken%253Dabc", f"next={R}"),
        (f"x={JWT}", f"x={R}"),
        (JWT, R),
        ("card=4242+4242+4242+4242", f"card={R}"),
        ("v=%7B%22password%22%3A%22x%22%7D", f"v={R}"),
        ("X-Amz-Signature=abc&sig=def&x=1", f"X-Amz-Signature={R}&sig={R}&x=1"),
        ("code=abc&state=def", f"code={R}&state=def"),
        ("code=404", "code=404"),
        ("token=&password=null", "token=&password=null"),
        (b"a=%FF&token=\xff", f"a=%FF&token={R}"),
    ],
)
def test_values_of_a_query_are_hidden_by_name_and_by_look(query, shown):
    assert Redactor().query(query) == shown
    assert Redactor().query(shown) == shown


def test_segments_of_a_path_are_hidden_by_their_look():
    redactor = Redactor()

    assert redactor.path("/auth/token/reset") == "/auth/token/reset"
    assert redactor.path(f"/reset/{JWT}/now") == f"/reset/{R}/now"
    assert redactor.path(b"/cards/4242%204242%204242%204242") == f"/cards/{R}"
    assert redactor.target(b"/a", b"token=b") == f"/a?token={R}"
    assert redactor.target("/a") == "/a"


def test_a_referer_is_read_as_the_url_it_is():
    redactor = Redactor()

    assert redactor.field("referer", "https://h/p?token=a&x=1#access_token=b") == (
        f"https://h/p?token={R}&x=1#access_token={R}"
    )
    assert redactor.field("Location", "/login?next=%2F%3Fpassword%3Dx") == f"/login?next={R}"
    assert redactor.field("user-agent", "curl/8 token=abc") == f"curl/8 token={R}"


class Point(NamedTuple):
    x: int
    password: str


@dataclass
class Login:
    user: str
    secret: str


class Failing:
    def __repr__(self):
        raise ValueError("no")


class Telling:
    def __repr__(self):
        return "Telling(token='hunter2')"


def test_variables_are_shown_without_what_is_secret_in_them():
    endless: list[object] = []
    endless.append(endless)
    shown = Redactor().locals(
        {
            "user": "bob",
            "password": "hunter2",
            "given": {"user": "bob", "deep": [{"token": "hunter2"}], b"cookie": b"hunter2"},
            "point": Point(1, "hunter2"),
            "login": Login("bob", "hunter2"),
            "pair": ("authorization", "hunter2"),
            "body": b'{"password": "hunter2"}',
            "said": Telling(),
            "headers": Headers(b"Cookie: hunter2\r\nX-Api-Key: hunter2\r\n"),
            "token": None,
            "get_token": len,
            "failing": Failing(),
            "endless": endless,
            "long": "x" * 100_000,
            "big": 10**5000,
            "many": list(range(100_000)),
        }
    )

    assert "hunter2" not in str(shown)
    assert shown["user"] == "'bob'"
    assert shown["password"] == R
    assert shown["login"] == f"Login(user='bob', secret='{R}')"
    assert shown["token"] == "None"
    assert shown["failing"] == "<Failing cannot be shown: ValueError>"
    assert max(map(len, shown.values())) <= 401


def test_names_and_expressions_of_an_application_are_hidden_too():
    redactor = Redactor(["customer-id"], [r"ZZ\d+", r"case (\d+) of"])
    redactor.add_names("plate")
    redactor.add_pattern("Q{3}")

    assert redactor.text("customerId=7, plate: B123, ZZ99, QQQ") == f"customerId={R}, plate: {R}, {R}, {R}"
    assert redactor.text("the case 12 of x") == f"the case {R} of x"
    assert redactor.query("customer_id=7&q=ZZ1") == f"customer_id={R}&q={R}"
    redactor.configure()
    assert redactor.text("customerId=7, plate: B123, ZZ99, QQQ") == f"customerId=7, plate: {R}, ZZ99, {R}"


@pytest.mark.parametrize("pattern", ["(", "x*", "", "a|"])
def test_an_expression_that_is_none_or_finds_nothing_is_refused(pattern):
    with pytest.raises(ApplicationError, match=r"regular expression|empty text"):
        Redactor(patterns=[pattern])


PIECES = [
    "password=",
    'password="',
    "password='\\",
    "token: ",
    "token:token:",
    "('cookie', ",
    "eyJ",
    "eyJ.",
    "4242 ",
    "1 ",
    "4",
    "bearer  ",
    "://a:",
    "@",
    "-----BEGIN PRIVATE KEY-----",
    "-",
    "xoxb-",
    "ghp_",
    "SG.aaaaaaaaaaaaaaaaaaaa.",
    "password=,a",
    "password=[",
    "[",
    "(",
    "\\",
    '\\\\"',
    "'",
    '\\"password\\": \\"',
    "cookie=a; b=",
    "; b=",
    "=",
    ":",
    "%25",
    "%3D",
    "a",
    "a.",
    "A",
    "API key ",
    "password=a(",
    "token: str = ",
    "&",
    "password;",
    "a&",
    "\n",
    'name="password" ',
    'name="password"\r\n\r\n',
    'name="password"\r\n\r\n\r\n--',
    "<password>a",
    "--password ",
    "--password 'a",
    "password='''",
    "password={\n",
    "%22password%22%3A",
]


@pytest.mark.parametrize("way", ["text", "query", "path", "url"])
def test_hostile_texts_take_time_in_proportion_to_their_length(way):
    hide = getattr(Redactor(), way)

    def cost(text):
        least = float("inf")
        for _ in range(3):
            began = time.process_time()
            hide(text)
            least = min(least, time.process_time() - began)
        return least

    slow = []
    for piece in PIECES:
        short, long = piece * (3_000 // len(piece)), piece * (48_000 // len(piece))
        if cost(long) > 64 * max(cost(short), 0.0005):  # 16 times the length; 256 times the time if quadratic
            slow.append(piece)
    assert slow == []


def told_by_the_source():
    """What the source says to logs and in exceptions, with a value in place of what is filled in."""
    for path in sorted((ROOT / "src" / "penstock").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                text = node.args[0].value
                if isinstance(text, str) and (name in LOGGED or name.endswith("Error")):
                    yield f"{path.name}: {text.replace('%s', 'shop').replace('%d', '12').replace('%r', repr('shop'))}"


LOGGED = ("debug", "info", "warning", "error", "exception", "critical")


def test_no_message_of_our_own_is_altered():
    redactor = Redactor()
    messages = list(told_by_the_source())

    assert len(messages) > 200
    assert [text for text in messages if redactor.text(text) != text] == []


def test_hardly_a_line_of_the_documentation_is_altered_and_those_show_secrets():
    redactor = Redactor()
    lines = [line for path in (ROOT / "docs").glob("*.md") for line in path.read_text("utf-8").splitlines()]

    altered = [line for line in lines if redactor.text(line) != line]

    assert len(altered) < len(lines) / 100
