"""Sessions, as hooks that open `request.session` and write it when it changed: in a cookie, or in a store.

Rule: a session that cannot be read (forged, cut, expired, its store lost) is an empty one and never a
failure; nothing of its content or its cookie is ever logged. JSON only: what was away is never unpickled.
"""
