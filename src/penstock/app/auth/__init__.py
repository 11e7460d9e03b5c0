"""Who makes a request, and what may they do: schemes of authentication, as dependencies of handlers.

A scheme is called with the request, by `Depends(scheme)`, and returns who it is or raises 401 with the
challenge that is due (RFC 9110 §11); `requires` adds what they must be allowed to, or 403. Rule: a credential
is compared in constant time, never logged, and never part of a message.
"""
