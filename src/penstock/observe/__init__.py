"""Watching what a server does: logs now; metrics, traces and the dashboard on the same seam.

Rule of this folder: off the path of requests. What a request costs is one tuple put in a queue; formatting
and writing happen on a thread of their own, every queue has a bound, and what does not fit is counted. It
knows values of `http`, no socket and no application.
"""
