"""Is this machine fit to measure on? Looked at before and after, from /proc and /sys.

What a kernel does not tell is None, and no warning follows from it: containers and other systems have few of
these files. Nothing is changed; each warning says what was seen and what to do.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUSY_SHARE: Final = 0.5
"""Of the cores, as load average: above it something else was at work before the measurement."""
STOLEN_SHARE: Final = 0.01
_RUNS_EVENLY: Final = frozenset({"performance", "userspace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """What was seen at one moment. Counters count since the machine started."""

    cores: int
    """That we may use."""
    load_average: float | None = None
    """Of the last minute: how many processes ran or wanted to."""
    ticks: int | None = None
    """Of all cores, whatever they did."""
    idle_ticks: int | None = None
    stolen_ticks: int | None = None
    """That the hypervisor gave to others."""
    governors: frozenset[str] = frozenset()
    """What chooses the clock frequency."""
    has_turbo: bool | None = None
    swap_used_mb: float | None = None
    swapped_pages: int | None = None
    throttled_times: int | None = None
    """That the limits of our control group made us wait."""
    overheated_times: int | None = None
    """That a core slowed down because it was too hot."""
    is_on_battery: bool | None = None


def look_at_machine(root: str | os.PathLike[str] = "/") -> MachineState:
    """Return the state of this machine; of another, or a test's, under the folder `root`."""
    base = Path(root)
    cpu = base / "sys/devices/system/cpu"
    fields = _words(base / "proc/stat", "cpu")
    ticks = [int(each) for each in fields[:8]] if fields else []
    memory = {line[0]: line[1] for line in _lines(base / "proc/meminfo") if len(line) > 1}
    moved = [_number_in(base / "proc/vmstat", name) for name in ("pswpin", "pswpout")]
    return MachineState(
        cores=_usable_cores(),
        load_average=_float(_first(base / "proc/loadavg")),
        ticks=sum(ticks) if ticks else None,
        idle_ticks=sum(ticks[3:5]) if len(ticks) > 4 else None,
        stolen_ticks=ticks[7] if len(ticks) > 7 else None,
        governors=frozenset(filter(None, map(_first, cpu.glob("cpu[0-9]*/cpufreq/scaling_governor")))),
        has_turbo=_turbo(cpu),
        swap_used_mb=_swap_used_mb(memory),
        swapped_pages=sum(moved_pages)
        if (moved_pages := [each for each in moved if each is not None])
        else None,
        throttled_times=_throttled(base),
        overheated_times=_overheated(cpu),
        is_on_battery=_on_battery(base / "sys/class/power_supply"),
    )


def machine_warnings(before: MachineState, after: MachineState) -> list[str]:
    """Return what makes figures taken between these moments doubtful."""
    found = []
    if before.load_average is not None and before.load_average > BUSY_SHARE * before.cores:
        found.append(
            f"the load average was {before.load_average:.1f} on {_cores(before.cores)} before the "
            "measurement began: end what else runs, or wait a minute and measure again"
        )
    passed = _grown(before.ticks, after.ticks)
    if passed and (stolen := _grown(before.stolen_ticks, after.stolen_ticks) / passed) > STOLEN_SHARE:
        found.append(
            f"the hypervisor gave {100 * stolen:.0f} % of the processor time to other machines: measure on a "
            "machine of your own, or take more and shorter rounds"
        )
    if (times := _grown(before.throttled_times, after.throttled_times)) > 0:
        found.append(
            f"the container's processor limit held us {times} times: raise the limit (docker run --cpus, "
            "Kubernetes limits.cpu) or lower the concurrency"
        )
    if pages := _grown(before.swapped_pages, after.swapped_pages):
        used = f" ({after.swap_used_mb:.0f} MB in use)" if after.swap_used_mb else ""
        found.append(
            f"the machine swapped {pages} pages meanwhile{used}: free memory, or run `sudo swapoff -a`"
        )
    if times := _grown(before.overheated_times, after.overheated_times):
        found.append(
            f"the processor was too hot {times} times and slowed down: cool it, or take shorter rounds with "
            "pauses between"
        )
    return found + _about_clock(before)


def _about_clock(state: MachineState) -> list[str]:
    found = []
    if changing := sorted(state.governors - _RUNS_EVENLY):
        found.append(
            f"the clock frequency follows the load (governor {', '.join(changing)}): run `sudo cpupower "
            "frequency-set -g performance` before you measure"
        )
    if state.has_turbo:
        found.append(
            "turbo is on, so the clock depends on heat and on what other cores do: where single per cents "
            "matter, switch it off (`echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo`, or "
            "`echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost`)"
        )
    if state.is_on_battery:
        found.append("the machine runs on battery, which slows it down: plug it in")
    return found


def _grown(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else max(0, after - before)


def _cores(count: int) -> str:
    return "one core" if count == 1 else f"{count} cores"


def _usable_cores() -> int:
    with suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _turbo(cpu: Path) -> bool | None:
    if off := _first(cpu / "intel_pstate/no_turbo"):
        return off == "0"
    if on := _first(cpu / "cpufreq/boost"):
        return on == "1"
    return None


def _swap_used_mb(memory: dict[str, str]) -> float | None:
    total, free = _float(memory.get("SwapTotal:", "")), _float(memory.get("SwapFree:", ""))
    return None if total is None or free is None else (total - free) * 1024 / 1e6


def _throttled(base: Path) -> int | None:
    """Of our own control group, in version 2 of them."""
    for line in _lines(base / "proc/self/cgroup"):
        if line and line[0].startswith("0::/"):
            own = base / "sys/fs/cgroup" / line[0].removeprefix("0::/")
            if (found := _number_in(own / "cpu.stat", "nr_throttled")) is not None:
                return found
    return _number_in(base / "sys/fs/cgroup/cpu.stat", "nr_throttled")


def _overheated(cpu: Path) -> int | None:
    found = [
        int(text)
        for path in cpu.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
        if (text := _first(path)).isdecimal()
    ]
    return sum(found) if found else None


def _on_battery(supplies: Path) -> bool | None:
    mains = [_first(path / "online") for path in supplies.glob("*") if _first(path / "type") == "Mains"]
    return all(each == "0" for each in mains) if mains else None


def _lines(path: Path) -> list[list[str]]:
    with suppress(OSError):
        return [line.split() for line in path.read_text("utf-8", "replace").splitlines()]
    return []


def _words(path: Path, name: str) -> list[str]:
    """Return what follows a name at the beginning of a line, as far as it is numbers."""
    found = next((line[1:] for line in _lines(path) if line and line[0] == name), [])
    return found if all(each.isdecimal() for each in found) else []


def _number_in(path: Path, name: str) -> int | None:
    words = _words(path, name)
    return int(words[0]) if words else None


def _first(path: Path) -> str:
    lines = _lines(path)
    return lines[0][0] if lines and lines[0] else ""


def _float(text: str) -> float | None:
    with suppress(ValueError):
        return float(text)
    return None
