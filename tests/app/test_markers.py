"""Markers in annotations: where a parameter comes from, what it must satisfy."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from penstock import App, Body, Cookie, Field, Header, Partial, Path, Query
from penstock.errors import ApplicationError
from tests.app.driver import JSON, content, faults, get, send


class Colour(Enum):
    RED = "red"


@dataclass
class Item:
    name: str
    price: Annotated[float, Field(gt=0)] = 1.0


class Movie(TypedDict):
    title: str


class Point(NamedTuple):
    x: int
    y: int


def serve(annotation, path="/", default=...):
    """Return an application whose handler has the parameter `x_token` and shows it."""
    app = App()

    if default is ...:

        def handler(x_token):
            return {"is": repr(x_token)}
    else:

        def handler(x_token=default):
            return {"is": repr(x_token)}

    handler.__annotations__["x_token"] = annotation
    app.post(path)(handler)
    app.get(path)(handler)
    return app


def shown(response):
    assert response.status == 200, response.body
    return content(response)["is"]


@pytest.mark.parametrize(
    ("annotation", "headers", "value"),
    [
        (Annotated[str, Header()], [("X-Token", "abc")], "'abc'"),
        (Annotated[int, Header()], [("x-token", "7")], "7"),
        (Annotated[str, Header(alias="X-Other_One")], [("x-other_one", "abc")], "'abc'"),
        (Annotated[str | None, Header()], [], "None"),
        (Annotated[list[int], Header()], [("x-token", "1"), ("x-token", "2")], "[1, 2]"),
        (Annotated[list[int], Header()], [], "[]"),
        (Annotated[str, Cookie()], [("cookie", "a=1; x_token=abc")], "'abc'"),
        (Annotated[Colour, Cookie(alias="c")], [("cookie", "c=red")], "<Colour.RED: 'red'>"),
        (Annotated[int | None, Cookie(ge=1)], [], "None"),
        (Annotated[int | None, Cookie(ge=1)], [("cookie", "x_token=5")], "5"),
    ],
)
def test_fields_and_cookies_are_parameters(annotation, headers, value):
    assert shown(get(serve(annotation), "/", headers=tuple(headers))) == value


@pytest.mark.parametrize(
    ("annotation", "headers", "found"),
    [
        (Annotated[str, Header()], [], [("header", "x-token", "missing")]),
        (Annotated[int, Header()], [("x-token", "x")], [("header", "x-token", "int")]),
        (Annotated[str, Header(min_length=5)], [("x-token", "x")], [("header", "x-token", "min_length")]),
        (
            Annotated[list[int], Header()],
            [("x-token", "1"), ("x-token", "x")],
            [("header", "x-token", "1", "int")],
        ),
        (Annotated[str, Cookie()], [("cookie", "a=1")], [("cookie", "x_token", "missing")]),
        (Annotated[int, Cookie(le=3)], [("cookie", "x_token=4")], [("cookie", "x_token", "le")]),
    ],
)
def test_faults_of_fields_and_cookies_are_named(annotation, headers, found):
    assert faults(get(serve(annotation), "/", headers=tuple(headers))) == found


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "kind"),
    [
        (Annotated[int, Query(ge=0, le=9)], "5", "-1", "ge"),
        (Annotated[int, Field(multiple_of=5)], "10", "11", "multiple_of"),
        (Annotated[str, Query(pattern="^[a-z]+$")], "abc", "ABC", "pattern"),
        (Annotated[str, Query(min_length=2)], "ab", "a", "min_length"),
        (Annotated[int | None, Query(lt=3)], "2", "3", "lt"),
        (Annotated[Decimal, Query(gt=Decimal("0.1"))], "0.2", "0.1", "gt"),
        (Annotated[timedelta, Query(le=timedelta(hours=1))], "PT1H", "PT2H", "le"),
        (Annotated[int | float, Query(ge=0)], "0.5", "-1", "union"),
    ],
)
def test_constraints_hold_for_text(annotation, good, bad, kind):
    for app, where, at in (
        (serve(annotation), "query", "/?x_token={}"),
        (serve(annotation, "/{x_token}"), "path", "/{}"),
    ):
        if type(annotation.__metadata__[0]) is Query and where == "path":
            continue
        assert get(app, at.format(good)).status == 200
        assert faults(get(app, at.format(bad))) == [(where, "x_token", kind)]


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Header(), Field(min_length=2, description="d")],
        Annotated[str, Field(min_length=2, description="d"), Header()],
    ],
)
def test_a_field_beside_a_marker_adds_what_it_says(annotation):
    app = serve(annotation)

    assert shown(get(app, "/", headers=(("x-token", "ab"),))) == "'ab'"
    assert get(app, "/", headers=(("x-token", "a"),)).status == 422
    assert app.openapi()["paths"]["/"]["get"]["parameters"][0]["description"] == "d"


def test_constraints_of_lists_and_of_their_elements():
    app = serve(Annotated[list[Annotated[int, Field(ge=0)]], Query(min_length=1, max_length=2)])

    assert shown(get(app, "/?x_token=1&x_token=2")) == "[1, 2]"
    assert faults(get(app, "/")) == [("query", "x_token", "missing")]
    assert faults(get(app, "/?x_token=1&x_token=-2")) == [("query", "x_token", "1", "ge")]
    assert faults(get(app, "/?x_token=1&x_token=2&x_token=3")) == [("query", "x_token", "max_length")]


@pytest.mark.parametrize("path", ["/{x_token}", "/{x_token:int}", "/{id}", "/{id:int}"])
def test_constraints_hold_for_the_path(path):
    alias = None if "x_token" in path else "id"
    app = serve(Annotated[int, Path(ge=1, alias=alias)], path)

    assert shown(get(app, "/1")) == "1"
    assert faults(get(app, "/0")) == [("path", alias or "x_token", "ge")]


def test_an_alias_is_the_name_on_the_wire():
    app = serve(Annotated[int, Query(alias="page-no")], default=1)

    assert shown(get(app, "/?page-no=3&x_token=4")) == "3"
    assert shown(get(app, "/")) == "1"
    assert faults(get(app, "/?page-no=x")) == [("query", "page-no", "int")]


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (Annotated[int, Body()], 7, "7"),
        (Annotated[dict, Body()], {"a": 1}, "{'a': 1}"),
        (Annotated[Any, Body()], [1], "[1]"),
        (Annotated[str | None, Body()], None, "None"),
        (list[Item], [{"name": "x"}], "[Item(name='x', price=1.0)]"),
        (dict[str, Item], {"a": {"name": "x"}}, "{'a': Item(name='x', price=1.0)}"),
        (Item | None, None, "None"),
        (Movie, {"title": "x"}, "{'title': 'x'}"),
        (Point, [1, 2], "Point(x=1, y=2)"),
        (Item | Movie, {"title": "x"}, "{'title': 'x'}"),
        (Partial[Item], {"price": 2}, "Partial({'price': 2.0})"),
        (Partial[Movie], {}, "Partial({})"),
    ],
)
def test_bodies_of_any_type(annotation, body, value):
    assert shown(send(serve(annotation), "POST", "/", body)) == value


@pytest.mark.parametrize(
    ("annotation", "body", "found"),
    [
        (Annotated[int, Body(ge=1)], 0, [("body", "ge")]),
        (Annotated[int, Body()], "1", [("body", "int")]),
        (Annotated[list[Item], Body(min_length=1)], [], [("body", "min_length")]),
        (
            list[Item],
            [{"name": "x"}, {"price": 0}],
            [("body", "1", "name", "missing"), ("body", "1", "price", "gt")],
        ),
        (Annotated[Item, Body(unknown="forbid")], {"name": "x", "z": 1}, [("body", "z", "unknown")]),
        (Partial[Item], {"price": -1}, [("body", "price", "gt")]),
        (Partial[Item], [], [("body", "dict")]),
    ],
)
def test_faults_of_bodies_are_named(annotation, body, found):
    assert faults(send(serve(annotation), "POST", "/", body)) == found


def test_parameters_may_share_a_body():
    app = App()

    @app.post("/")
    def handler(
        item: Annotated[Item, Body(embed=True)],
        n: Annotated[int, Body(embed=True, ge=1, alias="count")] = 1,
        tags: Annotated[list[str], Body(embed=True)] = ["a"],  # noqa: B006
    ) -> list:
        tags.append("z")
        return [item.name, n, tags]

    assert content(send(app, "POST", "/", {"item": {"name": "x"}})) == ["x", 1, ["a", "z"]]
    assert content(send(app, "POST", "/", {"item": {"name": "x"}, "count": 3, "tags": []})) == ["x", 3, ["z"]]
    assert faults(send(app, "POST", "/", {"item": {"name": 1}, "count": 0})) == [
        ("body", "item", "name", "str"),
        ("body", "count", "ge"),
    ]
    assert faults(send(app, "POST", "/", {})) == [("body", "item", "missing")]
    assert faults(send(app, "POST", "/", [])) == [("body", "dict")]
    assert send(app, "POST", "/").status == 415


def test_a_shared_body_may_be_left_out_when_all_have_defaults():
    app = App()

    @app.post("/")
    def handler(
        a: Annotated[int, Body(embed=True, unknown="forbid")] = 1,
        b: Annotated[int | None, Body(embed=True)] = None,
    ) -> list:
        return [a, b]

    assert content(send(app, "POST", "/")) == [1, None]
    assert content(send(app, "POST", "/", {"b": 2})) == [1, 2]
    assert faults(send(app, "POST", "/", {"c": 2})) == [("body", "c", "unknown")]


def test_who_shares_a_body_must_agree():
    for first, second, part in (
        (Body(embed=True), Body(), "both want the whole body"),
        (Body(embed=True, alias="b"), Body(embed=True), "the same alias"),
        (Body(embed=True, unknown="keep"), Body(embed=True, unknown="forbid"), "different unknown="),
    ):
        app = App()

        def handler(a, b): ...

        handler.__annotations__ = {"a": Annotated[int, first], "b": Annotated[int, second]}
        app.post("/")(handler)

        with pytest.raises(ApplicationError, match=part):
            app.compile()


def test_a_partial_is_applied_to_the_whole():
    @dataclass
    class Account:
        name: str
        note: str | None = "hi"

        def __post_init__(self):
            if not self.name:
                raise ValueError("no name")

    app, saved = App(), Account("x")

    def change(patch):
        return patch.apply(saved)

    change.__annotations__["patch"] = Partial[Account]
    app.patch("/")(change)

    assert content(send(app, "PATCH", "/", {"note": None})) == {"name": "x", "note": None}
    assert content(send(app, "PATCH", "/", {})) == {"name": "x", "note": "hi"}
    assert faults(send(app, "PATCH", "/", {"name": ""})) == [("body", "value")]
    assert dict(Partial[Movie]({"title": "y"}).apply({"title": "x", "year": 1})) == {"title": "y", "year": 1}


def test_faults_of_every_source_come_together():
    app = App()

    @app.post("/{a}")
    def handler(
        a: Annotated[int, Path(ge=1)],
        b: Annotated[int, Query()],
        c: Annotated[int, Header()],
        d: Annotated[int, Cookie()],
        e: Item,
    ) -> None: ...

    response = send(app, "POST", "/0", {"name": 1}, (("cookie", "d=x"),))

    assert faults(response) == [
        ("path", "a", "ge"),
        ("query", "b", "missing"),
        ("header", "c", "missing"),
        ("cookie", "d", "int"),
        ("body", "name", "str"),
    ]
    assert content(response)["errors"][0]["msg"] == "expected at least 1"


def test_a_hundred_faults_are_told_and_that_there_may_be_more():
    response = send(serve(list[Item]), "POST", "/", [{}] * 500)

    assert len(faults(response)) == 100
    assert "first 100" in content(response)["detail"]


@pytest.mark.parametrize("levels", [100, 10_000])
def test_deep_bodies_are_refused_or_read_and_never_break(levels):
    @dataclass
    class Tree:
        children: "list[Tree]"
        wrong: int | None = None

    Tree.__annotations__["children"] = list[Tree]
    app = serve(Tree)
    good = b'{"children":[' * levels + b"]}" * levels
    wrong = b'{"wrong":"x","children":[' * levels + b"]}" * levels

    assert send(app, "POST", "/", good, (JSON,)).status == 400
    assert send(app, "POST", "/", good[: 13 * 60] + good[-2 * 60 :], (JSON,)).status == 200
    assert send(app, "POST", "/", wrong, (JSON,)).status == 400
    assert len(faults(send(app, "POST", "/", wrong[: 25 * 60] + wrong[-2 * 60 :], (JSON,)))) == 60


@pytest.mark.parametrize(
    ("annotation", "path", "part"),
    [
        (Annotated[int, Path()], "/", "there is no {x_token} in the path"),
        (Annotated[int, Query(), Header()], "/", "Query and Header say different sources"),
        (Annotated[int, Query()], "/{x_token}", "its marker says query"),
        (Annotated[int, Query(alias="")], "/", "alias=''"),
        (Annotated[int, Body(alias="z")], "/", "alias='z'"),
        (Annotated[list[int], Cookie()], "/", "a cookie is one value"),
        (Annotated[dict, Query()], "/", "dict is no type"),
        (Annotated[Item, Query()], "/", "Item is no type"),
        (Annotated[str, Query(ge=1)], "/", "ge= does not fit str"),
        (Annotated[int, Path(pattern="x")], "/{x_token:int}", "pattern= does not fit int"),
        (Annotated[Literal["a"], Header(min_length=1)], "/", "min_length= does not fit literal"),
        (Partial[int], "/", "Partial is of a dataclass or TypedDict"),
    ],
)
def test_what_makes_no_sense_is_reported_at_start_up(annotation, path, part):
    with pytest.raises(ApplicationError) as caught:
        serve(annotation, path).compile()

    assert part in str(caught.value)
