"""How sure the figures are: whether two subjects differ, by how much, and what makes a measurement doubtful.

Rules: pure functions of numbers, apart from `machine.py`, which reads /proc and /sys; chance is seeded, so
that the same rounds always get the same verdict; nothing here needs a library.
"""
