"""Types as validators: an annotation becomes a function, generated at start-up, from what JSON decodes to the
values of that type.

`reading` turns an annotation into a tree of nodes; each node can write its part of the straight-line code
(`emit`, the quick way: a value or Refused) and can walk a value itself (`walk`, the thorough way: every fault
with its location). Both stand side by side in each node, and a property test holds them to one verdict.
Nothing here knows HTTP; text (query, fields, cookies) is `app/binding`.
"""
