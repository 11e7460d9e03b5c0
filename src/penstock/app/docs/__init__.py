"""Pages for people about an application: its OpenAPI document, shown, with a form for each operation.

`files/` is our own page, a few small modules without dependency; the `[docs]` extra brings Swagger UI, ReDoc
and Scalar. Either way every file comes from here: no page asks another host for anything.
"""
