"""WebSocket (RFC 6455) for whoever answers requests: the routes of an App, and hosted ASGI applications.

Rule: knows values (`http`) and the seam (`http.handler`), neither server nor application. What frames mean
is decided by the sans-I/O protocol of the `websockets` package, imported where it is used.
"""
