"""One HTTP client library a file, behind the one protocol of `adapter.py`.

Rules: a library is imported when its client is made, never with its adapter. All of them get the same pool,
the same timeout and no redirects, cookies or retries of their own; what a library cannot do alike, its
`notes` say.
"""
