"""What the figures were measured on: machine, kernel, interpreter, libraries, code. Kept with each result.

Says nothing of who and where: no names of hosts or users, no paths. What cannot be found out is None. Linux
tells all of it, other systems a part.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_GIT_LIMIT_S: Final = 5.0
_VIRTUAL: Final = ("kvm", "vmware", "virtualbox", "qemu", "xen", "amazon ec2", "google", "bochs", "hyper-v")


def look_at_environment(libraries: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `libraries` (as pip names them) and all else are, ready for JSON.

    >>> look_at_environment(["no-such-library"])["libraries"]
    {'no-such-library': None}
    """
    total_mb, available_mb = _memory_mb()
    revision, is_changed = _git()
    return {
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "cpus_usable": _cpus_usable(),
        "architecture": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": _distribution(),
        "virtual_machine": _virtual_machine(),
        "memory_mb": total_mb,
        "memory_available_mb": available_mb,
        "load_average": _load_average(),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "has_gil": _has_gil(),
        "libraries": {name: _version(name) for name in libraries if name},
        "penstock": _version("penstock"),
        "git_revision": revision,
        "git_is_changed": is_changed,
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return in words what of two environments differs and matters to figures; nothing where one is not
    known.

    >>> differences({"python": "3.12.1", "load_average": [0]}, {"python": "3.13.0", "load_average": [9]})
    ['python was 3.12.1 and is 3.13.0']
    """
    found = []
    for key in _COMPARED:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old != new:
            found.append(f"{key.replace('_', ' ')} was {old} and is {new}")
    old_versions, new_versions = before.get("libraries") or {}, after.get("libraries") or {}
    return found + [
        f"{name} was {old_versions[name]} and is {new_versions[name]}"
        for name in sorted(old_versions.keys() & new_versions.keys())
        if old_versions[name] != new_versions[name]
    ]


_COMPARED: Final = (
    "cpu_model",
    "cpu_count",
    "cpus_usable",
    "architecture",
    "kernel",
    "virtual_machine",
    "python",
    "python_implementation",
    "has_gil",
)
"""Not memory, load and revision: they differ from run to run."""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_model() -> str | None:
    for line in _read("/proc/cpuinfo").splitlines():
        label, _, value = line.partition(":")
        if label.strip() in {"model name", "Model", "cpu model"} and value.strip():
            return " ".join(value.split())
    return platform.processor() or None


def _cpus_usable() -> int | None:
    """Those this process may run on; fewer in a container or behind taskset."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.mac_ver()[0] or None


def _virtual_machine() -> str | None:
    """A hint: what the firmware or the kernel calls the machine, when it is a virtual one."""
    if Path("/.dockerenv").exists():
        return "container"
    said = f"{_read('/sys/class/dmi/id/sys_vendor')} {_read('/sys/class/dmi/id/product_name')}"
    if any(name in said.lower() for name in _VIRTUAL):
        return " ".join(said.split())
    if (kind := _read("/sys/hypervisor/type").strip()) or (kind := _cgroup_container()):
        return kind
    return "hypervisor" if " hypervisor" in _read("/proc/cpuinfo") else None


def _cgroup_container() -> str:
    said = _read("/proc/1/cgroup")
    return "container" if any(name in said for name in ("docker", "kubepods", "containerd", "lxc")) else ""


def _memory_mb() -> tuple[int | None, int | None]:
    """Of the machine and available, in 10**6 octets."""
    found: dict[str, int] = {}
    for line in _read("/proc/meminfo").splitlines():
        label, _, value = line.partition(":")
        if label in {"MemTotal", "MemAvailable"}:
            found[label] = int(value.split()[0]) * 1024 // 10**6  # "kB" there means 1024
    return found.get("MemTotal"), found.get("MemAvailable")


def _load_average() -> list[float] | None:
    try:
        return [round(each, 2) for each in os.getloadavg()]
    except OSError:
        return None


def _has_gil() -> bool:
    ask = getattr(sys, "_is_gil_enabled", None)  # from 3.13
    return bool(ask()) if ask is not None else True


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> tuple[str | None, bool | None]:
    """The revision of the working folder, and whether files git knows differ from it."""
    revision = _ask_git("rev-parse", "--verify", "HEAD")
    if not revision:
        return None, None
    changed = _ask_git("status", "--porcelain", "--untracked-files=no")
    return revision.strip(), None if changed is None else bool(changed)


def _ask_git(*words: str) -> str | None:
    """None where there is no git, no repository, or no answer in time. Takes no lock and starts no program
    that the repository names.
    """
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
