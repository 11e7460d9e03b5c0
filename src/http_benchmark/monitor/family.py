"""Processes that are counted together, and what they used, those that have ended included.

What a child used goes to its parent when it ends and is waited for, so the sum over those that live, of what
they used and what their ended children used, loses nothing. Nobody takes over from a child that is not waited
for, or whose parent is gone or ignores SIGCHLD: then what it had used when it was last seen is kept. So the
sum never falls, and what is missing from it is at most what such a process did after the last look.
"""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_benchmark.monitor.usage import Reader, Usage, Watched


class Total(NamedTuple):
    """Of all of them, since each was born; memory and threads of those that live."""

    cpu_s: float = 0.0
    user_s: float = 0.0
    system_s: float = 0.0
    rss_bytes: int = 0
    threads: int = 0
    switches: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


class _Member:
    """A process and what it was last seen to have used."""

    def __init__(self, process: Watched) -> None:
        self.process = process
        self.usage: Usage | None = None


class Family:
    """Processes, and with `with_children` all that come of them."""

    def __init__(self, reader: Reader, roots: Sequence[int], *, with_children: bool) -> None:
        self._reader = reader
        self._roots = list(roots)
        self._with_children = with_children
        self._members: dict[int, _Member] = {}
        self._lost = Total()
        self._add(roots)

    def look_everywhere(self) -> None:
        """Find those that belong to it among all processes there are: also who left its parent."""
        if self._with_children:
            self._add(self._reader.members(self._roots))

    def look_for_children(self) -> None:
        """Find those that were born since, from their parents: cheap."""
        waiting = [member.process for member in self._members.values()] if self._with_children else []
        while waiting:
            waiting += self._add(waiting.pop().children())

    def _add(self, pids: Iterable[int]) -> list[Watched]:
        added = []
        for pid in pids:
            if pid not in self._members and (process := self._reader.open(pid)) is not None:
                self._members[pid] = _Member(process)
                added.append(process)
        return added

    def read(self) -> Total:
        """Return what they used so far."""
        total, gone = Total(), Total()
        taken_user_s = taken_system_s = 0.0
        for pid, member in list(self._members.items()):
            before, now = member.usage, member.process.read()
            if now is None:
                member.process.close()
                del self._members[pid]
                if before is not None:
                    gone = _plus(gone, self._count(before))
                continue
            if before is not None:
                taken_user_s += now.ended_user_s - before.ended_user_s
                taken_system_s += now.ended_system_s - before.ended_system_s
            member.usage = now
            total = _plus(total, self._count(now))
        self._keep(gone, taken_user_s, taken_system_s)
        return _plus(total, self._lost)

    def _count(self, usage: Usage) -> Total:
        ended_user_s = usage.ended_user_s if self._with_children else 0.0
        ended_system_s = usage.ended_system_s if self._with_children else 0.0
        return Total(
            usage.cpu_s + ended_user_s + ended_system_s,
            usage.user_s + ended_user_s,
            usage.system_s + ended_system_s,
            usage.rss_bytes,
            usage.threads,
            usage.switches,
            usage.read_bytes,
            usage.written_bytes,
        )

    def _keep(self, gone: Total, taken_user_s: float, taken_system_s: float) -> None:
        """Keep of those that are gone what no parent took over."""
        if not self._with_children:
            taken_user_s = taken_system_s = 0.0
        left = gone._replace(
            cpu_s=max(0.0, gone.cpu_s - taken_user_s - taken_system_s),
            user_s=max(0.0, gone.user_s - taken_user_s),
            system_s=max(0.0, gone.system_s - taken_system_s),
            rss_bytes=0,
            threads=0,
        )
        self._lost = _plus(self._lost, left)

    def close(self) -> None:
        """Watch them no longer."""
        for member in self._members.values():
            member.process.close()
        self._members.clear()


def _plus(one: Total, other: Total) -> Total:
    return Total._make(map(add, one, other))
