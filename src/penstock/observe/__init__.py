"""Watching what a server does, and telling it: logs, metrics, live figures, health, spans, stacks, failures.

Rule of this folder: off the path of requests. What a request costs is a count in memory and one tuple put in
a queue; formatting and writing happen on a thread of their own, every queue has a bound, and what does not
fit is counted. It knows values of `http`, no socket and no application.
"""
