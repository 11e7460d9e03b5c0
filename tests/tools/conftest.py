"""The scripts of tools/, importable as they are when run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def load_tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module
    for name in [path.stem for path in TOOLS.glob("*.py")]:
        sys.modules.pop(name, None)


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., Path]:
    """`write_page("text", name="docs/a.md")` below a folder that stands for the repository; the folder itself."""

    def write(text: str, name: str = "README.md") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return write
