"""The load generator: raw HTTP/1.1 requests over many connections, from one thread of one process.

Rules: `reply` and `cookies` are octets in, values out; `traffic` alone owns sockets; the two loops hold the
fast path and nothing else. No reply, however wrong, is an exception outside: it is an error of a class.
"""
