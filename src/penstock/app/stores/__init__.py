"""Stores: octets by text key, for a time. What sessions, the response cache and the rate limit stand on.

`store.py` is the protocol, `memory.py` and `redis.py` are the two there are; `guard.py` is the one place that
decides what a store that fails means for those who use it. Rule: nothing outside `redis.py` knows Redis, and
nobody uses a store on the way of a request except through its guard.
"""
