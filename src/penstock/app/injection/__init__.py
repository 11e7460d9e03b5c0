"""Injection: what a handler depends on, and what those functions depend on, found at start-up.

`depends` is what users write; `tree` reads it into `Dependency` nodes, each with a signature of its own, and
reports what cannot be. How the calls are made is written by `app/plan`, straight-line: nothing here runs when
a request is answered.
"""
