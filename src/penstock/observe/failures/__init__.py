"""Failures as their authors read them: in the log, and in development as a page."""
