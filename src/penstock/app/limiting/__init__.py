"""How often somebody may ask: `rate.py` is what is allowed, `algorithms.py` the counting, `rate_limit.py` the
hook.

Rule: counting is one step of the store, with nobody in between, in its own time; so several workers count
what one would. A store that is lost counts nothing, and requests pass unless one says otherwise.
"""
