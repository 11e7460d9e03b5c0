"""What can go wrong, on one screen. Each carries the exit code of the command it ends.

2: the call cannot be meant (a wrong option, a name nobody knows). 1: the call was right and nothing could be
measured, or what was measured could not be kept. A message is one line that says what to change.
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """Anything the command tells in one line on stderr."""

    exit_code = 1


class UsageError(BenchmarkError):
    """What was asked for cannot be done as it was asked."""

    exit_code = 2


class MissingLibrary(UsageError):
    """A library that is not installed; the message says how to get it."""

    def __init__(self, library: str, install: str) -> None:
        super().__init__(f"{library} is not installed: {install}")
        self.library = library
        self.install = install


class NothingMeasured(BenchmarkError):
    """Not one request succeeded: the target is unreachable, or every reply was wrong."""


class StorageError(BenchmarkError):
    """Results cannot be kept or read: the file, the disk or a lock of another program."""


class BadHistogram(BenchmarkError):
    """A text that was stored or sent as a histogram and is none."""
