"""What is measured when nothing else is there: servers of our own, each in a process of its own.

`embedded` is the httpbin-compatible application on Penstock; `trouble` a server that does wrong on purpose,
by rules, so that a measurement can be checked against what it must find. All of them end with whoever started
them, however that ended.
"""
