"""Logs: how records and requests become lines, and how lines get to where they are kept."""
