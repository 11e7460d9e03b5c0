"""Robyn, which starts itself: the port is the first argument."""
# ruff: noqa: D103

import sys

from robyn import Robyn

app = Robyn(__file__)


@app.get("/")
async def home() -> str:
    return "Hello, World!"


if __name__ == "__main__":
    port = int(sys.argv.pop(1))
    app.start(host="127.0.0.1", port=port)
