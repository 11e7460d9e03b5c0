"""What was measured, as values: a round, the result of several, how rounds take turns.

Rules: no I/O and no clock; all others of this package meet in these values.
"""
