"""Imports point down only. import-linter says so too; this scan needs nothing installed and also sees
what it does not: relative imports, imports in functions and for typing, and the standard library by layer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RANK = {
    "errors": 0,
    "http": 1,
    "wire": 2,
    "observe": 2,
    "websocket": 2,
    "gateway": 3,
    "app": 4,
    "server": 4,
    "cli": 5,
    "__main__": 6,
}

IO_MODULES = {"asyncio", "select", "selectors", "socket", "socketserver", "ssl", "subprocess", "threading"}
FORBIDDEN = {
    "errors": IO_MODULES | {"time", "os", "logging"},
    "http": IO_MODULES,
    "wire": IO_MODULES | {"time", "os", "logging", "datetime", "email", "http", "urllib"},
    "websocket": {"select", "selectors", "socket", "socketserver", "ssl", "threading"},
    "app": {"select", "selectors", "socket", "socketserver", "ssl"},
}


def layer_of(name: str) -> str | None:
    """The layer of a dotted name, None for the root package and for what is not of penstock."""
    parts = name.split(".")
    return parts[1] if parts[0] == "penstock" and len(parts) > 1 and parts[1] in RANK else None


def may_import(importer: str, imported: str) -> bool:
    """Down only; and the server knows what it serves by `http.handler` alone."""
    if (importer, imported) == ("server", "gateway"):
        return False
    return importer == imported or RANK[imported] < RANK[importer]


def test_every_module_of_penstock_is_in_a_layer(penstock_modules):
    strays = [
        module.where for module in penstock_modules if module.name != "penstock" and not layer_of(module.name)
    ]

    assert strays == []


def test_imports_point_down_only(penstock_modules):
    wrong = [
        f"{module.where}:{found.line} imports {found.name}"
        for module in penstock_modules
        if (own := layer_of(module.name))
        for found in module.imports()
        if (other := layer_of(found.name)) and not may_import(own, other)
    ]

    assert wrong == []


def test_only_the_cli_uses_the_public_names(penstock_modules):
    """Inside, a name comes from where it is defined; the root is a shop window. `__version__` is the exception."""
    wrong = [
        f"{module.where}:{found.line} imports {found.name}"
        for module in penstock_modules
        if layer_of(module.name) not in {None, "cli", "__main__"}
        for found in module.imports()
        if found.name.split(".")[0] == "penstock"
        and layer_of(found.name) is None
        and found.name != "penstock.__version__"
    ]

    assert wrong == []


def test_penstock_never_uses_http_benchmark(penstock_modules):
    wrong = [
        f"{module.where}:{found.line}"
        for module in penstock_modules
        for found in module.imports()
        if found.name.split(".")[0] == "http_benchmark"
    ]

    assert wrong == []


def test_a_layer_uses_only_the_standard_library_it_may(penstock_modules):
    wrong = [
        f"{module.where}:{found.line} imports {found.name}"
        for module in penstock_modules
        for found in module.imports()
        if found.name.split(".")[0] in FORBIDDEN.get(layer_of(module.name) or "", set())
    ]

    assert wrong == []


def test_import_time_needs_only_the_standard_library(penstock_modules):
    allowed = sys.stdlib_module_names | {"penstock"}
    wrong = [
        f"{module.where}:{found.line} imports {found.name}"
        for module in penstock_modules
        for found in module.imports()
        if found.at_import_time and found.name.split(".")[0] not in allowed
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("server", "http", True),
        ("wire", "http", True),
        ("server", "server", True),
        ("server", "app", False),
        ("app", "server", False),
        ("gateway", "app", False),
        ("gateway", "server", False),
        ("app", "gateway", True),
        ("server", "gateway", False),
        ("http", "wire", False),
        ("observe", "wire", False),
        ("websocket", "wire", False),
        ("gateway", "websocket", True),
        ("errors", "http", False),
    ],
)
def test_the_order_of_the_layers(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_import_linter_agrees():
    beside = Path(sys.executable).with_name("lint-imports")
    found = shutil.which(str(beside)) or shutil.which("lint-imports")
    if found is None:
        pytest.skip("import-linter is not installed; `make check` runs it")

    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [found, "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
