"""Results in one SQLite file: the schema and its versions, the store, and what is done where it cannot be
written.

Rules: a result is stored whole or not at all; reading writes nothing; what comes back is what was put in,
to the last bit of each histogram. Every fault of the file, the disk or a lock is a StorageError.
"""
