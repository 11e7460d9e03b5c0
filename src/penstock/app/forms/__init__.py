"""Forms for handlers: parameters from fields and files, files on their way to memory or disk, parts as a
stream.

Rule of this folder: what waits for the client runs on the loop, what waits for the disk in a thread, and no
more than `FormLimits.memory_bytes` of files is held. What a form is, without I/O, is `http/form.py`.
"""
