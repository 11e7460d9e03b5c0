"""Results for other programs: JSON with a published schema, and CSV.

Rules: no file is opened here but to read one that was asked for; from_json(to_json(result)) == result.
"""
