"""Runs clients against a URL, in closed and open loop, and counts what came of each request."""
