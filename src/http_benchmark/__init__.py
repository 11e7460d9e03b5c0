"""Measures HTTP clients and servers, and says how sure it is.

This release holds the command only: its load generator, statistics and reports come with a later version.
May use penstock; penstock never uses it.
"""
