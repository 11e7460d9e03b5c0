"""Types as JSON Schema: one case for each kind, names of components, what msgspec and pydantic say of theirs."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Required, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest
from jsonschema import Draft202012Validator

from penstock import App, Body, Field, Partial
from penstock.app.openapi.components import Components, resolved
from penstock.app.openapi.patterns import to_ecma
from penstock.app.openapi.schemas import Schemas
from penstock.app.schema.validator import compile_validator

T = TypeVar("T")


def described(
    *annotations: Any, unknown: str = "ignore", is_output: bool = False
) -> tuple[list[Any], dict[str, Any]]:
    """The schemas of annotations, and the components they refer to."""
    components = Components()
    schemas = Schemas(components, is_output=is_output)
    made = [schemas.of(compile_validator(one, unknown=unknown).node) for one in annotations]
    named, names = components.named()
    whole = resolved(made, names), resolved(named, names)
    for one in [*whole[0], *whole[1].values()]:
        Draft202012Validator.check_schema(one)
    return whole


def schema(annotation: Any) -> Any:
    made, named = described(annotation)
    assert not named
    return made[0]


def component(annotation: Any, **options: Any) -> dict[str, Any]:
    """The component an annotation refers to."""
    (made,), named = described(annotation, **options)
    return named[made["$ref"].rpartition("/")[2]]


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class Color(Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


@dataclass
class Item:
    name: str


class Point(NamedTuple):
    """Where."""

    x: float
    y: float = 0.0


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (UUID, {"type": "string", "format": "uuid"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (time, {"type": "string", "format": "time"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1, None], {"enum": ["a", 1, None]}),  # noqa: PYI061 - null is one of the choices
        (Literal[True], {"type": "boolean", "const": True}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (None | int, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
        (dict, {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (
            dict[int, Any],
            {"type": "object", "propertyNames": {"pattern": "^-?[0-9]{1,40}$"}},
        ),
        (dict[Color, Any], {"type": "object", "propertyNames": {"enum": ["red", "blue"]}}),
        (dict[date, Any], {"type": "object", "propertyNames": {"format": "date"}}),
        (
            dict[Annotated[str, Field(max_length=3)], Any],
            {"type": "object", "propertyNames": {"maxLength": 3}},
        ),
    ],
    ids=str,
)
def test_each_type_has_its_schema(annotation, expected):
    assert schema(annotation) == expected


@pytest.mark.parametrize(
    ("annotation", "rules"),
    [
        (Annotated[int, Field(ge=1, le=9)], {"minimum": 1, "maximum": 9}),
        (Annotated[float, Field(gt=0.5, lt=2.0)], {"exclusiveMinimum": 0.5, "exclusiveMaximum": 2}),
        (Annotated[int, Field(multiple_of=5)], {"multipleOf": 5}),
        (Annotated[float, Field(multiple_of=Decimal("0.1"))], {"multipleOf": 0.1}),
        (Annotated[str, Field(min_length=1, max_length=9)], {"minLength": 1, "maxLength": 9}),
        (Annotated[str, Field(pattern=r"^[a-z]+\Z")], {"pattern": "^[a-z]+$"}),
        (Annotated[str, Field(pattern=r"(?i)abc")], {}),
        (Annotated[list, Field(min_length=1, max_length=2)], {"minItems": 1, "maxItems": 2}),
        (Annotated[dict, Field(min_length=1, max_length=2)], {"minProperties": 1, "maxProperties": 2}),
        (Annotated[bytes, Field(min_length=1, max_length=4)], {"minLength": 4, "maxLength": 8}),
        (Annotated[date, Field(ge=date(2020, 1, 1))], {}),
        (Annotated[int, msgspec.Meta(ge=3)], {"minimum": 3}),
    ],
    ids=str,
)
def test_each_constraint_has_its_keyword(annotation, rules):
    made = schema(annotation)

    plain = schema(annotation.__origin__)
    assert made == plain | rules


def test_a_decimal_is_a_number_or_a_text_of_one():
    made = schema(Annotated[Decimal, Field(ge=Decimal(0), lt=Decimal("0.5"))])

    assert made["type"] == ["number", "string"]
    assert (made["minimum"], made["exclusiveMaximum"]) == (0, 0.5)
    accepts = Draft202012Validator(made).is_valid
    assert accepts(0.25) and accepts("0.25") and not accepts(1) and not accepts("a half")


@pytest.mark.parametrize(
    "text",
    [
        "P1W",
        "P1D",
        "P1DT1H",
        "PT1H",
        "PT1M",
        "PT1S",
        "PT1H30M",
        "PT1H1S",
        "PT0.5S",
        "PT1,5S",
        "-P1D",
        "P",
        "PT",
        "P1Y",
        "P1M",
        "P1DT",
        "PT.5S",
        "P1W1D",
        "T1H",
        "1H",
    ],
)
def test_a_duration_is_what_the_validator_takes(text):
    accepts = Draft202012Validator(schema(timedelta)).is_valid

    assert accepts(text) == (not compile_validator(timedelta).faults(text))


def test_constraints_stand_with_the_member_of_a_union_they_belong_to():
    assert schema(list[Annotated[str, Field(min_length=1)] | None])["items"] == {
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]
    }


class TestClasses:
    def test_an_enum_is_a_component(self):
        assert component(Color) == {
            "title": "Color",
            "description": "What it looks like.",
            "type": "string",
            "enum": ["red", "blue"],
        }
        assert component(Level) == {"title": "Level", "type": "integer", "const": 1}

    def test_a_dataclass_with_defaults_descriptions_and_aliases(self):
        @dataclass
        class Order:
            """What somebody wants.

            And when.
            """

            items: list[Item]
            note: Annotated[str, Field(alias="Note", title="A note", description="free text")] = ""
            color: Annotated[Color, Field(deprecated=True)] = Color.RED
            price: Annotated[Decimal, Field(examples=[Decimal("1.5"), object()])] = Decimal("2.50")
            tags: set[str] = field(default_factory=set)
            made: datetime = field(default_factory=datetime.now)
            raw: bytes = b"x"
            size: int = None
            count: int = field(default=0, init=False)

        made = component(Order)

        assert made["title"] == "Order"
        assert made["description"] == "What somebody wants.\n\nAnd when."
        assert made["required"] == ["items"]
        properties = made["properties"]
        assert properties.keys() == {"items", "Note", "color", "price", "tags", "made", "raw", "size"}
        assert properties["items"] == {"type": "array", "items": ref("Item")}
        assert properties["Note"] == {
            "type": "string",
            "title": "A note",
            "description": "free text",
            "default": "",
        }
        assert properties["color"] == {**ref("Color"), "default": "red", "deprecated": True}
        assert (properties["price"]["default"], properties["price"]["examples"]) == ("2.50", ["1.5"])
        assert properties["tags"]["default"] == []
        assert "default" not in properties["made"]  # another each time
        assert "default" not in properties["raw"]  # no JSON
        assert "default" not in properties["size"]  # not what it takes

    def test_a_typed_dict(self):
        class Shop(TypedDict, total=False):
            name: Required[str]
            size: NotRequired[int]

        assert component(Shop) == {
            "title": "Shop",
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
            "required": ["name"],
        }

    def test_a_named_tuple(self):
        assert component(Point) == {
            "title": "Point",
            "description": "Where.",
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "number"}],
            "minItems": 1,
            "maxItems": 2,
        }

    def test_members_that_are_not_named(self):
        @dataclass
        class Strict:
            __unknown_fields__ = "forbid"
            a: int

        assert component(Strict)["additionalProperties"] is False
        assert "additionalProperties" not in component(Item)
        assert component(Item, unknown="forbid")["additionalProperties"] is False

    def test_one_class_read_in_two_ways_is_two_components(self):
        app = App()

        @app.post("/")
        def handler(a: Annotated[Item, Body(unknown="forbid")]) -> Item: ...

        assert app.openapi()["components"]["schemas"].keys() >= {"Item", "Item_forbid"}

    def test_a_part_of_a_model_requires_nothing(self):
        made = component(Partial[Item])

        assert (made["title"], "required" in made) == ("ItemPart", False)

    def test_generic_models_are_named_by_what_they_are_made_of(self):
        @dataclass
        class Page(Generic[T]):
            items: list[T]

        made, named = described(Page[Item], Page[int], Page[list[int]])

        assert made == [ref("Page_Item"), ref("Page_int"), ref("Page_list_int")]
        assert named["Page_int"]["properties"]["items"] == {"type": "array", "items": {"type": "integer"}}

    def test_models_may_contain_themselves(self):
        assert component(Tree)["properties"] == {
            "left": {"anyOf": [ref("Tree"), {"type": "null"}], "default": None},
            "all": {"type": "array", "items": ref("Tree"), "default": []},
        }

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with 3.12")
    def test_aliases_that_contain_themselves_are_components(self):
        scope: dict[str, Any] = {"__name__": __name__}
        exec("type Json = dict[str, Json] | list[Json] | str | None\ntype Text = str", scope)

        assert schema(scope["Text"]) == {"type": "string"}
        members = component(scope["Json"])["anyOf"]
        assert {"type": "object", "additionalProperties": ref("Json")} in members
        assert members[-1] == {"type": "null"}

    def test_unions_with_a_tag_have_a_discriminator(self):
        @dataclass
        class Card:
            kind: Literal["card", "debit"]

        @dataclass
        class Cash:
            kind: Literal["cash"] = "cash"

        (made,), _ = described(Card | Cash | None)

        assert made["anyOf"][1] == {"type": "null"}
        assert made["anyOf"][0] == {
            "oneOf": [ref("Card"), ref("Cash")],
            "required": ["kind"],
            "discriminator": {
                "propertyName": "kind",
                "mapping": {
                    "card": "#/components/schemas/Card",
                    "debit": "#/components/schemas/Card",
                    "cash": "#/components/schemas/Cash",
                },
            },
        }


@dataclass
class Tree:
    left: "Tree | None" = None
    all: "list[Tree]" = field(default_factory=list)


def made_in(module: str, name: str, *fields: str) -> type:
    made = dataclasses.make_dataclass(name, [(one, int) for one in fields])
    made.__module__ = module
    return made


class TestNames:
    def test_classes_of_one_name_get_the_names_of_their_modules(self):
        one, other = made_in("shop.web", "Item", "a"), made_in("admin.web", "Item", "b")

        made, named = described(one, other, Tree)

        assert made == [ref("shop.web.Item"), ref("admin.web.Item"), ref("Tree")]
        assert named.keys() == {"shop.web.Item", "admin.web.Item", "Tree"}
        assert list(named["shop.web.Item"]["properties"]) == ["a"]

    def test_classes_of_one_name_and_module_are_counted(self):
        made, _ = described(made_in("m", "A", "a"), made_in("m", "A", "b"))

        assert made == [ref("m.A"), ref("m.A_2")]

    def test_do_not_depend_on_the_order(self):
        one, other = made_in("shop.web", "Item", "a"), made_in("admin.web", "Item", "b")

        assert described(one, other)[1] == described(other, one)[1]

    def test_problem_is_kept_apart_from_a_model_of_that_name(self):
        app = App()
        problem = made_in("shop", "Problem", "a")

        def handler(body, page): ...

        handler.__annotations__ = {"body": problem, "page": int}
        app.post("/")(handler)

        assert app.openapi()["components"]["schemas"].keys() == {
            "penstock.Problem",
            "shop.Problem",
            "ValidationProblem",
        }


class Node(msgspec.Struct):
    value: Annotated[int, msgspec.Meta(ge=0)]
    next: "Node | None" = None


class Model(pydantic.BaseModel):
    size: int = pydantic.Field(gt=3)
    inner: "list[Model]" = []

    @pydantic.computed_field
    def twice(self) -> int:
        return self.size * 2


class TestForeign:
    def test_structs_are_described_by_msgspec(self):
        made, named = described(Node, list[Node])

        assert made == [ref("Node"), {"type": "array", "items": ref("Node")}]
        assert named["Node"]["properties"]["value"] == {"type": "integer", "minimum": 0}
        assert named["Node"]["properties"]["next"]["anyOf"] == [ref("Node"), {"type": "null"}]

    def test_models_are_described_by_pydantic(self):
        made, named = described(Model)

        assert made == [ref("Model")]
        assert named["Model"]["required"] == ["size"]
        assert named["Model"]["properties"]["inner"]["items"] == ref("Model")

    def test_what_pydantic_sends_is_not_what_it_takes(self):
        app = App()
        app.post("/")(echo)

        operation = app.openapi()["paths"]["/"]["post"]
        taken = operation["requestBody"]["content"]["application/json"]["schema"]
        sent = operation["responses"]["200"]["content"]["application/json"]["schema"]

        assert (taken, sent) == (ref("Model"), ref("Model_output"))
        assert "twice" in app.openapi()["components"]["schemas"]["Model_output"]["properties"]

    def test_one_that_is_the_same_both_ways_is_one_component(self):
        app = App()

        @app.post("/")
        def handler(body: Plain) -> Plain: ...

        assert [name for name in app.openapi()["components"]["schemas"] if name.startswith("Plain")] == [
            "Plain"
        ]

    def test_classes_of_one_name_are_not_mixed_up(self):
        one = msgspec.defstruct("Item", [("inner", msgspec.defstruct("Inner", [("a", int)]))], module="m")
        other = msgspec.defstruct("Item", [("inner", msgspec.defstruct("Inner", [("b", int)]))], module="n")

        made, named = described(one, other, Item)

        inner = [named[one["$ref"].rpartition("/")[2]]["properties"]["inner"] for one in made[:2]]
        properties = [list(named[one["$ref"].rpartition("/")[2]]["properties"]) for one in inner]
        assert properties == [["a"], ["b"]]
        assert len(named) == 5


class Plain(pydantic.BaseModel):
    size: int


def echo(body: Model) -> Model: ...


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^\d+$", r"^\d+$"),
        (r"\A[(?P<]\Z", r"^[(?P<]$"),
        (r"\\A", r"\\A"),
        (r"[]a]\]", r"[]a]\]"),
        (r"a(?:b)(c)(?P<d>e)\1(?P=d)", r"a(?:b)(c)(e)\1\2"),
        (r"a(?#why)b", "ab"),
        (r"(?<=a)b(?!c)", r"(?<=a)b(?!c)"),
        (r"a++", None),
        (r"(?>a)", None),
        (r"(?i)a", None),
        (r"(?s:.)", None),
        (r"a{2}+", None),
        (r"a\++", r"a\++"),
        (r"[+]+", r"[+]+"),
    ],
)
def test_patterns_of_python_in_the_words_of_json_schema(pattern, expected):
    assert to_ecma(pattern) == expected
