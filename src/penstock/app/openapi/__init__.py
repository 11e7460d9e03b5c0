"""The application described: an OpenAPI 3.1 document, made from the plans that serve its routes.

Rule of this folder: it reads what start-up made (signatures, nodes of types, options of routes) and decides
nothing about requests. Nothing here is imported before a document is asked for. What a type accepts is said
by the node that accepts it, so the two cannot part; what JSON Schema cannot say is left out, never guessed.
"""
