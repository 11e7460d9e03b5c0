"""Runs clients against a URL, in closed and open loop, and counts what came of each request.

Rules: on the path of a request there is neither a lock nor a histogram, only appends to arrays
(`recorder.py`); all else happens beside it, four times a second (`watching.py`), or after the round
(`folding.py`). Which requests count is said in `stretch.py`, and nowhere else.
"""
