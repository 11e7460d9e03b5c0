"""Metrics: what a server and its application count, in memory that all its processes share.

Rule of this folder: an increment is one store into shared memory, at once, without a system call, so that a
process that is killed takes no count with it; whoever reads adds up. Every label is bounded. It knows no
socket and no application; `ledger` is the one handle of this process.
"""
