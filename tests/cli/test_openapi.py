"""`penstock openapi`: prints the document, or compares it with one in a file."""

import json

import pytest
from openapi_spec_validator import validate

from penstock.cli.openapi import first_difference

APPLICATION = """
from dataclasses import dataclass
from penstock import App

app = App(title="Büro", openapi_url="/openapi.json")

@dataclass
class Item:
    name: str
    price: float = 2.5

@app.post("/items", status=201)
def create(item: Item) -> Item:
    '''Create one.'''
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop.py").write_text(APPLICATION, "utf-8")
    return tmp_path


def test_prints_the_document(penstock, shop):
    done = penstock("openapi", "shop:app")

    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    validate(document)
    assert document["info"]["title"] == "Büro"
    assert list(document["paths"]) == ["/items"]
    assert done.stdout.startswith('{\n  "openapi": "3.1.1",\n')


def test_a_file_with_the_same_document_passes_however_it_is_laid_out(penstock, shop):
    document = json.loads(penstock("openapi", "shop:app").stdout)
    (shop / "openapi.json").write_text(json.dumps(document, sort_keys=True))

    done = penstock("openapi", "shop:app", "--check", "openapi.json")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_with_another_document_fails_and_says_where(penstock, shop):
    document = json.loads(penstock("openapi", "shop:app").stdout)
    document["paths"]["/items"]["post"]["summary"] = "Make one"
    (shop / "openapi.json").write_text(json.dumps(document))

    done = penstock("openapi", "shop:app", "--check", "openapi.json")

    assert (done.returncode, done.stdout) == (1, "")
    assert "openapi.json is not the document of shop:app, see #/paths/~1items/post/summary" in done.stderr


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), ("{", "it is not JSON")])
def test_a_file_that_cannot_be_read_is_a_mistake(penstock, shop, content, message):
    if content is not None:
        (shop / "openapi.json").write_text(content)

    done = penstock("openapi", "shop:app", "--check", "openapi.json")

    assert done.returncode == 2
    assert done.stderr.startswith("penstock: error: --check openapi.json: ")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("openapi",), "openapi what? Name the application: penstock openapi module:app"),
        (("openapi", "shop:app", "--chek", "x"), "unknown flag '--chek'; did you mean '--check'?"),
        (("openapi", "shop:other"), "'shop:other' has no OpenAPI document: it is not a penstock.App"),
    ],
)
def test_mistakes_are_one_line(penstock, shop, words, message):
    (shop / "shop.py").write_text("async def other(scope, receive, send): ...\n")

    done = penstock(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"penstock: error: {message}\n"


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": True}, "#/a"),
        ({"a": 1}, {}, "#/a"),
        ({}, {"b": 1}, "#/b"),
        ({"a": None}, {}, "#/a"),
        ([1], [1, 2], "#"),
        ({"/x~": [1]}, {"/x~": [2]}, "#/~1x~0/0"),
    ],
)
def test_the_first_difference_is_a_json_pointer(one, other, place):
    assert first_difference(one, other) == place
