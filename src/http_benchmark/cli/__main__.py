"""`python -m http_benchmark.cli` is the command `http-benchmark`."""

import sys

from http_benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
