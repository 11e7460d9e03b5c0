"""Turning a request into the arguments of a handler: signatures, text, JSON bodies, lists of faults.

Rule of this folder: what is accepted is listed, nothing is coerced by trying. A value that does not fit is a
ValueError on the quick way and a named fault on the thorough one; the two use the same conversions.
"""
