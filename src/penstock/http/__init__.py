"""The values of HTTP: field sections, queries, cookies, dates, requests and responses.

Rule of this folder: no I/O, no event loop, no knowledge of sockets or of the application.
It imports `penstock.errors` and the standard library; `wire`, `app` and `server` import it, never it them.
Octets become str at one named place per value; after that no variable holds both.
"""
