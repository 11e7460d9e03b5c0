"""A terminal as a screen: its other page, keys one by one, and everything as it was afterwards.

Lines are written over the old ones, so nothing flickers; too long ones are cut by the terminal. A window of
another size and a return from the background end a wait, for the screen is to be drawn anew.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # the other page, no cursor, no wrapping
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"


class Terminal:
    """A context manager: inside, the terminal is ours."""

    def __enter__(self) -> Self:
        self._input = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._input)
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        handlers = {
            signal.SIGINT: signal.default_int_handler,  # also where whoever started us ignores it
            signal.SIGWINCH: self._wake,
            signal.SIGTSTP: self._suspend,
            signal.SIGTERM: self._end,
            signal.SIGHUP: self._end,
        }
        self._handlers: dict[int, Any] = {
            number: signal.signal(number, handler) for number, handler in handlers.items()
        }
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._wakes)

    def size(self) -> tuple[int, int]:
        """Columns and rows: what the terminal has now, whatever COLUMNS and LINES said once."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = shutil.get_terminal_size()
        return columns, rows

    def show(self, lines: Sequence[str]) -> None:
        """Have these lines on the screen, and nothing else."""
        self._write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def wait(self, timeout_s: float) -> str | None:
        """Wait for a key: return it, None when none came in time, "" when the screen is to be drawn."""
        ready, _, _ = select.select([self._input, self._woken], [], [], timeout_s)
        if self._woken in ready:
            os.read(self._woken, 64)
            return ""
        if self._input not in ready:
            return None
        key = os.read(self._input, 1)
        if not key:
            raise KeyboardInterrupt  # nobody is at the terminal any more
        return key.decode("latin-1")

    def _take(self) -> None:
        tty.setcbreak(self._input)
        self._write(_ENTER)

    def _give_back(self) -> None:
        self._write(_LEAVE)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            raise KeyboardInterrupt from None  # the terminal has gone

    def _wake(self, _: int, __: FrameType | None) -> None:
        try:
            os.write(self._wakes, b".")
        except BlockingIOError:
            pass  # enough wakes are there

    def _end(self, number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal; `fg` brings us back."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        self._wake(number, frame)
