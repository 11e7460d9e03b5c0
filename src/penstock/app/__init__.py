"""What a user writes against: application, routing, binding, plans, failures, lifespan.

Rule of this folder: it knows no socket and never imports `server`; the two meet in `penstock.http.handler`.
Everything that can be decided before the first request is decided in `App.startup`: templates are parsed,
signatures read, plans generated. Inspection modules (`inspect`, `dataclasses`) are imported then.
"""
