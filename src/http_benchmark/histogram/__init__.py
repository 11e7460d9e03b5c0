"""Distributions of durations: log-linear, mergeable without loss, in HdrHistogram's layout.

Rules: integers of nanoseconds; nothing here reads a clock or does I/O.
"""
