"""socketify, which starts itself: the port is the first argument."""
# ruff: noqa: D103

import sys
from typing import Any

from socketify import App


def home(response: Any, _request: Any) -> None:
    response.end("Hello, World!")


if __name__ == "__main__":
    app = App()
    app.get("/", home)
    app.listen(int(sys.argv[1]), lambda _options: None)
    app.run()
