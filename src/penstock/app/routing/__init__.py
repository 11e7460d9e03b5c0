"""Which endpoint answers a path: templates, converters, the tree, the routers that declare, the table that
decides.

Rule of this folder: the raw path is split at `/` first and each segment decoded once after that, so `%2F` is
data and never a separator. Nothing is collapsed: `/a`, `/a/` and `//a` are three paths.
"""
