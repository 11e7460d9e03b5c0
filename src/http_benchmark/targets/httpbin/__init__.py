"""An application that answers as httpbin does, on Penstock alone: `http_benchmark.targets.httpbin:app`.

Members and their meaning are httpbin's; JSON is compact, and what is out of bounds is refused with 400 where
httpbin answers something smaller. A file a subject; each has the `Router` that `application` gathers.
"""

from http_benchmark.targets.httpbin.application import app

__all__ = ["app"]
