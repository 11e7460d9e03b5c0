"""Ceilings: a file holds one noun, a function one thought. Past them, find the second noun."""

from __future__ import annotations

import ast

FILE_LINES = 500
FUNCTION_LINES = 80


def test_no_file_is_longer_than_a_reader_bears(modules):
    long = [
        f"{module.where}: {lines}"
        for module in modules
        if (lines := len(module.text.splitlines())) > FILE_LINES
    ]

    assert long == []


def test_no_function_is_longer_than_a_screen_or_two(modules):
    long = [
        f"{module.where}:{node.lineno} {node.name}: {lines}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]

    assert long == []
