"""What a value has to be by its schema: the same verdict as that of the `jsonschema` package."""

import typing
from dataclasses import make_dataclass
from typing import Annotated, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from penstock import Field
from penstock.app.openapi.conformance import Conformance
from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.validator import compile_validator
from tests.app.openapi.test_agreement import ANYTHING, SETTINGS, SHAPES, schema_of

NUMBER = {"type": "number"}


@pytest.mark.parametrize(
    ("schema", "good", "bad", "place"),
    [
        ({}, 1, None, None),
        (True, 1, None, None),
        ({"type": "integer"}, 1.0, True, ""),
        ({"type": ["integer", "null"]}, None, "1", ""),
        ({"const": 1}, 1, True, ""),
        ({"enum": ["a", None]}, None, "b", ""),
        ({"type": "number", "multipleOf": 0.1}, 0.3, 0.35, ""),
        ({"minLength": 2, "pattern": "^a"}, "ab", "bb", ""),
        ({"pattern": "(?<name>x)"}, "not of this dialect", None, None),
        ({"items": NUMBER}, [1, 2.5], [1, "2"], "/1"),
        ({"prefixItems": [NUMBER], "items": False}, [1], [1, 2], "/1"),
        ({"properties": {"a": NUMBER}, "required": ["a"]}, {"a": 1, "b": ""}, {"b": 1}, "/a"),
        ({"properties": {"a": NUMBER}, "additionalProperties": False}, {"a": 1}, {"b": 1}, "/b"),
        ({"additionalProperties": {"items": NUMBER}}, {"a": [1]}, {"a": [None]}, "/a/0"),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}, "/ab"),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3, ""),
        ({"anyOf": [{"items": NUMBER}, {"type": "null"}]}, [1], ["1"], "/0"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 2}]}, 3, 1.5, ""),
        ({"not": {"type": "null"}}, 1, None, ""),
        ({"$ref": "#/components/a~1b", "maximum": 9}, 9, 10, ""),
        ({"$ref": "#/components/a~1b"}, 9, "9", ""),
        ({"minItems": 1, "maxItems": 1}, [1], [], ""),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1}, {}, ""),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, 2, 3, ""),
    ],
    ids=str,
)
def test_each_keyword(schema, good, bad, place):
    conformance = Conformance({"components": {"a/b": NUMBER}})

    assert conformance.fault(good, schema) is None
    if place is not None:
        fault = conformance.fault(bad, schema)
        assert fault is not None
        assert fault[0] == place


def test_the_member_of_a_union_that_fits_best_is_told_of():
    a = make_dataclass("A", [("x", list[Annotated[int, Field(ge=1)]])])
    schema = schema_of(compile_validator(typing.Union[a, str, None]))  # noqa: UP007

    assert Conformance(schema).fault({"x": [1, 0]}, schema) == ("/x/1", "at least 1")


@SETTINGS
@given(st.data())
def test_the_verdict_is_that_of_jsonschema(data):
    shape = data.draw(SHAPES)
    try:
        schema: dict[str, Any] = schema_of(compile_validator(shape.annotation))
    except Unsupported:
        assume(False)
    theirs, ours = Draft202012Validator(schema), Conformance(schema)
    for value in data.draw(st.lists(shape.values | ANYTHING, min_size=1, max_size=6)):
        assert theirs.is_valid(value) == (ours.fault(value, schema) is None), (value, schema)
