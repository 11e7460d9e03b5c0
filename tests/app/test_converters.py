from uuid import UUID

import pytest

from penstock.app.application import App
from penstock.app.routing.converters import BUILT_IN, Converter
from penstock.errors import ApplicationError
from tests.app.driver import content, get

CANONICAL = "12345678-9abc-def0-1234-56789abcdef0"


@pytest.mark.parametrize(
    ("kind", "segment", "value"),
    [
        ("int", "0", 0),
        ("int", "007", 7),
        ("int", "-12", -12),
        ("int", "9" * 40, int("9" * 40)),
        ("float", "1.5", 1.5),
        ("float", "-1e3", -1000.0),
        ("float", "2", 2.0),
        ("uuid", CANONICAL, UUID(CANONICAL)),
        ("uuid", CANONICAL.upper(), UUID(CANONICAL)),
    ],
)
def test_a_segment_becomes_its_value(kind, segment, value):
    made = BUILT_IN[kind].match(segment)

    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("kind", "segment"),
    [
        *[
            ("int", text)
            for text in (
                "",
                "-",
                "--1",
                "+1",
                "1_0",
                " 1",
                "1 ",
                "1\n",
                "٣",
                "²",
                "1.0",
                "0x1",
                "9" * 41,
                "-" + "9" * 41,
            )
        ],
        *[
            ("float", text)
            for text in (
                "",
                "nan",
                "inf",
                "-inf",
                "1e999",
                "1_0.0",
                "1.5 ",
                "+1",
                "٣",
                ".",
                "e5",
                "1" * 65,
                "1e",
                "0x1p3",
            )
        ],
        *[
            ("uuid", text)
            for text in (
                "",
                CANONICAL.replace("-", ""),
                "{" + CANONICAL + "}",
                "urn:uuid:" + CANONICAL,
                CANONICAL[:-1],
            )
        ],
        *[("uuid", text) for text in (CANONICAL + "\n", CANONICAL.replace("1", "١"), CANONICAL[:-1] + "_")],
    ],
)
def test_a_segment_that_is_not_one_is_refused(kind, segment):
    with pytest.raises(ValueError):
        BUILT_IN[kind].match(segment)


@pytest.fixture
def app():
    app = App(
        converters={"hex": Converter("[0-9a-f]+", to_python=lambda text: int(text, 16), to_url="{:x}".format)}
    )

    @app.get("/colour/{value:hex}")
    def colour(value: int) -> int:
        return value

    @app.get("/colour/{value}")
    def name(value: str) -> str:
        return value

    return app


def test_an_own_converter_makes_the_value(app):
    assert content(get(app, "/colour/ff")) == 255


def test_what_an_own_converter_refuses_goes_on_to_str(app):
    assert get(app, "/colour/blue").body == b"blue"


def test_an_own_converter_writes_urls(app):
    assert app.url_for("colour", value=255) == "/colour/ff"


def test_a_predicate_serves_as_pattern():
    app = App(
        converters={
            "even": Converter(lambda text: text.isdigit() and int(text) % 2 == 0, int, python_type=int)
        }
    )

    @app.get("/{n:even}")
    def even(n: int) -> int:
        return n

    assert content(get(app, "/4")) == 4
    assert get(app, "/5").status == 404


def test_value_error_in_to_python_means_no_match():
    app = App(converters={"month": Converter("[0-9]+", to_python=lambda text: [*range(13)].index(int(text)))})

    @app.get("/{m:month}")
    def month(m: int) -> int:
        return m

    assert get(app, "/12").body == b"12"
    assert get(app, "/13").status == 404


def test_any_other_error_in_a_converter_is_a_logged_500(caplog):
    app = App(converters={"bad": Converter(".+", to_python=lambda text: {}[text])})

    @app.get("/{m:bad}")
    def month(m: int) -> int:
        return m

    assert get(app, "/x").status == 500
    assert "KeyError" in caplog.text


@pytest.mark.parametrize(
    ("name", "converter", "part"),
    [
        ("int", Converter("x"), "built in"),
        ("a-b", Converter("x"), "identifier"),
        ("x", "[a-z]+", "expected a penstock Converter"),
    ],
)
def test_a_converter_that_cannot_be_registered_says_why(name, converter, part):
    with pytest.raises(ApplicationError, match=part):
        App(converters={name: converter})


def test_a_mounted_application_has_its_own_converter_of_the_same_name():
    app = App(converters={"word": Converter("[a-m]+")})
    inner = App(converters={"word": Converter("[n-z]+")})

    @app.get("/x/{w:word}")
    def outside(w: str) -> str:
        return "outside"

    @inner.get("/{w:word}")
    def inside(w: str) -> str:
        return "inside"

    app.mount("/x", inner)

    assert get(app, "/x/abc").body == b"outside"
    assert get(app, "/x/xyz").body == b"inside"
