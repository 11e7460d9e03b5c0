"""The source tree as the architecture tests see it: every module of src/, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def imports(self) -> list[Import]:
        """Every import of the module, relative ones resolved, with whether it runs when the module is imported."""
        lazy = {id(node) for outer in ast.walk(self.tree) if _defers(outer) for node in ast.walk(outer)}
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = self._imported_from(node)
            else:
                continue
            found += [Import(name, node.lineno, id(node) not in lazy) for name in names]
        return found

    def _imported_from(self, node: ast.ImportFrom) -> list[str]:
        source = node.module or ""
        if node.level:
            parents = self.package.split(".")
            kept = parents[: len(parents) - node.level + 1]
            source = ".".join([*kept, *([node.module] if node.module else [])])
        return [f"{source}.{alias.name}" for alias in node.names]


@dataclass(frozen=True)
class Import:
    name: str
    line: int
    at_import_time: bool


def _defers(node: ast.AST) -> bool:
    """Whether what stands below a node runs later than the import of its module, or never."""
    if isinstance(node, ast.If):
        test = node.test
        return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
            isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
        )
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def read_module(path: Path, source: Path = SOURCE) -> Module:
    parts = path.relative_to(source).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, path, text, ast.parse(text, filename=str(path)))


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [read_module(path) for path in sorted(SOURCE.rglob("*.py"))]


@pytest.fixture(scope="session")
def penstock_modules(modules: list[Module]) -> list[Module]:
    return [module for module in modules if module.name.split(".")[0] == "penstock"]
