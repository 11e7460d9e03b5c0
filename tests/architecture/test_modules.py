"""A module says what it is, in its docstring and by its name."""

from __future__ import annotations

import ast

import pytest

NAMES_THAT_SAY_NOTHING = {"util", "helper", "common", "base", "manager", "misc"}


def says_nothing(name: str) -> bool:
    return name.lower().strip("_").removesuffix("s") in NAMES_THAT_SAY_NOTHING


def test_every_module_has_a_docstring(modules):
    silent = [module.where for module in modules if not ast.get_docstring(module.tree)]

    assert silent == []


def test_no_module_or_folder_has_a_name_that_says_nothing(modules):
    vague = [module.where for module in modules if any(map(says_nothing, module.name.split(".")))]

    assert vague == []


def test_imports_are_absolute(modules):
    relative = [
        f"{module.where}:{node.lineno}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


@pytest.mark.parametrize("name", ["utils", "_helpers", "common", "base", "Manager", "managers", "misc"])
def test_names_that_say_nothing(name):
    assert says_nothing(name)


@pytest.mark.parametrize("name", ["head", "database", "connections", "status"])
def test_names_that_say_something(name):
    assert not says_nothing(name)
