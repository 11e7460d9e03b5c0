import pytest

from penstock.app.routing.converters import Converter
from penstock.app.routing.template import parse_template
from penstock.errors import ApplicationError


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("users", "must begin with '/'"),
        ("", "must begin with '/'"),
        ("/a%20b", "write it as text"),
        ("/a?b", "queries are parameters"),
        ("/a#b", "fragments"),
        ("/<int:a>", "a parameter is written {name} or {name:int}"),
        ("/a/./b", "dot segment"),
        ("/../b", "dot segment"),
        ("/a/{", "one whole parameter"),
        ("/a/}", "one whole parameter"),
        ("/a/{x}.json", "one whole parameter"),
        ("/a/{x}{y}", "one whole parameter"),
        ("/a/{}", "is not a parameter name"),
        ("/a/{:int}", "is not a parameter name"),
        ("/a/{2x}", "is not a parameter name"),
        ("/a/{x y}", "is not a parameter name"),
        ("/a/{x:}", "no converter ''"),
        ("/a/{x:integer}", "no converter 'integer'; there are int, uuid, float, str, path"),
        ("/{x}/{x}", "names the parameter 'x' twice"),
        ("/{x:path}/edit", "must be last"),
    ],
)
def test_a_template_that_can_never_match_says_why(text, part):
    with pytest.raises(ApplicationError, match=r".*") as caught:
        parse_template(text, {})

    assert part in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["/", "//", "/a//b", "/a/", "/{x}", "/{x:path}", "/{x:int}/{y}/", "/.well-known/..x", "/é"]
)
def test_other_templates_parse(text):
    assert parse_template(text, {}).text == text


def test_own_converters_stand_beside_the_built_in_ones():
    slug = Converter("[a-z-]+")

    template = parse_template("/{s:slug}/{n:int}", {"slug": slug})

    assert [parameter.converter is slug for parameter in template.parameters] == [True, False]
