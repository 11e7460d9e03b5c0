"""Results for people: live progress, tables for the terminal, one HTML file, pictures.

Rules: figures come from the values of `measurement`, and are never worked out anew here; whatever a server,
a library or a user named is hostile (a terminal obeys it, a page runs it) and is made harmless where it is
shown; secrets of a configuration are not shown. Results on stdout, progress on stderr.
"""
