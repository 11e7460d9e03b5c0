"""What is made once and used often: values (`cache.py`), responses (`response_cache.py`), rendered octets.

Rule: a cache is never needed. A store that is lost, an entry that cannot be read, another process that died
while it made a value: each costs one more making, and no request.
"""
