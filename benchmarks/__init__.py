"""Programs that measure Penstock: `python -m benchmarks` for all, `python -m benchmarks.head` for one.

Standard library only; peers are measured where they are installed. Each program checks that what it times
gives the right answer, and states its unit. How to run and read them: README.md.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"

if find_spec("penstock") is None:  # run from the source tree
    sys.path.insert(0, str(SOURCE))
