"""The calling part of a plan: what the handler depends on, in order, then the handler.

Each dependency is a `Step`: its parameters are bound, then it is called, then the next. So one that refuses
a request, by an HTTPError, does so before the parameters of those behind it are looked at; and as long as
nothing is refused the faults of all parameters are told at once. A value is a local, `value1_get_db`.

In a coroutine, steps that run in a thread and follow each other go there together, as a function inside the
plan; the handler of a `def` route is the last of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.injection.background import BackgroundTasks
from penstock.app.injection.generators import NOTHING, InThread, no_value
from penstock.app.injection.threads import run_in_thread
from penstock.app.injection.tree import walk
from penstock.app.plan.code import indented
from penstock.app.runs import run_in_process

if TYPE_CHECKING:
    from penstock.app.binding.signature import Signature
    from penstock.app.injection.tree import Dependency
    from penstock.app.plan.binding import Binding
    from penstock.app.runs import RunsAs

_VALUES = {"request": "request", "stream": "request.stream", "websocket": "websocket", "tasks": "tasks"}


class Step(NamedTuple):
    """A dependency to be called."""

    node: Dependency
    tag: str
    """What the names of its parameters carry."""
    value: str
    """The local that holds what it returned."""
    in_thread: bool
    """It is sent to a thread, where the plan itself is a coroutine."""


class Calls:
    """Writes the calls of one plan; what they use goes into `scope`."""

    def __init__(self, signature: Signature, run: RunsAs, scope: dict[str, Any]) -> None:
        self._signature = signature
        self.run: RunsAs = run
        """Where the handler runs."""
        self._scope = scope
        nodes = list(walk(signature))
        inherits_thread = run in ("thread", "process")
        self.steps = [
            Step(
                node,
                str(number),
                f"value{number}_{node.name}",
                not node.waits and (node.run == "thread" or (node.run is None and inherits_thread)),
            )
            for number, node in enumerate(nodes, 1)
        ]
        self._values = {id(step.node): step.value for step in self.steps}
        self.is_coroutine = (
            run in ("task", "process")
            or any(node.waits for node in nodes)
            or (run == "inline" and any(step.in_thread for step in self.steps))
        )
        """What calls them must be one."""
        self.has_generators = any(node.yields for node in nodes)
        """They are left to the server; until then those begun are in the local `opened`."""
        self.has_tasks = any(one.first("tasks") is not None for one in self.signatures)
        """They are left to the server, too, in the local `tasks`."""
        self.lingers = self.has_generators or self.has_tasks
        self.is_awaited = run in ("task", "process")
        """What the handler returns is awaited; else it may turn out to be a coroutine all the same, of a
        decorated `async def`.
        """

    @property
    def has_own_context(self) -> bool:
        """Plain generators are begun and ended in threads, perhaps in two."""
        return self.has_generators and self.run == "thread" and not self.is_coroutine

    @property
    def signatures(self) -> list[Signature]:
        """Of everything that is called, in order."""
        return [*(step.node.signature for step in self.steps), self._signature]

    def lines(self, binding: Binding) -> list[str]:
        """Assign `result`, what the handler returned."""
        if self.is_coroutine:
            return self._coroutine_lines(binding)
        lines = [line for step in self.steps for line in self._step_lines(step, binding)]
        return [*lines, *self.handler_lines(binding, "result = ")]

    def first_lines(self, binding: Binding) -> list[str]:
        """Set the locals that everything else relies on."""
        lines = []
        shared = self.shared_names(binding)
        if shared:
            lines.append(f"{' = '.join(shared)} = None")
        if self.has_generators:
            lines.append("opened = ()")
        if self.has_tasks:
            self._scope["BackgroundTasks"] = BackgroundTasks
            lines.append("tasks = BackgroundTasks()")
        return lines

    def shared_names(self, binding: Binding) -> list[str]:
        """Names that functions inside the plan assign; they must be there before."""
        if not self.is_coroutine or not any(step.in_thread for step in self.steps):
            return []
        opened = ["opened"] if any(step.in_thread and step.node.yields for step in self.steps) else []
        return [*(step.value for step in self.steps if step.in_thread), *opened, *binding.shared_names]

    def _coroutine_lines(self, binding: Binding) -> list[str]:
        lines: list[str] = []
        batch: list[str] = []
        for step in self.steps:
            if step.in_thread:
                batch += self._step_lines(step, binding)
                continue
            lines += self._batch_lines(batch, binding)
            batch = []
            lines += self._step_lines(step, binding)
        if self.run == "thread":
            batch += self.handler_lines(binding, "return ")
            return [*lines, *self._batch_lines(batch, binding, "result = ")]
        return [*lines, *self._batch_lines(batch, binding), *self.handler_lines(binding, "result = ")]

    def _batch_lines(self, batch: list[str], binding: Binding, assigned: str = "") -> list[str]:
        """Run these lines in a thread."""
        if not batch:
            return []
        self._scope["run_in_thread"] = run_in_thread
        shared = self.shared_names(binding)
        return [
            "def in_thread(context):",
            *indented([f"nonlocal {', '.join(shared)}"] if shared else [], 1),
            *indented(batch, 1),
            f"{assigned}await run_in_thread(request, in_thread)",
        ]

    def _step_lines(self, step: Step, binding: Binding) -> list[str]:
        function = f"call{step.tag}_{step.node.name}"
        self._scope[function] = step.node.function
        positional, named = self._passed(step.node.signature, step.tag)
        call = f"{function}({', '.join(positional + named)})"
        lines = binding.lines(step.node.signature, step.tag)
        if step.node.yields:
            return [*lines, *self._generator_lines(step, function, call)]
        if step.node.is_async:
            return [*lines, f"{step.value} = await {call}"]
        lines.append(f"{step.value} = {call}")
        if step.node.may_be_async:
            lines += [f"if hasattr({step.value}, '__await__'):", f"    {step.value} = await {step.value}"]
        return lines

    def _generator_lines(self, step: Step, function: str, call: str) -> list[str]:
        """Begin a generator, and keep it among those that are to be ended."""
        self._scope |= {"NOTHING": NOTHING, "no_value": no_value, "InThread": InThread}
        generator = f"generator{step.tag}_{step.node.name}"
        first = "await anext" if step.node.is_async_generator else "next"
        kept = f"InThread({generator}, context)" if self.is_coroutine and step.in_thread else generator
        return [
            f"{generator} = {call}",
            f"{step.value} = {first}({generator}, NOTHING)",
            f"if {step.value} is NOTHING:",
            f"    raise no_value({function})",
            f"opened = ({kept}, *opened)",
        ]

    def handler_lines(self, binding: Binding, assigned: str) -> list[str]:
        """Bind the parameters of the handler and call it; the call comes behind `assigned`."""
        positional, named = self._passed(self._signature, "")
        if self.run == "process":
            self._scope |= {"run_in_process": run_in_process, "partial": partial}
            function = f"partial(handler, {', '.join(named)})" if named else "handler"
            call = f"await run_in_process({', '.join(['request', function, *positional])})"
        else:
            call = f"handler({', '.join(positional + named)})"
            if self.run == "task":
                call = f"await {call}"
        return [*binding.lines(self._signature), f"{assigned}{call}"]

    def _passed(self, signature: Signature, tag: str) -> tuple[list[str], list[str]]:
        """Return what is passed to a function, by position and by name."""
        positional, named = [], []
        for argument in signature.arguments:
            if argument.dependency is not None:
                value = self._values[id(argument.dependency)]
            else:
                value = _VALUES.get(argument.source, f"arg{tag}_{argument.name}")
            if argument.is_keyword:
                named.append(f"{argument.name}={value}")
            else:
                positional.append(value)
        return positional, named
