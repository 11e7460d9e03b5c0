"""The cold start of an application with 300 typed routes: from a new interpreter to the first reply.

Half of the routes take a path and two query parameters, half a JSON body, each with a dataclass of its own.
The module of the application is compiled to bytecode before, as it is where it was installed or has run once.
"start of Python" is what an interpreter takes that does nothing, "the application's own" its module without
routes: the classes and functions alone. CPU time says more than the wall clock where others use the machine.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise

_ROUTES = 300
_ROUNDS = 15
_QUICK_ROUNDS = 2

_HEAD = """\
from dataclasses import dataclass
from datetime import datetime
from penstock import App

app = App()
"""
_PAIR = """
@dataclass
class Item{n}:
    name: str
    price: float
    tags: list[str]
    due: datetime | None = None

{get}
async def item{n}(item_id: int, full: bool = False, limit: int = 10) -> dict:
    return {{"id": item_id, "full": full, "limit": limit}}

{post}
async def change{n}(item_id: int, item: Item{n}) -> Item{n}:
    return item
"""
_ANSWER = """
from penstock.http.request import Request
from {module} import app

request = Request.build(target="/items7/7?limit=3")
reply = app.resolve(request).call(request)
try:
    reply.send(None)
except StopIteration as done:
    assert done.value.body == b'{{"id":7,"full":false,"limit":3}}', done.value.body
"""


def write_modules(folder: Path) -> None:
    """Write the module with routes, and the one without."""
    for module, get, post in (
        ("with_routes", '@app.get("/items{n}/{{item_id}}")', '@app.post("/items{n}/{{item_id}}")'),
        ("without_routes", "", ""),
    ):
        pairs = (_PAIR.format(n=n, get=get.format(n=n), post=post.format(n=n)) for n in range(_ROUTES // 2))
        folder.joinpath(f"{module}.py").write_text(_HEAD + "".join(pairs))


def _run(program: str, folder: Path) -> tuple[float, float]:
    """Return the milliseconds a process takes, by the clock and of CPU time."""
    import penstock

    source = str(Path(penstock.__file__).parent.parent)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"PYTHONPATH": os.pathsep.join([str(folder), source])}
    cpu_s, started = _children_s(), time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return (time.perf_counter() - started) * 1e3, (_children_s() - cpu_s) * 1e3


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(options: Options) -> Report:
    """Time the start, and what of it is not ours."""
    programs = {
        "start of Python": "pass",
        "the application's own, with start": "from dataclasses import dataclass; import without_routes",
        f"first reply of {_ROUTES} typed routes, with start": _ANSWER.format(module="with_routes"),
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_modules(folder)
        for program in programs.values():
            _run(program, folder)  # writes the .pyc files
        for _ in range(_QUICK_ROUNDS if options.is_quick else _ROUNDS):
            for case, program in programs.items():
                samples[case].append(_run(program, folder))
    figures: list[Figure] = []
    for case, taken in samples.items():
        figures.append(summarise(case, "penstock", [wall for wall, _ in taken], "ms"))
        figures.append(summarise(case, "penstock", [cpu for _, cpu in taken], "ms CPU"))
    return Report(figures)


if __name__ == "__main__":
    sys.exit(main(["cold_start"]))
