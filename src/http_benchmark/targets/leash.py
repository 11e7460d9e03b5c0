"""`python -m http_benchmark.targets.leash FD MODULE [ARGUMENT ...]`: a module as a program that ends with its
parent. With `--program PATH` for MODULE another program, as a child of this process, which passes signals on.

FD is the reading end of a pipe whose other end only the parent holds and never writes to: the kernel closes
it however the parent ends, `kill -9` included. Then this process is asked to end, and ends itself when it
does not. A process forked by the parent may hold the pipe open, so the parent's id is looked at too.
"""

from __future__ import annotations

import os
import resource
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Final

_LOOK_EVERY_S: Final = 1.0
_GRACE_S: Final = 3.0


def _watch(fd: int, parent: int) -> None:
    while os.getppid() == parent and not select.select([fd], [], [], _LOOK_EVERY_S)[0]:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _raise_file_limit() -> None:
    """Have as many files as may be had: each connection is one, and a shell often gives 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # systems that call the limit infinite and take less
        pass


def _run(words: list[str]) -> int:
    """Run a program and return its exit code, as a shell tells it."""
    fds = [int(each) for each in os.environ.pop("HTTP_BENCHMARK_FDS", "").split(",") if each]
    process = subprocess.Popen(words, pass_fds=fds, process_group=0)  # noqa: S603 - what our owner named

    def pass_on(number: int, _frame: object) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, pass_on)
    code = process.wait()
    try:  # what it leaves behind when it is killed
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return 128 - code if code < 0 else code


def main() -> int:
    """Run what was named, with the arguments after it."""
    fd, module = int(sys.argv[1]), sys.argv[2]
    _raise_file_limit()
    threading.Thread(target=_watch, args=(fd, os.getppid()), name="leash", daemon=True).start()
    if module == "--program":
        return _run(sys.argv[3:])
    sys.argv[:] = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
